"""An archive that becomes a snapshot of this platform.

It is read once, as it comes: its first member says what it is, and whether it can be taken is decided then; images
that are not here follow; all else goes on to the host that is to have it, piece by piece. Must stay true: nothing of an
archive is believed; whatever breaks off, the row says so, and neither host nor manager keeps a part of it. What a
manager that was killed leaves behind, the snapshot's flow ends.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.ids import new_id
from nexus.kit.incoming import EndedEarly
from nexus.kit.tar import TarBroken, TarMember
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.agents.pool import Agents
from nexus.manager.flows import Flows
from nexus.manager.hosts.models import HostRef
from nexus.manager.hosts.placement import Amounts
from nexus.manager.hosts.service import Hosts
from nexus.manager.images import arriving
from nexus.manager.images.arriving import ArrivingImages, Draft
from nexus.manager.images.errors import ImageFileRefused
from nexus.manager.networks import service as networks
from nexus.manager.networks.errors import NetworkNotFound
from nexus.manager.operations import Operation, Operations
from nexus.manager.snapshots import import_rows, repository
from nexus.manager.snapshots.archive import ArchivedImage, ArchiveHead
from nexus.manager.snapshots.errors import (
    ArchiveRefused,
    ImagesMissing,
    ImportNeedsAdmin,
    ImportRefused,
    SnapshotFailed,
    SnapshotFitsNoHost,
    SnapshotNameTaken,
)
from nexus.manager.snapshots.import_rows import NewImport
from nexus.manager.snapshots.models import FLOW, KIND, LONGEST_NAME, SnapshotState
from nexus.manager.snapshots.offers import offers_needed
from nexus.manager.snapshots.reading import ArchiveReader, read_head
from nexus.manager.snapshots.transfers import Transfers
from nexus.manager.subjects import Subject
from nexus.protocol.archives import END, FILES, IMAGES, MANIFEST, MOST_JSON_BYTES, WISH, ImportWish
from nexus.protocol.snapshots import SnapshotState as SeenState
from nexus.protocol.trouble import Refused, Trouble

WITHIN = timedelta(hours=24)
"""How long an archive may be coming in."""
SLACK_BYTES, SLACK_PER_FILE_BYTES = 64 << 20, 8 << 20
"""What a hypervisor's devices may take besides memory, and a layer's index besides its bytes."""


@dataclass(frozen=True, kw_only=True)
class WantedImport:
    """What of it whoever imports an archive decides. `name`: None, that of the archive, or one like it."""

    name: str | None
    host_id: UUID | None


@dataclass(frozen=True)
class _Arrival:
    """A snapshot that is coming in: its row and its promise are there."""

    subject: Subject
    operation: Operation
    host: HostRef
    machine_id: UUID


class Imports:
    def __init__(
        self,
        db: Db,
        agents: Agents,
        hosts: Hosts,
        flows: Flows,
        operations: Operations,
        *,
        images: ArrivingImages,
        transfers: Transfers,
    ) -> None:
        self._db = db
        self._agents = agents
        self._hosts = hosts
        self._flows = flows
        self._operations = operations
        self._images = images
        self._transfers = transfers

    async def receive(self, actor: Actor, wanted: WantedImport, pieces: AsyncIterator[bytes]) -> tuple[UUID, Operation]:
        """Take an archive in; the snapshot is on its host when this returns. Raises ArchiveRefused, ImportNeedsAdmin,
        ImagesMissing, SnapshotNameTaken, SnapshotFitsNoHost, NoRoom, TooManyTransfers, and when it was being taken in
        already ImportRefused or SnapshotFailed."""
        with self._transfers.one():
            archive = ArchiveReader(pieces)
            try:
                head = await read_head(archive)
                await self._require(actor, wanted, head)
                async with AsyncExitStack() as drafts:
                    arrived = await self._receive_images(archive, head, actor, drafts)
                    arrival = await self._admit(actor, wanted, head, arrived)
                await self._pass_on(arrival, head, archive)
            except (TarBroken, EndedEarly) as broken:
                raise ArchiveRefused(str(broken)) from broken
        return arrival.subject.id, arrival.operation

    async def _require(self, actor: Actor, wanted: WantedImport, head: ArchiveHead) -> None:
        """Look at what can be known from the first member, before all the rest comes."""
        if head.pins is not None and not actor.is_admin:
            raise ImportNeedsAdmin.for_memory(head.name)
        async with self._db.transaction() as tx:
            await self._name(tx, actor, wanted, head)
            await self._place(tx, wanted, head)
            lacking = [image for image in head.images if await self._find(tx, actor, image) is None]
        if missing := [f"{image.kind} image {image.name}" for image in lacking if not image.is_included]:
            raise ImagesMissing(head.name, missing)
        if lacking and not actor.is_admin:
            raise ImportNeedsAdmin.for_image(head.name, lacking[0].name)

    async def _receive_images(
        self, archive: ArchiveReader, head: ArchiveHead, actor: Actor, drafts: AsyncExitStack
    ) -> dict[str, Draft]:
        """Those that are not here, by digest, as drafts; the others' content is passed over."""
        found = dict[str, Draft]()
        included = {image.sha256: image for image in head.images if image.is_included}
        for sha256, image in included.items():
            member = await archive.member(IMAGES + sha256)
            if member.size_bytes != image.size_bytes:
                raise TarBroken(f"its image {image.name} is not as long as it says")
            content = archive.content(member)
            if await self._find(self._db, actor, image) is None:
                if not actor.is_admin:
                    raise ImportNeedsAdmin.for_image(head.name, image.name)
                try:
                    found[sha256] = await drafts.enter_async_context(
                        self._images.draft(content, kind=image.kind, name=image.name, sha256=sha256)
                    )
                except ImageFileRefused as refused:
                    raise ArchiveRefused(refused.error.rstrip(".")) from refused
                except OSError as refused:
                    raise _unwritable(head, image.name, refused) from refused
            else:
                async for _ in content:
                    pass
        return found

    async def _admit(self, actor: Actor, wanted: WantedImport, head: ArchiveHead, drafts: dict[str, Draft]) -> _Arrival:
        for draft in drafts.values():
            try:
                await self._images.put(draft)
            except OSError as refused:
                raise _unwritable(head, draft.name, refused) from refused
        async with self._db.transaction() as tx:
            return await self._write_down(tx, actor, wanted, head, drafts)

    async def _write_down(
        self, tx: Tx, actor: Actor, wanted: WantedImport, head: ArchiveHead, drafts: dict[str, Draft]
    ) -> _Arrival:
        name, host_id = await self._name(tx, actor, wanted, head), await self._place(tx, wanted, head)
        images = {image.id: await self._image(tx, actor, head, image, drafts) for image in head.images}
        new = NewImport(
            id=new_id(),
            project_id=actor.project_id,
            created_by_user_id=actor.user_id,
            name=name,
            description=head.description,
            vm_name=head.vm_name,
            machine_id=new_id(),
            host_id=host_id,
            vcpus=head.definition.settings.vcpus,
            memory_mib=head.definition.settings.memory_mib,
            definition=head.stored(images, await _networks(tx, actor, head)),
            image_ids=set(images.values()),
            expected_bytes=head.expected_bytes,
        )
        await import_rows.add(tx, new)
        subject = Subject(KIND, new.id, name, actor.project_id)
        await audit.write(tx, actor, verb="import", subject=subject, details={"vm": head.vm_name})
        await events.emit(tx, type="snapshot.created", subject=subject, owner_user_id=actor.user_id)
        await self._flows.open(tx, flow=FLOW, subject=subject, within=WITHIN)
        operation = await self._operations.open(tx, subject, verb="import", generation=1, actor=actor, within=WITHIN)
        return _Arrival(subject, operation, await self._hosts.ref_in(tx, host_id), new.machine_id)

    async def _pass_on(self, arrival: _Arrival, head: ArchiveHead, archive: ArchiveReader) -> None:
        """Send what follows to the host, and have the snapshot's flow see what has come of it."""
        agent, snapshot_id = self._agents.of(arrival.host), arrival.subject.id
        ids = {"subject_id": str(snapshot_id), "operation_id": str(arrival.operation.id)}
        why = "The archive broke off: whoever sent it is gone."
        try:
            await agent.import_snapshot(snapshot_id, _for_agent(_wish(arrival, head), head, archive))
        except (TarBroken, EndedEarly) as broken:
            why = f"The archive cannot be read: {broken}."
            raise ArchiveRefused(str(broken), **ids) from broken
        except Trouble as trouble:
            reason = await self._reason(arrival)
            why = reason or f"Its host {arrival.host.name} did not take it: {trouble}."
            if reason is not None or isinstance(trouble, Refused):
                raise ImportRefused(arrival.subject.name, why, **ids) from trouble
            raise SnapshotFailed(f"Cannot import {arrival.subject.name}: {why}", **ids) from trouble
        else:
            why = None
        finally:
            await asyncio.shield(self._conclude(arrival, why))

    async def _reason(self, arrival: _Arrival) -> str | None:
        """Why its host gave it up, where the connection broke before it could say so."""
        try:
            seen = await self._agents.of(arrival.host).observe_snapshot(arrival.subject.id)
        except Trouble:
            return None
        return seen.fault if seen.state is SeenState.FAILED else None

    async def _conclude(self, arrival: _Arrival, why: str | None) -> None:
        """Have the flow look at what is there now; `why`: the archive broke off."""
        async with self._db.transaction() as tx:
            snapshot = await repository.lock_any(tx, arrival.subject.id)
            if snapshot is not None and why is not None and snapshot.state is SnapshotState.CREATING:
                await repository.note_fault(tx, snapshot.id, why)
                problem = SnapshotFailed(f"Cannot import {snapshot.name}: {why[:1].lower()}{why[1:]}")
                await self._operations.settle(tx, snapshot.subject, generation=1, problem=problem)
                owner = snapshot.created_by_user_id
                await events.emit(tx, type="snapshot.updated", subject=snapshot.subject, owner_user_id=owner)
            await self._flows.wake(tx, arrival.subject)

    async def _name(self, tx: Tx, actor: Actor, wanted: WantedImport, head: ArchiveHead) -> str:
        """What it is to be called. Raises SnapshotNameTaken for a name that was asked for."""
        name, number = wanted.name or head.name, 2
        while await import_rows.is_taken(tx, project_id=actor.project_id, name=name):
            if wanted.name is not None:
                raise SnapshotNameTaken(name)
            ending = f"-{number}"
            name, number = head.name[: LONGEST_NAME - len(ending)] + ending, number + 1
        return name

    async def _place(self, tx: Tx, wanted: WantedImport, head: ArchiveHead) -> UUID:
        """A host that can have it, with room for it until `tx` ends."""
        on = [wanted.host_id] if wanted.host_id is not None else None
        if wanted.host_id is not None:
            await self._hosts.ref_in(tx, wanted.host_id)
        if (pins := head.pins) is not None:
            fitting = await self._hosts.with_vmm(
                tx, name=pins.driver, version=pins.version, acceleration=pins.acceleration
            )
            on = [one for one in fitting if on is None or one in on]
            if not on:
                raise SnapshotFitsNoHost(head.name, needs=f"{pins.driver} {pins.version} ({pins.acceleration})")
        need, wish = Amounts(disk_bytes=head.expected_bytes), f"import {head.name}"
        return (await self._hosts.reserve(tx, need, wish=wish, offers=offers_needed(head.definition), on=on)).host_id

    async def _find(self, reader: Db | Tx, actor: Actor, image: ArchivedImage) -> UUID | None:
        found = await arriving.find_same(reader, project_id=actor.project_id, kind=image.kind, sha256=image.sha256)
        return found.id if found else None

    async def _image(
        self, tx: Tx, actor: Actor, head: ArchiveHead, image: ArchivedImage, drafts: dict[str, Draft]
    ) -> UUID:
        """The image of this platform that one in the archive is."""
        if (found := await self._find(tx, actor, image)) is not None:
            return found
        if image.sha256 not in drafts:
            raise ImagesMissing(head.name, [f"{image.kind} image {image.name}"])
        return await self._images.keep(tx, actor, drafts[image.sha256])


