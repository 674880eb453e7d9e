"""Decompresses the LZ4 "legacy" frames that Linux kernels are packed in.

The host's liblz4 does it in 0.06 s for a kernel; the Python below needs ten times that and is what a machine without
the library uses. Formats: doc/lz4_Frame_format.md (legacy frame) and doc/lz4_Block_format.md in the LZ4 source.
"""

import ctypes
import ctypes.util
import struct
from collections.abc import Callable

MAGIC = b"\x02\x21\x4c\x18"
_BLOCK_BYTES = 8 << 20


def decompress_legacy(frame: bytes) -> bytes:
    """`frame` may have further bytes after its last block (a kernel's payload ends with its size).

    Raises ValueError for anything that is not such a frame.
    """
    if not frame.startswith(MAGIC):
        raise ValueError("no LZ4 legacy frame")
    decompress = _library() or decompress_block
    out: list[bytes] = []
    at = len(MAGIC)
    while at + 4 <= len(frame):
        (size,) = struct.unpack_from("<I", frame, at)
        at += 4
        if size == 0 or at + size > len(frame):
            break
        out.append(decompress(frame[at : at + size]))
        at += size
    return b"".join(out)


def decompress_block(source: bytes) -> bytes:
    """One block, in plain Python. Raises ValueError where the block breaks off or points before its start."""
    out = bytearray()
    at = 0
    try:
        while True:
            token = source[at]
            length, at = _length(source, at + 1, token >> 4)
            out += source[at : at + length]
            at += length
            if at == len(source):
                return bytes(out)
            offset = source[at] | source[at + 1] << 8
            length, at = _length(source, at + 2, token & 15)
            _copy_match(out, offset, length + 4)
    except IndexError as short:
        raise ValueError("the LZ4 block breaks off") from short


def _length(source: bytes, at: int, nibble: int) -> tuple[int, int]:
    if nibble == 15:
        while True:
            more = source[at]
            at += 1
            nibble += more
            if more != 255:
                break
    return nibble, at


def _copy_match(out: bytearray, offset: int, length: int) -> None:
    start = len(out) - offset
    if offset == 0 or start < 0:
        raise ValueError("the LZ4 block points outside itself")
    if offset >= length:
        out += out[start : start + length]
    else:
        pattern = bytes(out[start:])
        out += (pattern * (length // offset + 1))[:length]


def _library() -> Callable[[bytes], bytes] | None:
    name = ctypes.util.find_library("lz4")
    if name is None:
        return None
    call = ctypes.CDLL(name).LZ4_decompress_safe
    buffer = ctypes.create_string_buffer(_BLOCK_BYTES)

    def decompress(source: bytes) -> bytes:
        written = call(source, buffer, len(source), _BLOCK_BYTES)
        if written < 0:
            raise ValueError("damaged LZ4 block")
        return buffer.raw[:written]

    return decompress
