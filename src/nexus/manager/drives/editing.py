"""What users do with the drives of a VM: look, add, change, remove.

Each is a change to the VM's configuration (`vms.changing`). What the host's own files are, only the host knows: it is
asked before the transaction, and what it answered is compared inside of it with what other VMs have.
"""

from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from nexus.kit.db import Db, Reader, Tx
from nexus.kit.envelopes import item_json
from nexus.kit.ids import read_id
from nexus.kit.versions import ANY, Expected
from nexus.manager import idempotency
from nexus.manager.access import Actor
from nexus.manager.drives import repository, rules, sources
from nexus.manager.drives.errors import DriveIdTaken, DriveNotFound, HostFilesNotAllowed, RootDrive, TooManyDrives
from nexus.manager.drives.models import MOST_DRIVES, Drive, HostFile, NewDrive
from nexus.manager.drives.schemas import CreateDrive, Data, DriveChanged, DriveRemoved, PatchDrive
from nexus.manager.hosts.placement import Amounts
from nexus.manager.hosts.service import Hosts
from nexus.manager.vms import offering
from nexus.manager.vms.changing import Change, Changed, VmChanges
from nexus.manager.vms.errors import VmNotFound
from nexus.manager.vms.guest import Guests
from nexus.manager.vms.models import Vm


@dataclass(frozen=True)
class Edited:
    """A drive that was added or changed."""

    change: Change
    drive_id: UUID


@dataclass(frozen=True)
class Removed:
    """A drive that was removed, and what becomes of its data."""

    change: Change
    data: Data


class Drives:
    def __init__(self, db: Db, hosts: Hosts, guests: Guests, changes: VmChanges) -> None:
        self._db = db
        self._hosts = hosts
        self._guests = guests
        self._changes = changes

    async def list(self, actor: Actor, vm_id: UUID) -> bytes:
        """The answer `{"items": …}`. Raises VmNotFound."""
        items = await repository.list_json(self._db, vm_id, sees_only=actor.sees_only)
        if items is None:
            raise VmNotFound
        return f'{{"items":{items},"next_cursor":null}}'.encode()

    async def get(self, actor: Actor, vm_id: UUID, named: str) -> bytes:
        """The answer `{"item": …}`. Raises VmNotFound, DriveNotFound."""
        vm = (await self._guests.reach(actor, vm_id)).vm
        drive = await _find(self._db, vm, named)
        return item_json(await _json(self._db, vm, drive.id))

    async def add(self, actor: Actor, vm_id: UUID, wanted: CreateDrive) -> Edited:
        """Give a VM one more drive. Raises what `sources` and `offering.require` do, DriveRefused, DriveIdTaken,
        TooManyDrives or NoRoom."""
        _check(wanted)
        file = await sources.ask_host(self._guests, actor, vm_id, wanted.path_on_host, size_bytes=wanted.size_bytes)
        async with self._changes.making(actor, vm_id, verb="add-drive") as change:
            tx, vm = change.tx, change.vm
            new = await sources.new_drive(tx, actor, wanted, file)
            offering.require(vm, f"add drive {new.drive_id} to {vm.name}", rules.needed_of(new))
            await self._admit(change, new)
            [drive_id] = await repository.add(tx, vm.machine.id, [new])
            change.note(f"drives.{new.drive_id}")
            tx.before_commit(partial(_keep, vm=vm, change=change, drive_id=drive_id))
        return Edited(change, drive_id)

    async def edit(
        self, actor: Actor, vm_id: UUID, named: str, wanted: PatchDrive, *, expected: Expected = ANY
    ) -> Edited:
        """Change a drive. Raises as `add` does, and DriveNotFound or Stale."""
        file = await sources.ask_host(self._guests, actor, vm_id, wanted.path_on_host, size_bytes=None)
        async with self._changes.making(actor, vm_id, verb="change-drive") as change:
            drive = await _lock(change, named, expected)
            new = _edited(drive, wanted)
            await self._check_change(change, drive, new, actor=actor)
            change.note(f"drives.{drive.drive_id}", differs=new != drive)
            if new != drive:
                await repository.change(change.tx, new)
            if file is not None:
                await _move(change, drive, file)
        return Edited(change, drive.id)

    async def remove(self, actor: Actor, vm_id: UUID, named: str, *, expected: Expected = ANY) -> Removed:
        """Take a drive from a VM. Raises DriveNotFound, RootDrive or Stale."""
        async with self._changes.making(actor, vm_id, verb="remove-drive") as change:
            drive = await _lock(change, named, expected)
            rules.check_removal(drive, of=change.vm.name)
            await repository.remove(change.tx, drive.id)
            change.note(f"drives.{drive.drive_id}")
            data = Data.KEPT if rules.is_content_kept(drive) else Data.DELETED
            change.details |= {"data": data}
        return Removed(change, data)

    async def answer(self, actor: Actor, edited: Edited, *, wait: float | None) -> DriveChanged:
        """The drive as it is then, once its host has said when the change takes effect."""
        changed = await self._changes.answer(actor, edited.change, wait=wait)
        return _answer(changed, await _json(self._db, edited.change.vm, edited.drive_id))

    async def removal(self, actor: Actor, removed: Removed, *, wait: float | None) -> DriveRemoved:
        changed = await self._changes.answer(actor, removed.change, wait=wait)
        return DriveRemoved.model_validate(changed.model_dump() | {"data": removed.data})

    async def _admit(self, change: Change, new: NewDrive) -> None:
        """Raises DriveIdTaken, TooManyDrives, FileInUse or NoRoom."""
        tx, vm = change.tx, change.vm
        taken = await repository.ids(tx, vm.machine.id)
        if new.drive_id in taken:
            raise DriveIdTaken(new.drive_id, vm.name)
        if len(taken) >= MOST_DRIVES:
            raise TooManyDrives(vm.name, MOST_DRIVES)
        if new.file is not None:
            await sources.claim(tx, new.file, besides=None, reads_only=new.is_read_only)
        elif not new.is_read_only:
            await self._reserve(change, new.size_bytes or 0, wish=f"add drive {new.drive_id} to {vm.name}")

    async def _check_change(self, change: Change, drive: Drive, new: Drive, *, actor: Actor) -> None:
        """Raises DriveRefused, NotOffered, HostFilesNotAllowed or NoRoom."""
        wish = f"change drive {drive.drive_id} of {change.vm.name}"
        asked = rules.needed(
            cache_type=new.cache_type if new.cache_type != drive.cache_type else None,
            io_engine=new.io_engine if new.io_engine != drive.io_engine else None,
            limiter=new.rate_limiter if new.rate_limiter != drive.rate_limiter else None,
        )
        offering.require(change.vm, wish, asked)
        if new.size_bytes is not None and new.size_bytes != drive.size_bytes:
            rules.check_growth(drive, new.size_bytes)
            if drive.resolved_path is None:
                await self._reserve(change, new.size_bytes - (drive.size_bytes or 0), wish=wish)
            elif not actor.is_admin:
                raise HostFilesNotAllowed("size_bytes: only administrators may have a file of a host grow.")

    async def _reserve(self, change: Change, more_bytes: int, *, wish: str) -> None:
        """Room for what is added to what the VM has already. Raises NoRoom."""
        await self._hosts.reserve(change.tx, Amounts(disk_bytes=more_bytes), wish=wish, on=[change.vm.host.id])


