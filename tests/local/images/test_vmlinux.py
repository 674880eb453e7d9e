"""A kernel comes out of its boot image byte by byte, however it is packed, or not at all."""

import gzip
import lzma
import struct

import pytest
import zstandard
from tests.local.images.kernels import boot_image, elf
from tests.local.images.packages import Compress

from nexus.local.images import lz4, vmlinux


def literals(data: bytes) -> bytes:
    """An LZ4 block that says `data` literally."""
    length = b""
    if (rest := len(data) - 15) >= 0:
        length = b"\xff" * (rest // 255) + bytes([rest % 255])
    return bytes([min(len(data), 15) << 4]) + length + data


def lz4_frame(data: bytes) -> bytes:
    half = len(data) // 2
    blocks = [literals(data[:half]), literals(data[half:])]
    return lz4.MAGIC + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


PACKERS: dict[str, Compress] = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data) + struct.pack("<I", len(data)),
    "xz": lambda data: lzma.compress(data) + struct.pack("<I", len(data)),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data) + struct.pack("<I", len(data)),
    "lz4": lambda data: lz4_frame(data) + struct.pack("<I", len(data)),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_the_kernel_comes_out_as_it_went_in(packer: str) -> None:
    assert vmlinux.extract(boot_image(PACKERS[packer](elf()))) == elf()


def test_a_kernel_that_is_not_packed_is_taken_as_it_is() -> None:
    assert vmlinux.extract(elf()) == elf()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"MZ" + bytes(2000), "no x86 boot image"),
        (boot_image(elf())[:1500], "breaks off"),
        (boot_image(b"BZh9" + bytes(100)), "a way we do not read"),
        (boot_image(gzip.compress(elf())[:20] + b"\xff" * 500), "damaged"),
        (boot_image(gzip.compress(b"text")), "no ELF"),
        (boot_image(gzip.compress(elf(kind=5))), "no PVH entry"),
        (boot_image(gzip.compress(elf(note=b"GNU\0"))), "no PVH entry"),
        (boot_image(gzip.compress(elf()[:70])), "breaks off"),
    ],
)
def test_what_cannot_be_booted_is_refused(image: bytes, reason: str) -> None:
    with pytest.raises(vmlinux.BadKernel, match=reason):
        vmlinux.extract(image)


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (literals(b"hello"), b"hello"),
        (literals(b"x" * 300), b"x" * 300),
        # 4 literals, then 8 bytes from 4 back, then the closing literals
        (b"\x44abcd\x04\x00" + literals(b"zyxwv"), b"abcdabcdabcdzyxwv"),
        # a match that overlaps what it writes
        (b"\x1fa\x01\x00\x05" + literals(b"zyxwv"), b"a" * 25 + b"zyxwv"),
    ],
)
def test_lz4_blocks_read_alike_with_and_without_the_library(block: bytes, text: bytes) -> None:
    assert lz4.decompress_block(block) == text
    assert lz4.decompress_legacy(lz4.MAGIC + struct.pack("<I", len(block)) + block) == text


@pytest.mark.parametrize("block", [b"\x24a", b"\x10", b"\x14a\x05\x00\x00", b"\xf0\xff"])
def test_a_broken_lz4_block_is_refused(block: bytes) -> None:
    with pytest.raises(ValueError, match="LZ4"):
        lz4.decompress_block(block)
