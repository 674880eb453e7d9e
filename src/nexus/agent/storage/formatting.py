"""Empty ext4 file systems, made by mke2fs once of each size and written out again for every further drive of it.

What mke2fs writes to a new drive is the same each time, but for the file system's UUID and the seed of its directories'
hashes, and nearly all of it is zero. So what is not zero is remembered, and a further drive costs a millisecond instead
of a process. Must stay true: no two file systems have the same UUID. That takes `metadata_csum_seed`: without it every
checksum in a file system depends on its UUID, with it only the superblock's own (Documentation/filesystems/ext4 in
Linux names the fields).
"""

import asyncio
import os
import secrets
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from nexus.agent.storage.breaking_off import in_thread

SMALL_DISK_BYTES = 16 << 30
SMALL_JOURNAL = ("-J", "size=16")
GROWTH = 16
"""How many times its size a file system can grow while it is mounted and keep its layout; mke2fs prepares for a
thousand times by writing four megabytes."""

MOST_REMEMBERED = 16
LARGEST_REMEMBERED_BYTES = 2 << 20
CHUNK_BYTES = 4096

Tool = Callable[..., Awaitable[None]]
"""Runs a program with arguments to its end (`disks.run_tool`)."""

_remembered: OrderedDict[int, Mapping[int, bytes]] = OrderedDict()
"""By the size of the file system: what is not zero, in chunks by their offset. The least recently used goes first."""


async def make_ext4(path: Path, *, size_bytes: int, run: Tool, finish: Callable[[], None]) -> None:
    """Make `path` an empty file system of this size, and then `finish` it, which may block. Raises what `run` and
    `finish` raise, or OSError."""
    known = _remembered.get(size_bytes)
    if known is None:
        await _format(path, size_bytes, run)
        await in_thread(lambda _step: finish())
    else:
        _remembered.move_to_end(size_bytes)
        await in_thread(lambda _step: _write_and_finish(path, size_bytes, known, finish))


async def _format(path: Path, size_bytes: int, run: Tool) -> None:
    """By mke2fs, and remember what it wrote."""
    make_sparse(path, size_bytes)
    await run(*mke2fs(size_bytes), str(path))
    content = await asyncio.to_thread(_content, path)
    if content is not None:
        _remembered[size_bytes] = content
        while len(_remembered) > MOST_REMEMBERED:
            _remembered.popitem(last=False)


def _write_and_finish(path: Path, size_bytes: int, content: Mapping[int, bytes], finish: Callable[[], None]) -> None:
    _write(path, size_bytes, content)
    finish()


def make_sparse(path: Path, size_bytes: int) -> None:
    """Make `path` a file of nothing but a hole."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, size_bytes)
    finally:
        os.close(fd)


def mke2fs(size_bytes: int) -> tuple[str, ...]:
    """The command, but for the file's name."""
    extended = f"lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0,resize={size_bytes * GROWTH >> 10}K"
    journal = SMALL_JOURNAL if size_bytes <= SMALL_DISK_BYTES else ()
    return ("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-O", "metadata_csum_seed", "-E", extended, *journal)


def _content(path: Path) -> Mapping[int, bytes] | None:
    """What is not zero in the file; None when that is too much to remember, or its identity could not be changed."""
    found: dict[int, bytes] = {}
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        at, size = 0, os.fstat(fd).st_size
        while (start := _next_data(fd, at, size)) < size:
            at = os.lseek(fd, start, os.SEEK_HOLE)
            for offset in range(start - start % CHUNK_BYTES, at, CHUNK_BYTES):
                if chunk := os.pread(fd, CHUNK_BYTES, offset).rstrip(b"\0"):
                    found[offset] = chunk
            if len(found) * CHUNK_BYTES > LARGEST_REMEMBERED_BYTES:
                return None
    finally:
        os.close(fd)
    return found if _Superblock.of(found).can_be_renamed else None


def _next_data(fd: int, at: int, size: int) -> int:
    try:
        return os.lseek(fd, at, os.SEEK_DATA) if at < size else size
    except OSError:
        return size  # ENXIO: nothing but a hole up to the end


def _write(path: Path, size_bytes: int, content: Mapping[int, bytes]) -> None:
    """Another file system of the same content, with an identity of its own."""
    renamed = {**content, 0: _Superblock.of(content).renamed()}
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, size_bytes)
        for offset, chunk in renamed.items():
            os.pwrite(fd, chunk, offset)
    finally:
        os.close(fd)


class _Superblock:
    """`struct ext4_super_block`, 1024 bytes at offset 1024, in a file system's first chunk."""

    PLACE, LENGTH = 1024, 1024
    MAGIC, INCOMPAT, RO_COMPAT, UUID, HASH_SEED, CHECKSUM = 0x38, 0x60, 0x64, 0x68, 0xEC, 0x3FC
    CSUM_SEED, METADATA_CSUM = 0x2000, 0x400

    def __init__(self, chunk: bytes) -> None:
        self._chunk = chunk.ljust(CHUNK_BYTES, b"\0")
        self._block = self._chunk[self.PLACE : self.PLACE + self.LENGTH]

    @classmethod
    def of(cls, content: Mapping[int, bytes]) -> "_Superblock":
        return cls(content.get(0, b""))

    @property
    def can_be_renamed(self) -> bool:
        """Whether its checksum is understood, and nothing else depends on the UUID."""
        (magic,) = struct.unpack_from("<H", self._block, self.MAGIC)
        incompat, ro_compat = struct.unpack_from("<II", self._block, self.INCOMPAT)
        has_features = bool(incompat & self.CSUM_SEED) and bool(ro_compat & self.METADATA_CSUM)
        return magic == 0xEF53 and has_features and self._checksum(self._block) == self._block[self.CHECKSUM :]

    def renamed(self) -> bytes:
        """The chunk with a new UUID (version 4) and hash seed."""
        block = bytearray(self._block)
        for place in (self.UUID, self.HASH_SEED):
            made = bytearray(secrets.token_bytes(16))
            made[6], made[8] = made[6] & 0x0F | 0x40, made[8] & 0x3F | 0x80
            block[place : place + 16] = made
        block[self.CHECKSUM :] = self._checksum(bytes(block))
        return self._chunk[: self.PLACE] + bytes(block) + self._chunk[self.PLACE + self.LENGTH :]

    def _checksum(self, block: bytes) -> bytes:
        return struct.pack("<I", _crc32c(block[: self.CHECKSUM]))


def _crc32c(data: bytes) -> int:
    """As ext4 has it: from all ones, and not inverted in the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def _crc32c_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC32C = tuple(_crc32c_of(byte) for byte in range(256))
