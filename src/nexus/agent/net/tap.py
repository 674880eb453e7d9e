"""TAP devices: one per interface of a machine, named after the interface's id so that it is always found again.

The device is made by netlink (see `links`); here the agent opens it, so that a VMM gets a descriptor and needs no
right to /dev/net/tun, nor to any device but its own.
"""

import base64
import fcntl
import hashlib
import os
import struct
from uuid import UUID

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
PREFIX = "nx"
DIGEST_BYTES = 8


def tap_name(nic: UUID) -> str:
    """`nx` and 13 characters: 15, the most that Linux allows."""
    digest = hashlib.sha256(nic.bytes).digest()[:DIGEST_BYTES]
    return PREFIX + base64.b32encode(digest).decode().rstrip("=").lower()


def open_tap(name: str) -> int:
    """A descriptor that carries the frames of the existing device `name`. Raises OSError."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    except OSError:
        os.close(fd)
        raise
    return fd
