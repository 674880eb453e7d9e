"""Settings of a VM on the wire; those of its metadata are `metadata_schemas`."""

from ipaddress import IPv4Address
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from nexus.kit.envelopes import Item
from nexus.kit.fields import MOST_INT4, FromText, Id, Line, RequestBody
from nexus.manager.labels import ImageRef
from nexus.protocol.balloons import BalloonStats
from nexus.protocol.cpu import CpuConfig
from nexus.protocol.machines import LEAST_CONSOLE_BYTES, MOST_CONSOLE_BYTES, MOST_VCPUS, LogLevel

MOST_MEM_MIB = 1 << 20


class Patch(RequestBody):
    """A change of some fields: one that is left out stays, and none can be null."""

    @model_validator(mode="after")
    def _nothing_is_cleared(self) -> Self:
        if cleared := sorted(field for field in self.model_fields_set if getattr(self, field) is None):
            raise ValueError(f"{cleared[0]} cannot be null")
        return self


class PutMachineConfig(RequestBody):
    """A VM's size."""

    vcpu: int = Field(ge=1, le=MOST_VCPUS, description="Virtual CPUs")
    mem_mib: int = Field(ge=128, le=MOST_MEM_MIB, description="Memory in MiB")


class PatchMachineConfig(Patch):
    """What of a VM's size to change; a field that is left out stays."""

    vcpu: int | None = Field(default=None, ge=1, le=MOST_VCPUS, description="Virtual CPUs")
    mem_mib: int | None = Field(default=None, ge=128, le=MOST_MEM_MIB, description="Memory in MiB")


class MachineConfigBody(BaseModel):
    """A VM's size: what is configured, and what the running boot has."""

    vcpu: int = Field(description="Virtual CPUs")
    mem_mib: int = Field(description="Memory in MiB")
    running_vcpu: int | None = Field(description="Those of the running boot; null while it is off")
    running_mem_mib: int | None = Field(description="That of the running boot; null while it is off")


class BootSource(RequestBody):
    """What a VM boots. What a PUT leaves out is the platform's default; what a PATCH leaves out stays."""

    kernel_image_id: Id | None = Field(default=None, description="Kernel image")
    kernel: ImageRef | None = Field(default=None, description="The kernel image's name or id, instead of its id")
    initrd_image_id: Id | None = Field(default=None, description="Initramfs image; null: the platform's own")
    initrd: ImageRef | None = Field(default=None, description="The initramfs image's name or id, instead of its id")
    guest_agent: bool | None = Field(
        default=None,
        description="Whether that initramfs brings the platform's agent into the guest. Without it, only the "
        "platform's own is taken to: then `guest` is absent, and exec, shell and metadata are not to be had",
    )
    boot_args: Line | None = Field(default=None, max_length=1024, description="Appended to the kernel's command line")

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if self.kernel is not None and self.kernel_image_id is not None:
            raise ValueError("name the kernel by kernel or by kernel_image_id, not both")
        if self.initrd is not None and self.initrd_image_id is not None:
            raise ValueError("name the initramfs by initrd or by initrd_image_id, not both")
        if self.guest_agent is not None and self.initrd is None and self.initrd_image_id is None:
            raise ValueError("guest_agent says something about an initramfs: name that too")
        return self


class BootSourceBody(BaseModel):
    """What a VM boots."""

    kernel_image_id: UUID = Field(description="The kernel image")
    kernel: str = Field(description="The kernel image's name")
    initrd_image_id: UUID = Field(description="The initramfs image")
    initrd: str = Field(description="The initramfs image's name")
    guest_agent: bool = Field(description="Whether that initramfs brings the platform's agent into the guest")
    boot_args: str | None = Field(description="Appended to the kernel's command line")


class PutBalloon(RequestBody):
    """A balloon in a VM's memory: what it takes, its guest gives back to the host."""

    amount_mib: int = Field(ge=0, le=MOST_MEM_MIB, description="Memory the guest is to give back, in MiB")
    deflate_on_oom: bool = Field(default=True, description="Whether a guest short of memory takes it back")
    stats_polling_interval_s: int = Field(
        default=0, ge=0, le=3600, description="How often the guest tells of its memory, in seconds; 0: not at all"
    )


class PatchBalloon(RequestBody):
    """Another size of a VM's balloon."""

    amount_mib: int = Field(ge=0, le=MOST_MEM_MIB, description="Memory the guest is to give back, in MiB")


class PatchBalloonStatistics(RequestBody):
    """How often a guest tells of its memory."""

    stats_polling_interval_s: int = Field(ge=0, le=3600, description="In seconds; 0: not at all")


