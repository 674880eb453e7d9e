"""What an image can be for."""

from enum import StrEnum


class Kind(StrEnum):
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    ROOTFS = "rootfs"
    DATA = "data"
