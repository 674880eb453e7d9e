"""Hosts, as the rest of the manager speaks of them."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from nexus.protocol.hosts import HostFacts, Offer

KIND = "host"

HEARTBEAT_S = 5.0
"""How often a host reports everything."""
SILENT_AFTER_S = 3 * HEARTBEAT_S
"""A host that has not reported for this long is silent: nobody knows how its machines are."""

IS_SILENT = f"(h.last_seen_at < now() - interval '{SILENT_AFTER_S} seconds')"
"""The same in SQL, for `hosts h`."""


class HostState(StrEnum):
    """SILENT: it has not reported for SILENT_AFTER_S."""

    ONLINE = "online"
    SILENT = "silent"


@dataclass(frozen=True, kw_only=True)
class HostRef:
    """A machine's host: where its agent is, and what it can do."""

    id: UUID
    name: str
    address: str
    joining: int
    """How often it has joined; its present certificate is for this number."""
    boot_id: str
    seen_seq: int
    offers: frozenset[Offer]
    is_silent: bool


@dataclass(frozen=True, kw_only=True)
class Host:
    """A row of `hosts`."""

    id: UUID
    name: str
    address: str
    facts: HostFacts
    boot_id: str
    seen_seq: int
    is_cordoned: bool
    is_silent: bool