class BalloonBody(BaseModel):
    """A VM's balloon as it is configured."""

    amount_mib: int = Field(description="Memory the guest is to give back, in MiB")
    deflate_on_oom: bool = Field(description="Whether a guest short of memory takes it back")
    stats_polling_interval_s: int = Field(description="How often the guest tells of its memory, in seconds; 0: not")


class BalloonStatisticsBody(BalloonStats):
    """A running VM's balloon: how far it is, and what the guest said last about its memory (null: it does not)."""

    target_mib: int = Field(description="Memory the guest is to give back, in MiB")
    actual_mib: int = Field(description="Memory it has given back, in MiB")
    target_pages: int = Field(description="The former in pages of 4 KiB")
    actual_pages: int = Field(description="The latter in pages of 4 KiB")


class EntropyRate(RequestBody):
    """A token bucket."""

    size: int = Field(ge=1, le=MOST_INT4, description="Bytes that it holds")
    refill_time: int = Field(ge=1, le=MOST_INT4, description="Milliseconds in which an empty one is full again")


class EntropyLimiter(RequestBody):
    """How much randomness a guest may draw."""

    bandwidth: EntropyRate | None = Field(default=None, description="In bytes; null: as much as it likes")

    @classmethod
    def of(cls, stored: dict[str, Any] | None) -> "EntropyLimiter | None":
        return None if stored is None else cls(bandwidth=EntropyRate.model_validate(stored))


class PutEntropy(RequestBody):
    """A VM's entropy device."""

    rate_limiter: EntropyLimiter | None = Field(default=None, description="null: no limit")

    def as_stored(self) -> dict[str, Any] | None:
        bandwidth = self.rate_limiter and self.rate_limiter.bandwidth
        return bandwidth.model_dump() if bandwidth else None


class EntropyBody(BaseModel):
    """A VM's entropy device."""

    rate_limiter: EntropyLimiter | None = Field(description="null: no limit")


class PutSerial(RequestBody):
    """A VM's serial console."""

    log_limit_bytes: int | None = Field(
        default=None,
        ge=LEAST_CONSOLE_BYTES,
        le=MOST_CONSOLE_BYTES,
        description="How much of its log is kept, at least; up to twice as much is. null: 1 MiB",
    )


class SerialBody(BaseModel):
    """A VM's serial console."""

    log_limit_bytes: int | None = Field(description="How much of its log is kept, at least; null: 1 MiB")


class PutLogger(RequestBody):
    """The log of a VM's hypervisor."""

    level: Annotated[LogLevel | None, FromText] = Field(
        default=None, description="How much it writes; null: its default"
    )


class LoggerBody(BaseModel):
    """The log of a VM's hypervisor."""

    level: LogLevel | None = Field(description="How much it writes; null: its default")


class PutVsock(RequestBody):
    """A vsock for a guest's own use."""

    guest_cid: int | None = Field(ge=3, le=2**32 - 2, description="The guest's address; null: no vsock")


class VsockBody(BaseModel):
    """A vsock for a guest's own use."""

    guest_cid: int | None = Field(description="The guest's address; null: no vsock")


class PutCpuConfig(RequestBody):
    """What a VM's CPU shows its guest."""

    cpu_config: CpuConfig | None = Field(
        strict=False, description="A custom CPU template as Firecracker has them; null: what the hypervisor shows"
    )

    def as_stored(self) -> dict[str, Any] | None:
        return self.cpu_config.model_dump(mode="json") if self.cpu_config else None


class CpuConfigBody(BaseModel):
    """What a VM's CPU shows its guest."""

    cpu_config: CpuConfig | None = Field(description="A custom CPU template; null: what the hypervisor shows")


class GuestIp(RequestBody):
    """An address for a VM's first interface."""

    ip: Annotated[IPv4Address, FromText] = Field(description="An address of its network that nobody has")


class GuestIpBody(BaseModel):
    """A VM's address."""

    ip: str | None = Field(description="What its first interface is given; null: nothing")
    running_ip: str | None = Field(description="What the guest's first interface has; null while it is off")


class MachineConfigItem(Item[MachineConfigBody]):
    """A VM's size."""


class BootSourceItem(Item[BootSourceBody]):
    """What a VM boots."""


class BalloonItem(Item[BalloonBody]):
    """A VM's balloon."""


class BalloonStatisticsItem(Item[BalloonStatisticsBody]):
    """A running VM's balloon."""


class EntropyItem(Item[EntropyBody]):
    """A VM's entropy device."""


class SerialItem(Item[SerialBody]):
    """A VM's serial console."""


class LoggerItem(Item[LoggerBody]):
    """The log of a VM's hypervisor."""


class VsockItem(Item[VsockBody]):
    """A vsock for a guest's own use."""


class CpuConfigItem(Item[CpuConfigBody]):
    """What a VM's CPU shows its guest."""


class GuestIpItem(Item[GuestIpBody]):
    """A VM's address."""
