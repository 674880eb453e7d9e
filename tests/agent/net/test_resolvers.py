"""Name servers for guests, read from the host's files."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from nexus.agent.net.resolvers import host_resolvers, parse

STUB = "nameserver 127.0.0.53\noptions edns0\n"
BEHIND = "# made by systemd\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch example.org\n"


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("", ()),
        (STUB, ()),
        (BEHIND, ("192.0.2.1", "192.0.2.2")),
        ("nameserver 2001:db8::1\nnameserver 192.0.2.1", ("192.0.2.1",)),
        ("nameserver 0.0.0.0\nnameserver nonsense\nnameserver\n;nameserver 192.0.2.9", ()),
        ("nameserver 192.0.2.1\nnameserver 192.0.2.1", ("192.0.2.1",)),
    ],
)
def test_only_servers_a_guest_can_reach_are_named(text: str, servers: tuple[str, ...]) -> None:
    assert parse(text) == tuple(IPv4Address(server) for server in servers)


def test_the_servers_behind_a_local_stub_are_found(tmp_path: Path) -> None:
    stub, behind = tmp_path / "stub", tmp_path / "behind"
    stub.write_text(STUB)
    behind.write_text(BEHIND)
    assert host_resolvers((stub, behind)) == parse(BEHIND)
    assert host_resolvers((tmp_path / "missing", stub)) == ()
