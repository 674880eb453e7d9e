"""NICs as rows."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from nexus.kit.db import Record
from nexus.kit.fields import Spelled
from nexus.protocol.limits import RateLimiter

MOST_NICS = 6
"""Of one machine: with its drives and what else it has, all hypervisors have places for that many."""
NicName = Annotated[str, Spelled(r"^[A-Za-z0-9_]{1,64}$", "1 to 64 letters, digits and _")]
NicRef = Annotated[str, Spelled(r"^[A-Za-z0-9_-]{1,64}$", "the id or iface_id of a NIC")]
Mac = Annotated[
    str,
    Spelled(
        r"^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$",
        "six pairs of hexadecimal digits with colons between them, the first one even: the address of one interface",
    ),
]
"""A unicast address: the lowest bit of the first byte marks groups (IEEE 802)."""


@dataclass(frozen=True, kw_only=True)
class NewNic:
    """`mac`: None, to have one made."""

    iface_id: str
    mac: str | None = None
    rx_rate_limiter: RateLimiter | None = None
    tx_rate_limiter: RateLimiter | None = None


@dataclass(frozen=True, kw_only=True)
class Nic:
    """A row, as far as changing it needs to know."""

    id: UUID
    iface_id: str
    rx_rate_limiter: RateLimiter | None
    tx_rate_limiter: RateLimiter | None


def nic_of(row: Record) -> Nic:
    return Nic(
        id=row["id"],
        iface_id=row["iface_id"],
        rx_rate_limiter=_limiter(row["rx_rate_limiter"]),
        tx_rate_limiter=_limiter(row["tx_rate_limiter"]),
    )


def _limiter(stored: object) -> RateLimiter | None:
    return None if stored is None else RateLimiter.model_validate(stored)
