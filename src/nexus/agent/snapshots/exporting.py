"""Giving a snapshot out as a stream: its manifest, and each of its files as a layer against nothing.

Must stay true: how long the stream will be is known before its first byte, so that whoever reads it can tell an end
from a break; and what it is made of was compared with its digests and is kept open, so that nothing vanishes meanwhile.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from nexus.agent.snapshots.digests import digest_of
from nexus.agent.snapshots.manifest import Manifest
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.storage.breaking_off import in_thread
from nexus.agent.storage.composing import Composed, differences
from nexus.agent.storage.layers import Index
from nexus.kit.incoming import PIECE_BYTES
from nexus.kit.tar import TarMember
from nexus.protocol.archives import FILES, MANIFEST, ArchivedFile, ArchivedSnapshot


@dataclass(frozen=True)
class _Part:
    """A file of the snapshot, open, with what of it is to be sent."""

    file: Composed
    index: Index
    member: TarMember


@dataclass(frozen=True)
class Export:
    """A snapshot that is ready to be sent."""

    manifest: bytes
    parts: tuple[_Part, ...]

    @property
    def length(self) -> int:
        """Of all that `pieces` gives, in bytes."""
        return TarMember(MANIFEST, len(self.manifest)).all_bytes + sum(part.member.all_bytes for part in self.parts)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Raises OSError."""
        yield TarMember(MANIFEST, len(self.manifest)).whole(self.manifest)
        for part in self.parts:
            yield part.member.header() + await asyncio.to_thread(part.index.packed)
            for extent in part.index.extents:
                for start in range(extent.start, extent.end, PIECE_BYTES):
                    if not extent.is_zeros:
                        yield await asyncio.to_thread(part.file.read, min(PIECE_BYTES, extent.end - start), start)
            yield bytes(part.member.padding_bytes)


@contextlib.asynccontextmanager
async def exporting(store: SnapshotStore, snapshot: UUID) -> AsyncGenerator[Export]:
    """A snapshot whose files were verified, open: of a diff as if it were a full one. Raises SnapshotUnusable,
    OSError."""
    lineage = await store.verified(snapshot, say=lambda _stage: None)
    async with contextlib.AsyncExitStack() as opened:
        parts, files = list[_Part](), list[ArchivedFile]()
        known = {file.name: file.digest for file in lineage.manifest.files}
        for name in lineage.names():
            composed = opened.enter_context(lineage.composed(name))
            index = await in_thread(lambda step, composed=composed: differences(composed, None, step=step))
            digest = known.get(name) or await in_thread(lambda step, composed=composed: digest_of(composed, step))
            parts.append(_Part(composed, index, TarMember(FILES + name, index.layer_bytes)))
            files.append(
                ArchivedFile(name=name, size_bytes=composed.size_bytes, layer_bytes=index.layer_bytes, digest=digest)
            )
        yield Export(_manifest(lineage.manifest, tuple(files)).model_dump_json().encode(), tuple(parts))


def _manifest(manifest: Manifest, files: tuple[ArchivedFile, ...]) -> ArchivedSnapshot:
    return ArchivedSnapshot(
        disks=manifest.disks,
        pins=manifest.pins,
        files=files,
        is_consistent=manifest.is_consistent,
        warning=manifest.warning,
        taken_at=manifest.taken_at,
        paused_ms=manifest.paused_ms,
    )
