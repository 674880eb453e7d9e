"""Drives of a machine that runs: added, grown, limited or given another file without a restart, where its hypervisor
offers that. A drive that goes stays until the next boot: a guest may have it mounted."""

from collections.abc import Sequence

from nexus.agent.machines.applying import Running
from nexus.agent.machines.preparing import claim, disk_store
from nexus.agent.storage.trouble import StorageTrouble
from nexus.agent.vmm.port import Disk, DriveLimits, HotDrives, VmmTrouble
from nexus.protocol.machines import DiskSpec, MachineSpec


class DriveLimiting:
    """`rate_limiter` of drives that the running machine has."""

    def is_due(self, running: Running) -> bool:
        return isinstance(running.host.vmm, DriveLimits) and bool(_limited(running))

    async def apply(self, running: Running) -> MachineSpec:
        vmm, has = running.host.vmm, running.has
        assert isinstance(vmm, DriveLimits)
        for disk in _limited(running):
            await vmm.limit_drive(has.id, disk.id, disk.rate_limiter)
            has = _with_disk(has, disk)
        return has


class DriveSupply:
    """Drives to add, and to grow or serve from another file of the host's. What the hypervisor cannot take holds up
    nothing else."""

    def is_due(self, running: Running) -> bool:
        return isinstance(running.host.vmm, HotDrives) and bool(_supplied(running))

    async def apply(self, running: Running) -> MachineSpec:
        """Raises the last refusal, when nothing could be done."""
        has, refusal = running.has, None
        for disk in _supplied(running):
            try:
                await _supply(running, disk)
            except VmmTrouble as refused:
                refusal = refused
                continue
            has = _with_disk(has, disk)
        if refusal is not None and has == running.has:
            raise refusal
        return has


async def _supply(running: Running, disk: DiskSpec) -> None:
    vmm = running.host.vmm
    assert isinstance(vmm, HotDrives)
    file = await _file(running, disk)
    before = _of(running.has, disk)
    if before is not None and before.path_on_host == disk.path_on_host:
        await vmm.grow_drive(running.has.id, file)
    else:
        await vmm.ensure_drive(running.has.id, file)


async def _file(running: Running, disk: DiskSpec) -> Disk:
    """Raises VmmTrouble: a disk that cannot be made is refused as one that cannot be served is."""
    store = disk_store(running.host, running.has.id, running.uid)
    try:
        image = await running.host.images.ensure(disk.image_sha256, _say) if disk.image_sha256 else None
        file = await store.ensure_live(disk, image)
        claim(running.host, running.has.id, file)
        return file
    except StorageTrouble as trouble:
        raise VmmTrouble(str(trouble)) from trouble


def _limited(running: Running) -> Sequence[DiskSpec]:
    """Drives that differ in their limits; each as the running machine has it, but for them."""
    return [
        had.model_copy(update={"rate_limiter": disk.rate_limiter})
        for disk in running.wanted.disks
        if (had := _of(running.has, disk)) is not None and had.rate_limiter != disk.rate_limiter
    ]


def _supplied(running: Running) -> Sequence[DiskSpec]:
    """Drives that the machine lacks, and those that differ in size or file; as it should have them then. One whose name
    another still has, which was removed, waits with it for the next boot."""
    found: list[DiskSpec] = []
    for disk in running.wanted.disks:
        had = _of(running.has, disk)
        if had is None and not any(each.drive_id == disk.drive_id for each in running.has.disks):
            found.append(disk)
        if had is not None and (had.size_bytes, had.path_on_host) != (disk.size_bytes, disk.path_on_host):
            found.append(had.model_copy(update={"size_bytes": disk.size_bytes, "path_on_host": disk.path_on_host}))
    return found


def _of(spec: MachineSpec, disk: DiskSpec) -> DiskSpec | None:
    return next((each for each in spec.disks if each.id == disk.id), None)


def _with_disk(spec: MachineSpec, disk: DiskSpec) -> MachineSpec:
    """The definition with that disk, in its place or after all others."""
    if _of(spec, disk) is None:
        return spec.model_copy(update={"disks": (*spec.disks, disk)})
    disks = tuple(disk if each.id == disk.id else each for each in spec.disks)
    return spec.model_copy(update={"disks": disks})


def _say(_stage: str) -> None:
    """Nobody waits for a stage here: that the change is pending is reported."""
