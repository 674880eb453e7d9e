"""A snapshot as one archive: what the manager knows of it, the images it uses in place, and what its host has.

Nothing is written anywhere on the way: the archive is made while it is sent, as fast as whoever reads it takes it. Must
stay true: what breaks off is not taken for whole, by its length and by its end.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from nexus.kit.db import Db
from nexus.kit.streaming import StreamBroken
from nexus.kit.tar import TarMember
from nexus.manager import audit
from nexus.manager.access import Actor
from nexus.manager.agents.client import AgentStream
from nexus.manager.agents.pool import Agents
from nexus.manager.agents.troubles import as_problem
from nexus.manager.images import service as images
from nexus.manager.images.models import Image
from nexus.manager.images.service import Images
from nexus.manager.networks import service as networks
from nexus.manager.snapshots import repository
from nexus.manager.snapshots.archive import ArchivedDefinition, ArchivedImage, ArchiveHead, archived
from nexus.manager.snapshots.errors import SnapshotFailed, SnapshotStateConflict
from nexus.manager.snapshots.models import Snapshot, SnapshotState
from nexus.manager.snapshots.transfers import Transfers, pieces_of
from nexus.protocol.archives import HEAD, IMAGES, TAIL_BYTES, ArchiveEnd, tail
from nexus.protocol.snapshots import SnapshotSeen
from nexus.protocol.trouble import Trouble


@dataclass(frozen=True)
class Archive:
    """A snapshot's archive, ready to be sent. `close` ends it, however far it got."""

    name: str
    length: int
    pieces: AsyncGenerator[bytes]
    opened: AsyncExitStack


@dataclass(frozen=True)
class _Parts:
    """What an archive is made of: its first member, images with their files, and what comes from the host."""

    head: bytes
    images: Sequence[tuple[Image, Path]]
    files: AgentStream

    @property
    def length(self) -> int:
        members = [TarMember(HEAD, len(self.head)), *(_member(image) for image, _ in self.images)]
        return sum(member.all_bytes for member in members) + self.files.length + TAIL_BYTES


class Exports:
    def __init__(self, db: Db, agents: Agents, store: Images, transfers: Transfers) -> None:
        self._db = db
        self._agents = agents
        self._images = store
        self._transfers = transfers

    async def open(self, actor: Actor, snapshot_id: UUID) -> Archive:
        """Raises SnapshotNotFound, SnapshotStateConflict, SnapshotFailed for one that no archive can hold,
        ImageNotFound, TooManyTransfers, and what `as_problem` makes of the host's answer."""
        snapshot, definition, found = await self._describe(actor, snapshot_id)
        agent = self._agents.of(snapshot.host)
        async with AsyncExitStack() as opened:
            opened.enter_context(self._transfers.one())
            try:
                seen = await agent.observe_snapshot(snapshot.id)
                files = await opened.enter_async_context(agent.export_snapshot(snapshot.id))
            except Trouble as trouble:
                raise as_problem(trouble, wish=f"export snapshot {snapshot.name}") from trouble
            head, included = _head(snapshot, definition, found, seen)
            sent = [(image, await self._images.file_of(image.sha256)) for image in included]
            parts = _Parts(head.model_dump_json().encode(), sent, files)
            return Archive(snapshot.name, parts.length, self._whole(parts), opened.pop_all())
        raise AssertionError("an export does not end before it has begun")

    async def _describe(self, actor: Actor, snapshot_id: UUID) -> tuple[Snapshot, ArchivedDefinition, Sequence[Image]]:
        async with self._db.transaction() as tx:
            snapshot = await repository.lock(tx, snapshot_id, project_id=actor.project_id, sees_only=actor.sees_only)
            if snapshot.state is not SnapshotState.COMPLETED:
                raise SnapshotStateConflict(f"export snapshot {snapshot.name}", snapshot.state, fault=snapshot.fault)
            definition = snapshot.definition
            ids = {UUID(str(nic["network_id"])) for nic in definition.nics}
            names = {one: await networks.name_of(tx, snapshot.project_id, one) for one in ids}
            found = await images.of_ids(tx, definition.image_ids)
            try:
                described = archived(definition, names)
            except ValidationError as unfit:
                raise SnapshotFailed(
                    f"Cannot export snapshot {snapshot.name}: its VM's configuration has what no archive holds.",
                    fault_message=str(unfit.errors(include_url=False, include_input=False)[0]["msg"]),
                ) from unfit
            await audit.write(tx, actor, verb="export", subject=snapshot.subject, vm_id=snapshot.vm_id)
        return snapshot, described, found

    async def _whole(self, parts: _Parts) -> AsyncGenerator[bytes]:
        digest, sent = hashlib.sha256(), 0
        async for piece in self._content(parts):
            digest.update(piece)
            sent += len(piece)
            yield piece
        yield tail(ArchiveEnd(bytes=sent, sha256=digest.hexdigest()))

    async def _content(self, parts: _Parts) -> AsyncGenerator[bytes]:
        """Raises StreamBroken."""
        yield TarMember(HEAD, len(parts.head)).whole(parts.head)
        for image, path in parts.images:
            member = _member(image)
            yield member.header()
            async for piece in pieces_of(path, image):
                yield piece
            yield bytes(member.padding_bytes)
        try:
            async for piece in parts.files.pieces():
                yield piece
        except Trouble as lost:
            raise StreamBroken(str(lost)) from lost


def _member(image: Image) -> TarMember:
    return TarMember(IMAGES + image.sha256, image.size_bytes)


def _head(
    snapshot: Snapshot, definition: ArchivedDefinition, found: Sequence[Image], seen: SnapshotSeen
) -> tuple[ArchiveHead, Sequence[Image]]:
    """The archive's first member, and the images whose content follows: those that nothing else has a copy of."""
    settings = definition.settings
    wanted = {settings.kernel_image_id, settings.initramfs_image_id}
    wanted |= {drive.image_id for drive in definition.drives if drive.image_id is not None and drive.is_in_place}
    included = {image.sha256: image for image in found if image.id in wanted}
    head = ArchiveHead(
        made_by=f"nexus {version('nexus-microvm')}",
        name=snapshot.name,
        description=snapshot.description,
        vm_name=snapshot.vm_name,
        definition=definition,
        images=tuple(
            ArchivedImage(
                id=image.id,
                kind=image.kind,
                name=image.name,
                format=image.format,
                sha256=image.sha256,
                size_bytes=image.size_bytes,
                is_included=image.sha256 in included,
            )
            for image in found
        ),
        disks=seen.disks,
        pins=seen.pins,
    )
    return head, tuple(included.values())
