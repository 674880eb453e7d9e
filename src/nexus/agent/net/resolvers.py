"""The name servers that guests on a bridge are given when their network names none: the host's own.

A server on the host's loopback is of no use to a guest. Where systemd-resolved is in between (its stub is 127.0.0.53),
its second file has the servers behind it; see systemd-resolved.service(8), "/etc/resolv.conf".
"""

from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def host_resolvers(files: tuple[Path, ...] = FILES) -> tuple[IPv4Address, ...]:
    """The first file's servers that a guest can reach, else the next one's; empty when there are none."""
    for file in files:
        try:
            found = parse(file.read_text(errors="replace"))
        except OSError:
            continue
        if found:
            return found
    return ()


def parse(text: str) -> tuple[IPv4Address, ...]:
    """The IPv4 servers of a resolv.conf(5) that are not on the loopback, in order."""
    found: list[IPv4Address] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            server = IPv4Address(words[1])
        except AddressValueError:
            continue
        if not server.is_loopback and not server.is_unspecified and server not in found:
            found.append(server)
    return tuple(found)