def _check(wanted: CreateDrive) -> None:
    """What can be said of a request without looking at anything. Raises RootDrive, DriveRefused."""
    if wanted.is_root_device:
        raise RootDrive(
            "is_root_device: a VM has its root file system from the beginning.",
            suggestion="Create a VM with the root image that you want.",
        )
    rules.check_source(
        has_path=wanted.path_on_host is not None,
        has_image=wanted.image is not None or wanted.image_id is not None,
        size_bytes=wanted.size_bytes,
        is_read_only=wanted.is_read_only,
    )
    rules.check_size(wanted.size_bytes, least=0, why="")


def _edited(drive: Drive, wanted: PatchDrive) -> Drive:
    """The drive as it is to be, but for its file."""
    given = wanted.model_fields_set
    limiter = wanted.rate_limiter.limiter() if wanted.rate_limiter else None
    return replace(
        drive,
        size_bytes=wanted.size_bytes or drive.size_bytes,
        cache_type=wanted.cache_type or drive.cache_type,
        io_engine=wanted.io_engine or drive.io_engine,
        rate_limiter=limiter if "rate_limiter" in given else drive.rate_limiter,
    )


async def _move(change: Change, drive: Drive, file: HostFile) -> None:
    """Raises DriveRefused, FileInUse."""
    rules.check_path_change(drive)
    if file.resolved_path == drive.resolved_path:
        return
    await sources.claim(change.tx, file, besides=drive.id, reads_only=drive.is_read_only)
    await repository.move(change.tx, drive.id, file)
    change.note(f"drives.{drive.drive_id}")


async def _find(reader: Reader, vm: Vm, named: str) -> Drive:
    """The VM's drive of this id or drive_id. Raises DriveNotFound."""
    drive = await repository.find(reader, vm.machine.id, read_id(named) or named)
    if drive is None:
        raise DriveNotFound(vm.name)
    return drive


async def _lock(change: Change, named: str, expected: Expected) -> Drive:
    """The drive, to be changed: its machine is locked. Raises DriveNotFound, or Stale when it is not as expected."""
    drive = await _find(change.tx, change.vm, named)
    await expected.require(lambda: repository.find_json(change.tx, drive.id))
    return drive


async def _json(reader: Reader, vm: Vm, drive_id: UUID) -> str:
    """Raises DriveNotFound for one that is gone meanwhile."""
    item = await repository.find_json(reader, drive_id)
    if item is None:
        raise DriveNotFound(vm.name)
    return item


async def _keep(tx: Tx, *, vm: Vm, change: Change, drive_id: UUID) -> None:
    """Keep the answer of an addition for whoever sends that request again."""
    operation_id = change.operation.id if change.operation else None
    await idempotency.keep(tx, _answer(Changed(operation_id=operation_id), await _json(tx, vm, drive_id)))


def _answer(changed: Changed, item: str) -> DriveChanged:
    return DriveChanged.model_validate_json(item).model_copy(update=dict(changed))
