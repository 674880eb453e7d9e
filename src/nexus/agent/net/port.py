"""What the machines ask of the host's network, in either mode.

Everything is keyed by the interface's id and may be ensured or discarded twice; discarding needs no memory of what was
there.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Protocol
from uuid import UUID

from nexus.protocol.hosts import Offer
from nexus.protocol.machines import NicSpec


class NetTrouble(Exception):
    """The host's network cannot be made so; the message is a sentence for a user."""


@dataclass(frozen=True)
class Attachment:
    """How an interface is connected: `tap` is the device to give to the VMM, None for its rootless stack; the rest is
    what the guest is told."""

    tap: str | None
    restrict: bool
    address: IPv4Interface | None
    gateway: IPv4Address | None
    dns: tuple[IPv4Address, ...]


@dataclass(frozen=True)
class NetCounters:
    """As the guest sees it."""

    received_bytes: int
    sent_bytes: int


def refuse_limits(nic: NicSpec) -> None:
    """Raises NetTrouble for an interface with limits, where none can be kept."""
    if nic.rx_rate_limiter is not None or nic.tx_rate_limiter is not None:
        raise NetTrouble(f"interface {nic.iface_id} is to be limited, which this host's network cannot do")


class Network(Protocol):
    mode: str
    why: str
    offers: frozenset[Offer]

    def attachment(self, nic: NicSpec, position: int) -> Attachment:
        """What `ensure` makes of a machine's interface, the first one's position being 0. Pure."""
        ...

    async def ensure(self, nic: NicSpec, *, uid: int | None) -> None:
        """Have the interface's end on this host, and its rules. Raises NetTrouble."""
        ...

    async def limit(self, nic: NicSpec) -> None:
        """Have the interface, which has been ensured, limited as it says now. Raises NetTrouble."""
        ...

    async def discard(self, nic: UUID) -> None:
        """Leave nothing of it."""
        ...

    async def counters(self, nic: UUID) -> NetCounters | None:
        """None where the host cannot see them. Raises NetTrouble."""
        ...
