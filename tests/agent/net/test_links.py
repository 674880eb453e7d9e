"""Devices that go away between two questions to the kernel."""

import errno
from contextlib import nullcontext
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from nexus.agent.net import links
from nexus.agent.net.port import NetTrouble


class Kernel:
    """Knows a device by its name, and refuses to say more about it."""

    def __init__(self, code: int) -> None:
        self._code = code

    def link_lookup(self, *, ifname: str) -> list[int]:
        return [len(ifname)]

    def link(self, verb: str, **_which: Any) -> None:
        raise NetlinkError(self._code)


def of_kernel(monkeypatch: pytest.MonkeyPatch, code: int) -> tuple[int, int] | None:
    monkeypatch.setattr(links, "netlink", lambda: nullcontext(Kernel(code)))
    return links.counters("nxt1")


def test_a_device_that_goes_while_it_is_read_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_kernel(monkeypatch, errno.ENODEV) is None


def test_a_device_that_cannot_be_read_is_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NetTrouble, match="nxt1 cannot be read: Operation not permitted"):
        of_kernel(monkeypatch, errno.EPERM)
