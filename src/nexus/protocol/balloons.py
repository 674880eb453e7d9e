"""A machine's balloon: memory that its guest has given back to the host, and what the guest says about its memory."""

from pydantic import Field

from nexus.kit.fields import Int8
from nexus.protocol.base import Message


class BalloonStats(Message):
    """What the guest's kernel told last, as virtio names it; None: it does not tell this."""

    swap_in: Int8 | None = Field(default=None, description="Swapped in since boot, in bytes")
    swap_out: Int8 | None = Field(default=None, description="Swapped out since boot, in bytes")
    major_faults: Int8 | None = Field(default=None, description="Page faults that needed a disk, since boot")
    minor_faults: Int8 | None = Field(default=None, description="The other page faults since boot")
    free_memory: Int8 | None = Field(default=None, description="Memory used for nothing, in bytes")
    total_memory: Int8 | None = Field(default=None, description="All memory the guest has, in bytes")
    available_memory: Int8 | None = Field(default=None, description="What new processes could get, in bytes")
    disk_caches: Int8 | None = Field(default=None, description="Memory that caches files and can be freed, in bytes")
    hugetlb_allocations: Int8 | None = Field(default=None, description="Huge pages given out since boot")
    hugetlb_failures: Int8 | None = Field(default=None, description="Huge pages refused since boot")


class BalloonSeen(Message):
    """A balloon as the hypervisor sees it."""

    target_mib: Int8 = Field(description="Memory the guest is to give back, in MiB")
    actual_mib: Int8 = Field(description="Memory it has given back, in MiB")
    stats: BalloonStats | None = Field(
        default=None, description="What the guest tells; None: it is not asked to, or has not told yet"
    )
