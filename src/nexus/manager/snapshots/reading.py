"""Reading an archive as it comes, member by member, with a digest of what has passed."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator

from nexus.kit.incoming import Incoming
from nexus.kit.tar import BLOCK_BYTES, TarBroken, TarMember, parse_header
from nexus.kit.tar import END as END_OF_TAR
from nexus.manager.snapshots.archive import ArchiveHead
from nexus.protocol.archives import HEAD, MOST_JSON_BYTES, parse_end, parse_member


class ArchiveReader:
    """Every method raises TarBroken, EndedEarly, and what brings the archive."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._incoming = Incoming(pieces)
        self._digest = hashlib.sha256()

    async def header(self) -> tuple[TarMember | None, bytes]:
        """The next member, None at the end, and the bytes that say so."""
        block = await self._incoming.exactly(BLOCK_BYTES)
        return parse_header(block), block

    def passed(self, data: bytes) -> bytes:
        """Count what was read to the archive's digest."""
        self._digest.update(data)
        return data

    async def member(self, name: str) -> TarMember:
        """The next member, which must have this name."""
        member, block = await self.header()
        self.passed(block)
        if member is None or member.name != name:
            raise TarBroken(f"{name} should follow, and {member.name if member else 'its end'!r} does")
        return member

    async def content(self, member: TarMember) -> AsyncGenerator[bytes]:
        """Of the member whose header was read last, its padding left out."""
        async for part in self._incoming.parts(member.size_bytes):
            yield self.passed(part)
        if any(self.passed(await self._incoming.exactly(member.padding_bytes))):
            raise TarBroken("there is something between its members")

    async def json(self, member: TarMember) -> bytes:
        """The content of a member that is JSON."""
        if member.size_bytes > MOST_JSON_BYTES:
            raise TarBroken(f"its {member.name} is longer than {MOST_JSON_BYTES} bytes")
        return b"".join([part async for part in self.content(member)])

    async def check_end(self, member: TarMember) -> None:
        """Raises TarBroken unless the archive ends here, and is what was written."""
        taken, sha256 = self._incoming.taken_bytes - BLOCK_BYTES, self._digest.hexdigest()
        end = parse_end(await self.json(member))
        if (end.bytes, end.sha256) != (taken, sha256):
            raise TarBroken("it is not what was written: its end has another digest")
        if await self._incoming.exactly(len(END_OF_TAR)) != END_OF_TAR or not await self._incoming.is_over():
            raise TarBroken("something follows its end")


async def read_head(archive: ArchiveReader) -> ArchiveHead:
    """The first member. Raises TarBroken for one that this platform cannot have written."""
    return parse_member(HEAD, await archive.json(await archive.member(HEAD)), ArchiveHead)
