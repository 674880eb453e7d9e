"""What of a machine's accepted definition its running boot does not have. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from nexus.protocol.base import Message
from nexus.protocol.machines import MachineSpec

NAMES: Mapping[str, str] = {
    "vcpus": "vcpus",
    "memory_mib": "memory_mib",
    "kernel_sha256": "kernel",
    "initramfs_sha256": "initramfs",
    "boot_args": "boot_args",
    "has_guest_agent": "initramfs",
    "balloon_mib": "balloon",
    "balloon_deflates_on_oom": "balloon_deflate_on_oom",
    "balloon_stats_s": "balloon_statistics",
    "entropy_limit": "entropy",
    "console_bytes": "serial",
    "log_level": "logger",
    "cpu_config": "cpu_config",
    "vsock_cid": "vsock",
    "metadata": "metadata",
    "user_data": "user_data",
}
"""Fields of a definition, and what each is called when a running boot lacks it."""
_GUEST_NAMES: Mapping[str, str] = {"hostname": "hostname", "user": "user", "init": "init"}


def pending(has: MachineSpec, wanted: MachineSpec) -> tuple[str, ...]:
    """The names of what differs: of fields, and `drives.<drive_id>` and `nics.<iface_id>`, removed ones included."""
    if has is wanted:
        return ()
    return (
        *_fields(NAMES, has, wanted),
        *_fields(_GUEST_NAMES, has.guest, wanted.guest),
        *_parts("drives", [(disk.drive_id, disk) for disk in has.disks], [(d.drive_id, d) for d in wanted.disks]),
        *_parts("nics", [(nic.iface_id, nic) for nic in has.nics], [(nic.iface_id, nic) for nic in wanted.nics]),
    )


def _fields(names: Mapping[str, str], has: Message, wanted: Message) -> Iterator[str]:
    differing = (name for field, name in names.items() if getattr(has, field) != getattr(wanted, field))
    return iter(dict.fromkeys(differing))


def _parts(prefix: str, has: Sequence[tuple[str, Message]], wanted: Sequence[tuple[str, Message]]) -> Iterator[str]:
    before, after = dict(has), dict(wanted)
    return (f"{prefix}.{name}" for name in {**before, **after} if before.get(name) != after.get(name))
