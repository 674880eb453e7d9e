"""Where a machine goes: pure rules that can say why a host was not chosen.

A host gives its vCPUs, memory and disk times the over-commit factors. What counts against them are reservations: memory
and vCPUs of every machine that runs or is meant to, disk of every machine there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


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
    is_silent: bool
    is_cordoned: bool
    has: Amounts
    reserved: Amounts


def capacity(room: Room, overcommit: Overcommit) -> Amounts:
    """What of a host may be reserved in all."""
    return Amounts(
        vcpus=int(room.has.vcpus * overcommit.vcpus),
        memory_mib=int(room.has.memory_mib * overcommit.memory),
        disk_bytes=int(room.has.disk_bytes * overcommit.disk),
    )


def refusal(room: Room, need: Amounts, overcommit: Overcommit) -> str | None:
    """Why the host cannot take `need`, or None."""
    if room.is_silent:
        return "has not been heard from"
    if room.is_cordoned:
        return "takes no new machines (cordoned)"
    most = capacity(room, overcommit)
    lacks = [
        f"{unit} {free} free of {whole}, {wanted} needed"
        for unit, wanted, free, whole in (
            ("vCPUs", need.vcpus, most.vcpus - room.reserved.vcpus, most.vcpus),
            ("memory (MiB)", need.memory_mib, most.memory_mib - room.reserved.memory_mib, most.memory_mib),
            ("disk (bytes)", need.disk_bytes, most.disk_bytes - room.reserved.disk_bytes, most.disk_bytes),
        )
        if wanted > max(free, 0)
    ]
    return "; ".join(lacks) or None


def rank(rooms: Sequence[Room], need: Amounts, overcommit: Overcommit) -> list[Room]:
    """The hosts that can take `need`, the one with the most memory left first."""
    fitting = [room for room in rooms if refusal(room, need, overcommit) is None]
    return sorted(
        fitting,
        key=lambda room: (room.reserved.memory_mib - capacity(room, overcommit).memory_mib, room.name),
    )


def explain(rooms: Sequence[Room], need: Amounts, overcommit: Overcommit) -> str:
    """Why no host was chosen, one reason for each."""
    if not rooms:
        return "No host has joined yet."
    reasons = ((room.name, refusal(room, need, overcommit)) for room in rooms)
    return "; ".join(f"{name}: {reason}" for name, reason in reasons if reason) + "."
