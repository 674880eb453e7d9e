"""`user` mode: guests reach out through the hypervisor's own TCP/IP stack. Needs no privilege and nothing on the host.

Addresses are that stack's (QEMU's slirp), the same in every machine, each interface in a network of its own: in that of
the first the guest is 10.0.2.15, the gateway 10.0.2.2, DNS 10.0.2.3; in the next it is 10.0.3.15, and so on. Nothing
reaches a guest but through the guest channel.
"""

from functools import cache
from ipaddress import IPv4Interface, IPv4Network
from uuid import UUID

from nexus.agent.net.port import Attachment, NetCounters, refuse_limits
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import NicSpec

FIRST_NETWORK = IPv4Network("10.0.2.0/24")
GATEWAY, DNS, GUEST = 2, 3, 15


class UserNetwork:
    """`restrict`: let no packet leave the machine."""

    mode = "user"
    offers = frozenset({Offer.USER_NET})

    def __init__(self, *, restrict: bool, why: str) -> None:
        self.why = why
        self._restrict = restrict

    def attachment(self, nic: NicSpec, position: int) -> Attachment:
        return _attachment(position, restrict=self._restrict)

    async def ensure(self, nic: NicSpec, *, uid: int | None) -> None:
        """The hypervisor brings its own."""
        refuse_limits(nic)

    async def limit(self, nic: NicSpec) -> None:
        refuse_limits(nic)

    async def discard(self, nic: UUID) -> None:
        """Nothing was made."""

    async def counters(self, nic: UUID) -> NetCounters | None:
        return None


@cache
def _attachment(position: int, *, restrict: bool) -> Attachment:
    network = IPv4Network((int(FIRST_NETWORK.network_address) + position * FIRST_NETWORK.num_addresses, 24))
    guest = IPv4Interface((int(network[GUEST]), network.prefixlen))
    return Attachment(None, restrict, guest, network[GATEWAY], (network[DNS],))
