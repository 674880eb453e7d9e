"""Hosts, as the rest of the manager speaks of them."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from nexus.kit.db import Record
from nexus.manager.subjects import Subject
from nexus.protocol.hosts import Offer

KIND = "host"
FLOW = "host"
DRAIN = "drain"

HEARTBEAT_S = 5.0
"""How often a host reports everything."""
SILENT_AFTER_S = 3 * HEARTBEAT_S
"""A host that has not reported for this long is silent: nobody knows how its machines are."""

IS_OVERDUE = f"(h.last_seen_at < now() - interval '{SILENT_AFTER_S} seconds')"
"""In SQL, for `hosts h`: it has not reported for that long. Whether that is the host's doing, `sweep` decides."""
IS_SILENT = "(h.silent_since is not null)"
"""In SQL, for `hosts h`: it is known to be silent, and so is the state of every machine on it."""


class HostState(StrEnum):
    """SILENT: it has not reported for SILENT_AFTER_S. ABANDONED: an administrator gave it up for lost."""

    ONLINE = "online"
    SILENT = "silent"
    ABANDONED = "abandoned"


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
    is_emulated: bool = False
    """Whether its guests run without KVM, and so many times slower."""


REF_COLUMNS = f"""
h.name as host_name, h.address as host_address, h.joining as host_joining, h.boot_id as host_boot_id,
h.seen_seq as host_seen_seq, h.facts -> 'offers' as offers, {IS_SILENT} as host_is_silent,
h.facts ->> 'acceleration' <> 'kvm' as host_is_emulated
"""
"""What `ref_of` reads besides `host_id`; in SQL, for `hosts h`."""


def ref_of(row: Record) -> HostRef:
    return HostRef(
        id=row["host_id"],
        name=row["host_name"],
        address=row["host_address"],
        joining=row["host_joining"],
        boot_id=row["host_boot_id"],
        seen_seq=row["host_seen_seq"],
        offers=frozenset(Offer(offer) for offer in row["offers"]),
        is_silent=row["host_is_silent"],
        is_emulated=row["host_is_emulated"],
    )


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host, as far as those need it who ask something of the host itself."""

    id: UUID
    name: str
    generation: int
    """Of what was asked of it last."""
    is_cordoned: bool
    is_silent: bool
    is_abandoned: bool

    @property
    def subject(self) -> Subject:
        return Subject(KIND, self.id, self.name)
