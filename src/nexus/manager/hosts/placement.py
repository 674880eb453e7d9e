"""Where a machine goes: pure rules that can say why a host was not chosen.

A host gives its vCPUs, memory and disk times the over-commit factors. What counts against them are reservations: memory
and vCPUs of every machine that runs or is meant to, disk of every machine there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from nexus.protocol.hosts import Offer

_MIB = 1 << 20
CORDONED = "takes no new machines (cordoned)"


@dataclass(frozen=True, kw_only=True)
class Amounts:
    vcpus: int = 0
    memory_mib: int = 0
    disk_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Overcommit:
    """How many times a host's own amounts may be reserved."""

    vcpus: float
    memory: float
    disk: float


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a host has, and what of it is reserved."""

    host_id: UUID
    name: str
    has: Amounts
    reserved: Amounts
    offers: frozenset[Offer] = frozenset()
    is_silent: bool = False
    is_abandoned: bool = False
    is_cordoned: bool = False


def capacity(room: Room, overcommit: Overcommit) -> Amounts:
    """What of a host may be reserved in all."""
    return Amounts(
        vcpus=int(room.has.vcpus * overcommit.vcpus),
        memory_mib=int(room.has.memory_mib * overcommit.memory),
        disk_bytes=int(room.has.disk_bytes * overcommit.disk),
    )


def refusal(room: Room, need: Amounts, overcommit: Overcommit, offers: frozenset[Offer] = frozenset()) -> str | None:
    """Why the host cannot take `need`, or None. `offers`: what it has to be able to do."""
    if room.is_abandoned:
        return "was abandoned"
    if room.is_silent:
        return "has not been heard from"
    if room.is_cordoned:
        return CORDONED
    most = capacity(room, overcommit)
    lacks = [f"does not offer {offer}" for offer in sorted(offers - room.offers)]
    lacks += [
        f"{what}: {-(-wanted // unit)} needed, {max(free, 0) // unit} of {whole // unit} free"
        for what, unit, wanted, free, whole in (
            ("vCPUs", 1, need.vcpus, most.vcpus - room.reserved.vcpus, most.vcpus),
            ("MiB of memory", 1, need.memory_mib, most.memory_mib - room.reserved.memory_mib, most.memory_mib),
            ("MiB of disk", _MIB, need.disk_bytes, most.disk_bytes - room.reserved.disk_bytes, most.disk_bytes),
        )
        if wanted > max(free, 0)
    ]
    return "; ".join(lacks) or None


@dataclass(frozen=True, kw_only=True)
class Place:
    """A host that was looked at; `refusal`: why it cannot take the machine."""

    host_id: UUID
    name: str
    refusal: str | None


@dataclass(frozen=True)
class Placement:
    """Every host that was looked at: first those that can take the machine, the one with the most memory left before
    the others, then the rest by name."""

    places: Sequence[Place]

    @property
    def chosen(self) -> Place | None:
        return next((place for place in self.places if place.refusal is None), None)

    @property
    def host_id(self) -> UUID:
        """Of the chosen host; there must be one."""
        if self.chosen is None:
            raise LookupError(f"no host was chosen: {self.explain()}")
        return self.chosen.host_id

    def explain(self) -> str:
        """Why no host was chosen, one reason for each."""
        if not self.places:
            return "No host has joined yet."
        return "; ".join(f"{place.name}: {place.refusal}" for place in self.places if place.refusal) + "."


def place(
    rooms: Sequence[Room], need: Amounts, overcommit: Overcommit, offers: frozenset[Offer] = frozenset()
) -> Placement:
    """Look at every host for one that can take `need`."""

    def rank(found: tuple[Room, str | None]) -> tuple[bool, int, str]:
        room, why = found
        used_mib = room.reserved.memory_mib - capacity(room, overcommit).memory_mib
        return why is not None, used_mib if why is None else 0, room.name

    looked_at = sorted(((room, refusal(room, need, overcommit, offers)) for room in rooms), key=rank)
    return Placement([Place(host_id=room.host_id, name=room.name, refusal=why) for room, why in looked_at])
