"""Tar archives as streams: plain files one after another, written and read without a file to seek in.

Headers are GNU's, which have room for any size (tarfile, in the standard library, packs and unpacks them). Only plain
files are read: whatever else a tar may hold (links, directories, devices, extensions of headers) is refused.
"""

import tarfile
from dataclasses import dataclass
from typing import Final

BLOCK_BYTES: Final = 512
END: Final = bytes(2 * BLOCK_BYTES)
"""What an archive ends with."""
LONGEST_NAME: Final = 99
LARGEST_BYTES: Final = 1 << 62


class TarBroken(Exception):
    """This is no tar archive, or not one of plain files; the message is the obstacle, for a sentence."""


@dataclass(frozen=True)
class TarMember:
    """A file of an archive. Its name is whatever was written there: nothing may be opened by it."""

    name: str
    size_bytes: int

    @property
    def padding_bytes(self) -> int:
        """What follows its content, up to the next header."""
        return -self.size_bytes % BLOCK_BYTES

    @property
    def all_bytes(self) -> int:
        """What it takes in the archive, header and padding included."""
        return BLOCK_BYTES + self.size_bytes + self.padding_bytes

    def header(self) -> bytes:
        """What stands before its content. ValueError for a name that needs more than a header."""
        if len(self.name.encode()) > LONGEST_NAME:
            raise ValueError(f"{self.name!r} is too long for a header of one block")
        info = tarfile.TarInfo(self.name)
        info.size, info.mode = self.size_bytes, 0o600
        return info.tobuf(tarfile.GNU_FORMAT)

    def whole(self, content: bytes) -> bytes:
        """The member with its content, which must be as long as it says."""
        return b"".join((self.header(), content, bytes(self.padding_bytes)))


def parse_header(block: bytes) -> TarMember | None:
    """From a block of BLOCK_BYTES; None: it is zeros, with which an archive ends. Raises TarBroken."""
    if not any(block):
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as broken:
        raise TarBroken("it is no tar archive") from broken
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.linkname:
        raise TarBroken(f"{info.name[:LONGEST_NAME]!r} in it is no plain file")
    if not 0 <= info.size <= LARGEST_BYTES:
        raise TarBroken(f"{info.name[:LONGEST_NAME]!r} in it has a size that cannot be")
    return TarMember(info.name, info.size)
