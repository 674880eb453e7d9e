"""Takes the kernel proper, an ELF file, out of a compressed boot image (bzImage).

An emulated machine that gets the ELF file starts a fifth of a second sooner than one that must decompress it, and
Firecracker takes nothing else. Formats: Documentation/arch/x86/boot.rst in the Linux source; the PVH note is
XEN_ELFNOTE_PHYS32_ENTRY in Xen's elfnote.h.
"""

import lzma
import struct
import zlib

import zstandard

from nexus.local.images import lz4

_ELF = b"\x7fELF"
_PT_NOTE = 4
_PHYS32_ENTRY = 18


class BadKernel(Exception):
    """The file is no kernel that we can boot."""


def extract(image: bytes) -> bytes:
    """The ELF vmlinux inside `image`, which may be one already.

    Raises BadKernel if it is no x86 boot image, is packed in a way we do not read, or cannot be started directly.
    """
    kernel = image if image.startswith(_ELF) else _unpack(_payload(image))
    if not kernel.startswith(_ELF):
        raise BadKernel("what is packed in the boot image is no ELF file")
    try:
        is_bootable = _has_pvh_entry(kernel)
    except struct.error as short:
        raise BadKernel("the kernel breaks off") from short
    if not is_bootable:
        raise BadKernel("the kernel has no PVH entry point (it needs CONFIG_PVH)")
    return kernel


def _payload(image: bytes) -> bytes:
    if image[0x202:0x206] != b"HdrS":
        raise BadKernel("no x86 boot image")
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = ((image[0x1F1] or 4) + 1) * 512 + offset
    if length < 4 or start + length > len(image):
        raise BadKernel("the boot image breaks off")
    return image[start : start + length]


def _unpack(payload: bytes) -> bytes:
    """The build appends the unpacked size to most formats, so each decompressor must stop at the end of its stream."""
    try:
        if payload.startswith(lz4.MAGIC):
            return lz4.decompress_legacy(payload[:-4])
        if payload.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(payload)
        if payload.startswith(b"\xfd7zXZ\0"):
            return lzma.LZMADecompressor().decompress(payload)
        if payload.startswith(b"\x28\xb5\x2f\xfd"):
            return zstandard.ZstdDecompressor().decompressobj().decompress(payload)
    except (ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as broken:
        raise BadKernel(f"the packed kernel is damaged: {broken}") from broken
    if payload.startswith(_ELF):
        return payload
    raise BadKernel(f"the kernel is packed in a way we do not read (it begins {payload[:6].hex()})")


def _has_pvh_entry(kernel: bytes) -> bool:
    """Whether the 64-bit ELF file `kernel` says where to enter it without a boot loader."""
    (table,) = struct.unpack_from("<Q", kernel, 0x20)
    entry_size, count = struct.unpack_from("<HH", kernel, 0x36)
    for index in range(count):
        at = table + index * entry_size
        kind, _flags, offset = struct.unpack_from("<IIQ", kernel, at)
        (size,) = struct.unpack_from("<Q", kernel, at + 32)
        if kind == _PT_NOTE and _has_note(kernel[offset : offset + size]):
            return True
    return False


def _has_note(notes: bytes) -> bool:
    at = 0
    while at + 12 <= len(notes):
        name_size, value_size, kind = struct.unpack_from("<III", notes, at)
        if kind == _PHYS32_ENTRY and notes[at + 12 : at + 15] == b"Xen":
            return True
        at += 12 + name_size + -name_size % 4 + value_size + -value_size % 4
    return False
