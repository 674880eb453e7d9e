"""The initramfs every machine starts from: our init as /init, and the kernel's modules.

It stays uncompressed, because unpacking costs an emulated guest more than reading. It is two cpio archives in a row (a
kernel takes any number); each machine's own configuration follows as one more.
"""

from nexus.kit import cpio

_MOUNT_POINTS = ("dev", "proc", "sys", "run", "newroot")


def build(guest_init: bytes, modules_archive: bytes) -> bytes:
    """`modules_archive` is a cpio archive holding /modules. The same arguments give the same bytes."""
    ours = cpio.write(
        [
            *(cpio.directory(path) for path in _MOUNT_POINTS),
            # The kernel opens it before /init runs; without it our first words would be lost.
            cpio.character_device("dev/console", 5, 1),
            cpio.file("init", guest_init, mode=0o755),
        ]
    )
    return ours + cpio.padding(len(ours)) + modules_archive