async def _networks(tx: Tx, actor: Actor, head: ArchiveHead) -> dict[str, UUID]:
    """The network of this platform for each that is named: that of its name, or the default one."""
    found = dict[str, UUID]()
    for name in {nic.network for nic in head.definition.nics}:
        try:
            network = await networks.choose(tx, actor.project_id, name)
        except NetworkNotFound:
            network = await networks.choose(tx, actor.project_id)
        found[name] = network.id
    return found


def _unwritable(head: ArchiveHead, image: str, refused: OSError) -> SnapshotFailed:
    why = refused.strerror or type(refused).__name__
    return SnapshotFailed(f"Cannot import {head.name}: image {image} cannot be written: {why}.")


def _wish(arrival: _Arrival, head: ArchiveHead) -> ImportWish:
    files = sum(disk.image_sha256 is None for disk in head.disks) + 2
    return ImportWish(
        machine=arrival.machine_id,
        memory_mib=head.definition.settings.memory_mib if head.pins else None,
        disks=head.disks,
        most_bytes=head.expected_bytes + SLACK_BYTES + files * SLACK_PER_FILE_BYTES,
    )


async def _for_agent(wish: ImportWish, head: ArchiveHead, archive: ArchiveReader) -> AsyncGenerator[bytes]:
    """What the host is to have: the wish, then the archive's members as they are, up to its end, which is checked."""
    content = wish.model_dump_json().encode()
    yield TarMember(WISH, len(content)).whole(content)
    most = wish.most_bytes + MOST_JSON_BYTES
    while True:
        member, block = await archive.header()
        if member is None:
            raise TarBroken(f"{END} is missing")
        if member.name == END:
            await archive.check_end(member)
            return
        if member.name != MANIFEST and not member.name.startswith(FILES):
            raise TarBroken(f"{member.name[:100]!r} is nothing that belongs into it")
        most -= member.size_bytes
        if most < 0:
            raise TarBroken("it holds more than a snapshot of its machine takes")
        yield archive.passed(block)
        async for part in archive.content(member):
            yield part
        yield bytes(member.padding_bytes)
