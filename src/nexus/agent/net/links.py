"""Bridges and TAP devices by netlink. Blocking, some milliseconds each: call in a thread.

A bridge that we make is marked by its alias, so that one that was there before us is never removed.
"""

import errno
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from ipaddress import IPv4Interface
from socket import AF_INET
from typing import Any, cast

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from nexus.agent.net.port import NetTrouble

MARK = "nexus"


@dataclass(frozen=True)
class Bridge:
    name: str
    addresses: tuple[IPv4Interface, ...]


def ensure_tap(name: str, *, bridge: str, gateway: IPv4Interface, uid: int | None) -> None:
    """Have the device, owned by `uid`, as a port of the bridge, and that up with its address. Raises NetTrouble."""
    with _netlink() as netlink:
        try:
            master = _ensure_bridge(netlink, bridge, gateway)
            index = _find(netlink, name)
            if index is None:
                owner = {} if uid is None else {"uid": uid}
                netlink.link("add", ifname=name, kind="tuntap", mode="tap", **owner)
                index = _get(netlink, name)
            netlink.link("set", index=index, master=master, state="up")
        except NetlinkError as refused:
            raise NetTrouble(f"network device {name} on {bridge} cannot be made: {_words(refused)}") from refused


def discard_tap(name: str) -> None:
    """Remove the device; absent is fine. Raises NetTrouble."""
    with _netlink() as netlink:
        _discard(netlink, name)


def idle_bridges() -> tuple[Bridge, ...]:
    """Bridges that we have made and that have no port (any more): after a crash also some whose last went before."""
    with _netlink() as netlink:
        there = netlink.get_links()
        used = {link.get("master") for link in there}
        return tuple(
            _describe(netlink, link) for link in there if link.get("ifalias") == MARK and link["index"] not in used
        )


def discard_bridge(name: str) -> None:
    """Remove it; absent is fine. Raises NetTrouble."""
    with _netlink() as netlink:
        _discard(netlink, name)


def counters(name: str) -> tuple[int, int] | None:
    """(bytes from the host to the device, bytes from it): for a TAP, received and sent by the guest."""
    with _netlink() as netlink:
        index = _find(netlink, name)
        if index is None:
            return None
        stats = netlink.link("get", index=index)[0].get("stats64")
        return int(stats["tx_bytes"]), int(stats["rx_bytes"])


def try_tap(name: str) -> None:
    """Prove that we may make devices. Raises NetTrouble."""
    try:
        with _netlink() as netlink:
            netlink.link("add", ifname=name, kind="tuntap", mode="tap")
            _discard(netlink, name)
    except (NetlinkError, OSError) as refused:
        raise NetTrouble(f"a TAP device cannot be made ({_words(refused)})") from refused


def _ensure_bridge(netlink: Any, name: str, gateway: IPv4Interface) -> int:
    index = _find(netlink, name)
    if index is None:
        netlink.link("add", ifname=name, kind="bridge")
        index = _get(netlink, name)
        netlink.link("set", index=index, ifalias=MARK)
    try:
        netlink.addr("add", index=index, address=str(gateway.ip), prefixlen=gateway.network.prefixlen)
    except NetlinkError as refused:
        if refused.code != errno.EEXIST:
            raise
    netlink.link("set", index=index, state="up")
    return index


def _describe(netlink: Any, link: Any) -> Bridge:
    addresses = netlink.get_addr(index=link["index"], family=AF_INET)
    return Bridge(
        name=str(link.get("ifname")),
        addresses=tuple(IPv4Interface(f"{each.get('address')}/{each['prefixlen']}") for each in addresses),
    )


def _discard(netlink: Any, name: str) -> None:
    index = _find(netlink, name)
    if index is None:
        return
    try:
        netlink.link("del", index=index)
    except NetlinkError as refused:
        if refused.code != errno.ENODEV:
            raise NetTrouble(f"network device {name} cannot be removed: {_words(refused)}") from refused


def _netlink() -> AbstractContextManager[Any]:
    """pyroute2 is not typed further than this."""
    return cast(AbstractContextManager[Any], IPRoute())


def _find(netlink: Any, name: str) -> int | None:
    found = netlink.link_lookup(ifname=name)
    return int(found[0]) if found else None


def _get(netlink: Any, name: str) -> int:
    index = _find(netlink, name)
    if index is None:
        raise NetTrouble(f"network device {name} is gone")
    return index


def _words(refused: Exception) -> str:
    code = cast(int, refused.code) if isinstance(refused, NetlinkError) else getattr(refused, "errno", None)
    return os.strerror(code or 0)
