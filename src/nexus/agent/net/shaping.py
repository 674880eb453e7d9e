"""Rate limits of TAP devices by the kernel's traffic control. Blocking, some milliseconds each: call in a thread.

The kernel shapes what leaves a device, never what comes in. What a guest receives leaves its TAP, so a token bucket
(tc-tbf(8)) there limits it. What it sends comes in: that is redirected to a device of our own (`ifb`), leaves that
through a bucket, and goes on as if it had come straight in. Must stay true: nothing of a bucket is left on a device
that is not to be limited, and the second device goes with the first.
"""

import errno
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

from nexus.agent.net import links
from nexus.agent.net.port import NetTrouble
from nexus.protocol.limits import TokenBucket

MOST_BYTES_PER_S = 4 * 10**9
"""The rate of a bucket has 32 bits."""
LEAST_BURST_BYTES = 2 * 1522
"""A bucket that no frame fits into would let none pass."""
LONGEST_BURST_S = 250
"""A bucket's size is told as the time it takes to fill, in 32 bits of 64 ns."""
QUEUE_S = 0.1
"""What waits longer than this is dropped: the sender is to learn of the limit."""
LEAST_QUEUE_BYTES = 64 << 10
ROOT, ON_INGRESS, INGRESS = 0xFFFFFFFF, 0xFFFFFFF1, 0xFFFF0000
"""Where a discipline hangs: at what leaves a device, at what comes in; and the name of the one there."""
BUCKET = 0x00010000
EVERY_PROTOCOL = 3
"""ETH_P_ALL"""


@dataclass(frozen=True)
class Shape:
    """Limits of what the guest behind a TAP receives and sends; None: none."""

    receives: TokenBucket | None
    sends: TokenBucket | None


@dataclass(frozen=True)
class Bucket:
    """What the kernel is told, in bytes."""

    rate: int
    burst: int
    queue: int


def bucket_of(limit: TokenBucket) -> Bucket:
    """Pure."""
    rate = min(round(limit.per_second), MOST_BYTES_PER_S)
    burst = min(max(limit.size, LEAST_BURST_BYTES), rate * LONGEST_BURST_S)
    return Bucket(rate, burst, queue=max(round(rate * QUEUE_S), LEAST_QUEUE_BYTES))


def mirror_name(tap: str) -> str:
    """The device that a TAP's incoming frames leave through; as long as the TAP's own name."""
    return f"ni{tap[2:]}"


def ensure(tap: str, shape: Shape) -> None:
    """Have the existing device limited so. Raises NetTrouble."""
    with links.netlink() as connection:
        try:
            _limit_egress(connection, links.index_of(connection, tap), shape.receives)
            _limit_ingress(connection, tap, shape.sends)
        except NetlinkError as refused:
            raise NetTrouble(f"network device {tap} cannot be limited: {links.words(refused)}") from refused


def discard(tap: str) -> None:
    """Remove what `ensure` made beside the device; absent is fine. Raises NetTrouble."""
    links.discard(mirror_name(tap))


def try_out(name: str) -> None:
    """Prove on a device of our own that we may and can. Raises NetTrouble."""
    one = TokenBucket(size=1 << 20, refill_time=1000)
    try:
        with links.netlink() as connection:
            connection.link("add", ifname=name, kind="tuntap", mode="tap")
        ensure(name, Shape(receives=one, sends=one))
    except (NetlinkError, OSError) as refused:
        raise NetTrouble(f"a TAP device cannot be limited ({links.words(refused)})") from refused
    finally:
        discard(name)
        links.discard(name)


def _limit_egress(connection: Any, index: int, limit: TokenBucket | None) -> None:
    if limit is None:
        _forget(connection, index, parent=ROOT, handle=0)
        return
    bucket = bucket_of(limit)
    connection.tc("replace", "tbf", index, handle=BUCKET, rate=bucket.rate, burst=bucket.burst, limit=bucket.queue)


def _limit_ingress(connection: Any, tap: str, limit: TokenBucket | None) -> None:
    index, mirror = links.index_of(connection, tap), mirror_name(tap)
    if limit is None:
        _forget(connection, index, parent=ON_INGRESS, handle=INGRESS)
        links.discard(mirror)
        return
    is_new = links.find(connection, mirror) is None
    if is_new:
        connection.link("add", ifname=mirror, kind="ifb")
    out = links.index_of(connection, mirror)
    _limit_egress(connection, out, limit)
    connection.link("set", index=out, state="up")
    if is_new or not list(connection.get_filters(index=index, parent=INGRESS)):
        _forget(connection, index, parent=ON_INGRESS, handle=INGRESS)
        _redirect(connection, index, out)


def _redirect(connection: Any, index: int, out: int) -> None:
    """Have all that comes in at one device leave through another before it goes on."""
    connection.tc("add", "ingress", index, handle=INGRESS)
    redirect = {"kind": "mirred", "direction": "egress", "action": "redirect", "ifindex": out}
    connection.tc(
        "add-filter",
        "u32",
        index,
        parent=INGRESS,
        prio=1,
        protocol=EVERY_PROTOCOL,
        target=BUCKET,
        keys=["0x0/0x0+0"],
        action=redirect,
    )


def _forget(connection: Any, index: int, *, parent: int, handle: int) -> None:
    """Remove a discipline; absent is fine."""
    try:
        connection.tc("del", index=index, parent=parent, handle=handle)
    except NetlinkError as refused:
        if refused.code not in (errno.ENOENT, errno.EINVAL):
            raise
