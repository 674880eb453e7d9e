"""Whether a machine can begin from a snapshot, and whether one can be taken of it. Pure."""

from nexus.agent.snapshots.lineage import SnapshotUnusable
from nexus.agent.snapshots.manifest import Manifest
from nexus.protocol.machines import DiskFormat, DiskSpec, MachineSpec
from nexus.protocol.snapshots import SnapshotPins

HYPERVISOR_PINS = {
    "driver": "hypervisor",
    "version": "version of the hypervisor",
    "acceleration": "acceleration",
    "cpu": "CPU",
}
"""What of a snapshot's pins is the host's, and what it is called."""
_NAMES = HYPERVISOR_PINS | {
    "kernel_sha256": "kernel",
    "vcpus": "number of vCPUs",
    "memory_mib": "memory in MiB",
}


def why_not_now(running: MachineSpec, wanted: MachineSpec) -> str | None:
    """Why no snapshot can be taken of a machine that runs: what begins from it is defined as the machine is defined
    now, and could not have the memory of a boot that has other devices."""
    pairs = {
        "vCPUs": (running.vcpus, wanted.vcpus),
        "memory": (running.memory_mib, wanted.memory_mib),
        "kernel": (running.kernel_sha256, wanted.kernel_sha256),
        "initramfs": (running.has_guest_agent, wanted.has_guest_agent),
        "CPU features": (running.cpu_config, wanted.cpu_config),
        "balloon": (running.balloon_deflates_on_oom, wanted.balloon_deflates_on_oom),
        "entropy limit": (running.entropy_limit, wanted.entropy_limit),
        "vsock": (running.vsock_cid, wanted.vsock_cid),
        "drives": (_drives(running), _drives(wanted)),
        "network interfaces": (_nics(running), _nics(wanted)),
    }
    differing = [name for name, (has, should) in pairs.items() if has != should]
    if not differing:
        return None
    return f"its {' and '.join(differing)} have been changed since it was started; restart it first"


def unkept_drive(spec: MachineSpec) -> DiskSpec | None:
    """A drive that no snapshot can hold: a file of the host's own, which is written outside of our care."""
    return next((disk for disk in spec.disks if disk.path_on_host is not None and not disk.read_only), None)


def is_in_place(disk: DiskSpec) -> bool:
    """Whether the disk is served from an image, or a file of the host's own, that it does not write."""
    is_image = disk.image_sha256 is not None and (disk.read_only or disk.format is DiskFormat.SQUASHFS)
    return is_image or disk.path_on_host is not None


def check(manifest: Manifest, spec: MachineSpec, pins: SnapshotPins) -> None:
    """`pins`: what `spec` would have here. Raises SnapshotUnusable."""
    _check_drives(manifest, spec)
    if manifest.pins is None:
        return
    for name, word in _NAMES.items():
        was, now = getattr(manifest.pins, name), getattr(pins, name)
        if was != now:
            raise SnapshotUnusable(f"The snapshot cannot run here: its {word} is {was}, and here it is {now}.")


def _check_drives(manifest: Manifest, spec: MachineSpec) -> None:
    had, has = [disk.drive_id for disk in manifest.disks], [disk.drive_id for disk in spec.disks]
    if had != has:
        raise SnapshotUnusable(
            f"The snapshot is of a machine with the drives {', '.join(had)}, and this one has {', '.join(has)}."
        )
    for disk in spec.disks:
        kept = manifest.disk(disk.drive_id)
        if kept is not None and (kept.image_sha256 != (disk.image_sha256 if is_in_place(disk) else None)):
            raise SnapshotUnusable(f"Drive {disk.drive_id} had other content when the snapshot was taken.")


def _drives(spec: MachineSpec) -> list[tuple[object, ...]]:
    return [
        (disk.id, disk.drive_id, disk.read_only, disk.path_on_host, disk.cache_type, disk.io_engine)
        for disk in spec.disks
    ]


def _nics(spec: MachineSpec) -> list[tuple[object, ...]]:
    return [(nic.id, nic.mac, nic.network.id) for nic in spec.nics]
