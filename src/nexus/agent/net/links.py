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
    with netlink() as connection:
        try:
            master = _ensure_bridge(connection, bridge, gateway)
            index = find(connection, name)
            if index is None:
                owner = {} if uid is None else {"uid": uid}
                connection.link("add", ifname=name, kind="tuntap", mode="tap", **owner)
                index = index_of(connection, name)
            connection.link("set", index=index, master=master, state="up")
        except NetlinkError as refused:
            raise NetTrouble(f"network device {name} on {bridge} cannot be made: {words(refused)}") from refused


def discard(name: str) -> None:
    """Remove the device; absent is fine. Raises NetTrouble."""
    with netlink() as connection:
        _discard(connection, name)


def idle_bridges() -> tuple[Bridge, ...]:
    """Bridges that we have made and that have no port (any more): after a crash also some whose last went before."""
    with netlink() as connection:
        there = connection.get_links()
        used = {link.get("master") for link in there}
        return tuple(
            _describe(connection, link) for link in there if link.get("ifalias") == MARK and link["index"] not in used
        )


def counters(name: str) -> tuple[int, int] | None:
    """(bytes from the host to the device, bytes from it): for a TAP, received and sent by the guest. None when the
    device is absent. Raises NetTrouble."""
    with netlink() as connection:
        index = find(connection, name)
        if index is None:
            return None
        try:
            stats = connection.link("get", index=index)[0].get("stats64")
        except NetlinkError as refused:
            if refused.code != errno.ENODEV:  # that it went since we looked is nothing but absent
                raise NetTrouble(f"network device {name} cannot be read: {words(refused)}") from refused
            return None
        return int(stats["tx_bytes"]), int(stats["rx_bytes"])


def try_tap(name: str) -> None:
    """Prove that we may make devices. Raises NetTrouble."""
    try:
        with netlink() as connection:
            connection.link("add", ifname=name, kind="tuntap", mode="tap")
            _discard(connection, name)
    except (NetlinkError, OSError) as refused:
        raise NetTrouble(f"a TAP device cannot be made ({words(refused)})") from refused


def _ensure_bridge(connection: Any, name: str, gateway: IPv4Interface) -> int:
    index = find(connection, name)
    if index is None:
        connection.link("add", ifname=name, kind="bridge")
        index = index_of(connection, name)
        connection.link("set", index=index, ifalias=MARK)
    try:
        connection.addr("add", index=index, address=str(gateway.ip), prefixlen=gateway.network.prefixlen)
    except NetlinkError as refused:
        if refused.code != errno.EEXIST:
            raise
    connection.link("set", index=index, state="up")
    return index


def _describe(connection: Any, link: Any) -> Bridge:
    addresses = connection.get_addr(index=link["index"], family=AF_INET)
    return Bridge(
        name=str(link.get("ifname")),
        addresses=tuple(IPv4Interface(f"{each.get('address')}/{each['prefixlen']}") for each in addresses),
    )


def _discard(connection: Any, name: str) -> None:
    index = find(connection, name)
    if index is None:
        return
    try:
        connection.link("del", index=index)
    except NetlinkError as refused:
        if refused.code != errno.ENODEV:
            raise NetTrouble(f"network device {name} cannot be removed: {words(refused)}") from refused


def netlink() -> AbstractContextManager[Any]:
    """pyroute2 is not typed further than this."""
    return cast(AbstractContextManager[Any], IPRoute())


def find(connection: Any, name: str) -> int | None:
    found = connection.link_lookup(ifname=name)
    return int(found[0]) if found else None


def index_of(connection: Any, name: str) -> int:
    index = find(connection, name)
    if index is None:
        raise NetTrouble(f"network device {name} is gone")
    return index


def words(refused: Exception) -> str:
    code = cast(int, refused.code) if isinstance(refused, NetlinkError) else getattr(refused, "errno", None)
    return os.strerror(code or 0)
