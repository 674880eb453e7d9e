"""`user` mode: guests reach out through the hypervisor's own TCP/IP stack. Needs no privilege and nothing on the host.

Addresses are that stack's (QEMU's slirp, the same in every machine, each in a network of its own): guest 10.0.2.15,
gateway 10.0.2.2, DNS 10.0.2.3. Nothing reaches a guest but through the guest channel.
"""

from ipaddress import IPv4Address, IPv4Interface
from uuid import UUID

from nexus.agent.net.port import Attachment, NetCounters
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import NicSpec

ADDRESS = IPv4Interface("10.0.2.15/24")
GATEWAY = IPv4Address("10.0.2.2")
DNS = IPv4Address("10.0.2.3")


class UserNetwork:
    """`restrict`: let no packet leave the machine."""

    mode = "user"
    offers = frozenset({Offer.USER_NET})

    def __init__(self, *, restrict: bool, why: str) -> None:
        self.why = why
        self._restrict = restrict

    def attachment(self, nic: NicSpec) -> Attachment:
        return Attachment(None, self._restrict, ADDRESS, GATEWAY, (DNS,))

    async def ensure(self, nic: NicSpec, *, uid: int | None) -> None:
        """The hypervisor brings its own."""

    async def discard(self, nic: UUID) -> None:
        """Nothing was made."""

    async def counters(self, nic: UUID) -> NetCounters | None:
        return None
