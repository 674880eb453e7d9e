"""TAP devices: one per interface of a machine, named after it (`protocol.taps`).

The device is made by netlink (see `links`); here the agent opens it, so that a VMM gets a descriptor and needs no
right to /dev/net/tun, nor to any device but its own.
"""

import fcntl
import os
import struct

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


def open_tap(name: str) -> int:
    """A descriptor that carries the frames of the existing device `name`. Raises OSError."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    except OSError:
        os.close(fd)
        raise
    return fd
