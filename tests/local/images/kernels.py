"""Makes kernels as small as they can be and still look like one."""

import struct


def elf(*, note: bytes = b"Xen\0", kind: int = 18) -> bytes:
    """A 64-bit ELF file with one PT_NOTE segment, and enough after it to be worth compressing."""
    entry = struct.pack("<III", len(note), 8, kind) + note + struct.pack("<Q", 0x1000000)
    head = bytearray(64)
    head[:4] = b"\x7fELF"
    struct.pack_into("<Q", head, 0x20, 64)
    struct.pack_into("<HH", head, 0x36, 56, 1)
    segment = struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(entry), len(entry), 4)
    return bytes(head) + segment + entry + bytes(range(256)) * 300


def boot_image(payload: bytes) -> bytes:
    setup_sectors, offset = 3, 100
    image = bytearray((setup_sectors + 1) * 512 + offset)
    image[0x1F1] = setup_sectors
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, offset, len(payload))
    return bytes(image) + payload + b"signature"
