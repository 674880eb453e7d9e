"""Digests of sparse files, which cost what the file holds and not what it could hold.

The digest is a SHA-256 over every block of BLOCK_BYTES that is not all zeros, each behind its number (8 bytes,
big-endian), and over the file's size at the end. So it is the same whether zeros are stored or are holes.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from nexus.agent.storage.composing import CHUNK_BYTES, Composed
from nexus.agent.storage.files import Step

BLOCK_BYTES = CHUNK_BYTES
_ZEROS = bytes(BLOCK_BYTES)


def digest(path: Path, step: Step) -> str:
    """In hexadecimal. `step` is told of every block read. Raises OSError."""
    found = hashlib.sha256()
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(fd).st_size
        for number in _blocks(fd, size):
            block = os.pread(fd, BLOCK_BYTES, number * BLOCK_BYTES)
            if block != _ZEROS[: len(block)]:
                found.update(number.to_bytes(8, "big"))
                found.update(block)
            step(len(block))
    finally:
        os.close(fd)
    found.update(size.to_bytes(8, "big"))
    return found.hexdigest()


def digest_of(file: Composed, step: Step) -> str:
    """Of a composed file: that of the whole one it stands for. Raises OSError."""
    found = hashlib.sha256()
    for number in file.chunks():
        length = min(BLOCK_BYTES, file.size_bytes - number * BLOCK_BYTES)
        block = file.read(length, number * BLOCK_BYTES)
        if block != _ZEROS[:length]:
            found.update(number.to_bytes(8, "big"))
            found.update(block)
        step(length)
    found.update(file.size_bytes.to_bytes(8, "big"))
    return found.hexdigest()


def _blocks(fd: int, size: int) -> Iterator[int]:
    """The numbers of blocks in which something is stored, in order."""
    number = 0
    while number * BLOCK_BYTES < size:
        try:
            start = os.lseek(fd, number * BLOCK_BYTES, os.SEEK_DATA)
        except OSError as no_more:
            if no_more.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        number = start // BLOCK_BYTES
        while number * BLOCK_BYTES < end:
            yield number
            number += 1
