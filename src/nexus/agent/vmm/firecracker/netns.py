"""A network namespace for every launch: in it the VMM's TAP devices, and nothing that leads to the host but one wire
per interface.

    guest ── tap0 ─ bridge ─ up0 │ nx…  ── the host's bridge      (│ is the border of the namespace)

The host's end has the name under which the host's network looks for the interface's device: that finds it there, and
puts it on its bridge, under its rules and its limits, as it would any other. In the namespace nothing has an address.

A namespace is no mount but a descriptor (facts, 9): it goes with the last process in it, and takes its devices, the
host's ends of the wires included, along. Blocking, some milliseconds each: call in a thread.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from nexus.agent.vmm.port import VmmTrouble
from nexus.agent.vmm.process import ProcessId

CLONE_NEWNET = 0x40000000
_OURS = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)
_R = TypeVar("_R")


def tap_name(index: int) -> str:
    """The VMM's device for its interface number `index`, in its own namespace."""
    return f"tap{index}"


class Namespace:
    """Open until `close`. `jail` names the ends of its wires while no interface has them."""

    def __init__(self, fd: int, *, jail: UUID, uid: int, ports: int = 0) -> None:
        self._fd = fd
        self._jail = jail
        self._uid = uid
        self._ports = ports

    @classmethod
    def make(cls, *, jail: UUID, uid: int, ports: int) -> "Namespace":
        """A new one with `ports` interfaces, whose TAP devices belong to `uid`. Raises VmmTrouble."""
        made = cls(_in_thread(_unshared), jail=jail, uid=uid)
        try:
            made.have_ports(ports)
        except BaseException:
            made.close()
            raise
        return made

    @property
    def path(self) -> str:
        """Where another process of root's finds it, as long as we have it open."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def have_ports(self, count: int) -> None:
        """Have at least so many. Raises VmmTrouble."""
        host = os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for index in range(self._ports, count):
                _in_thread(lambda at=index: _inside(self._fd, lambda: self._add_port(at, host)))
                self._ports = index + 1
        except (OSError, NetlinkError) as refused:
            raise VmmTrouble(f"its network namespace cannot be made: {_words(refused)}") from refused
        finally:
            os.close(host)

    def name_wire(self, index: int, name: str) -> None:
        """Have the host's end of interface `index` called so, in place of any other device. Raises VmmTrouble."""
        try:
            with _netlink() as netlink:
                _rename(netlink, wire_name(self._jail, index), name)
        except NetlinkError as refused:
            raise VmmTrouble(f"network device {name} cannot be made: {_words(refused)}") from refused

    def close(self) -> None:
        """Let go of it: it is gone unless a process is in it."""
        os.close(self._fd)

    def _add_port(self, index: int, host: int) -> None:
        with _netlink() as netlink:
            bridge, tap, up = f"br{index}", tap_name(index), f"up{index}"
            netlink.link("add", ifname=bridge, kind="bridge", br_mcast_snooping=0)
            netlink.link("add", ifname=tap, kind="tuntap", mode="tap", uid=self._uid)
            wire = {"ifname": wire_name(self._jail, index), "net_ns_fd": host}
            netlink.link("add", ifname=up, kind="veth", peer=wire)
            _without_ipv6(bridge, tap, up)
            master = netlink.link_lookup(ifname=bridge)[0]
            for device in (tap, up):
                netlink.link("set", index=netlink.link_lookup(ifname=device)[0], master=master, state="up")
            netlink.link("set", index=master, state="up")


def set_wires(process: ProcessId, count: int, *, up: bool) -> None:
    """Have the first `count` interfaces lead to the host, or nowhere: of the namespace that a VMM is in. Raises
    VmmTrouble."""
    names = tuple(f"up{index}" for index in range(count))

    def work() -> None:
        namespace = os.open(f"/proc/{process.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not process.is_alive():
                raise VmmTrouble("its VMM has ended")
            _inside(namespace, lambda: _set_state(names, up=up))
        finally:
            os.close(namespace)

    _in_thread(work, otherwise="its interfaces cannot be connected or cut off")


def set_devices(names: tuple[str, ...], *, up: bool) -> None:
    """The same for devices of the host's own. Raises VmmTrouble."""
    _in_thread(lambda: _set_state(names, up=up), otherwise="its interfaces cannot be connected or cut off")


def _set_state(names: tuple[str, ...], *, up: bool) -> None:
    with _netlink() as netlink:
        for name in names:
            found = netlink.link_lookup(ifname=name)
            if not found:
                raise VmmTrouble(f"network device {name} is gone")
            netlink.link("set", index=found[0], state="up" if up else "down")


def wire_name(jail: UUID, index: int) -> str:
    """The host's end of a wire that no interface has yet: at most 15 characters."""
    return f"nw{jail.hex[-10:]}{index}"


def _rename(netlink: Any, wire: str, name: str) -> None:
    """One that is there is from a launch before, or from a driver that was given its device by the host's network."""
    ours = netlink.link_lookup(ifname=wire)
    if not ours:
        raise VmmTrouble(f"network device {wire} is gone")
    for old in netlink.link_lookup(ifname=name):
        netlink.link("del", index=old)
    netlink.link("set", index=ours[0], ifname=name)


def _without_ipv6(*devices: str) -> None:
    """The namespace says nothing by itself. A kernel without IPv6 has nothing to switch off."""
    for device in devices:
        knob = Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6")
        if knob.exists():
            knob.write_text("1")


def _unshared() -> int:
    _checked(_libc.unshare(CLONE_NEWNET))
    return os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC)


def _inside(namespace: int, work: Callable[[], _R]) -> _R:
    _checked(_libc.setns(namespace, CLONE_NEWNET))
    return work()


def _in_thread(work: Callable[[], _R], *, otherwise: str = "its network namespace cannot be made") -> _R:
    """In a thread that ends afterwards: which namespace it was in is nobody's business any more. Raises VmmTrouble,
    saying that `otherwise`."""
    done: list[_R] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except (OSError, NetlinkError, VmmTrouble) as refused:
            failed.append(refused)

    thread = threading.Thread(target=run, name="netns")
    thread.start()
    thread.join()
    if failed:
        raise VmmTrouble(f"{otherwise}: {_words(failed[0])}") from failed[0]
    return done[0]


def _checked(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _netlink() -> AbstractContextManager[Any]:
    """pyroute2 is not typed further than this."""
    return cast(AbstractContextManager[Any], IPRoute())


def _words(refused: Exception) -> str:
    if isinstance(refused, NetlinkError):
        return os.strerror(cast(int, refused.code))
    return getattr(refused, "strerror", None) or str(refused)
