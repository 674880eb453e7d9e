"""Emptying a host: which VMs are to be told, and what has become of each. The rules are pure; the SQL keeps one row
while a host is being drained, which is also the lock of whoever works at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager.access import Actor, Role
from nexus.manager.hosts.models import Host
from nexus.manager.operations import Operation, Status
from nexus.manager.subjects import Subject


class Outcome(StrEnum):
    """What has become of a VM on a host that is being drained."""

    WAS_OFF = "was_off"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DELETED = "deleted"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Occupant:
    """What is on a host, as far as emptying it goes."""

    subject: Subject
    is_wanted: bool
    """It is meant to run, or to be paused."""
    is_off: bool
    is_leaving: bool
    """It is being deleted."""
    fault: str | None


class Occupants(Protocol):
    """Whoever owns machines, as far as emptying a host goes; in the transactions of the flow."""

    async def aboard(self, tx: Tx, host_id: UUID) -> Sequence[Occupant]: ...

    async def stop(self, tx: Tx, occupant: UUID, *, by: Actor | None, grace_s: int, why: str) -> Operation | None:
        """Wish it off and promise that; None: it is gone, or not meant to run any more."""
        ...


@dataclass(frozen=True, kw_only=True)
class Drain:
    """A row of `drains`. `by`: on whose behalf VMs are stopped; None: that user is gone."""

    host: Host
    operation_id: UUID
    grace_s: int
    by: Actor | None
    username: str

    @property
    def subject(self) -> Subject:
        return self.host.subject


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the drain's operation says of one VM. `operation_id`: of the stop that it was asked for."""

    id: UUID
    name: str
    outcome: Outcome
    why: str | None = None
    operation_id: UUID | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Entry":
        asked = told["operation_id"]
        return cls(
            id=UUID(told["id"]),
            name=told["name"],
            outcome=Outcome(told["outcome"]),
            why=told["why"],
            operation_id=UUID(asked) if asked else None,
        )

    def told(self) -> dict[str, Any]:
        """As JSON."""
        asked = str(self.operation_id) if self.operation_id else None
        return {
            "id": str(self.id),
            "name": self.name,
            "outcome": self.outcome,
            "why": self.why,
            "operation_id": asked,
        }


@dataclass(frozen=True)
class Survey:
    """What is known of every VM that is on the host, or was; `untold` are to run and have not been told to stop."""

    entries: Sequence[Entry]
    untold: Sequence[Occupant]

    @property
    def is_over(self) -> bool:
        return not self.untold and all(entry.outcome is not Outcome.STOPPING for entry in self.entries)

    @property
    def percent(self) -> int:
        """Of the VMs how many are off; 100 only when it is over."""
        done = sum(entry.outcome is not Outcome.STOPPING for entry in self.entries)
        return min(done * 100 // max(len(self.entries) + len(self.untold), 1), 99)

    def having(self, outcome: Outcome) -> list[Entry]:
        return [entry for entry in self.entries if entry.outcome is outcome]


def survey(aboard: Sequence[Occupant], known: Sequence[Entry], stops: Sequence[Operation]) -> Survey:
    """`known`: what was said before; `stops`: the operations by which VMs were told to stop."""
    by_id = {stop.id: stop for stop in stops}
    entries = {entry.id: entry for entry in known}
    present = {one.subject.id: one for one in aboard}
    untold: list[Occupant] = []
    for entry in known:
        if entry.id not in present:
            entries[entry.id] = replace(entry, outcome=Outcome.DELETED, why=None)
    for occupant in aboard:
        entry = entries.get(occupant.subject.id)
        stop = by_id.get(entry.operation_id) if entry and entry.operation_id else None
        outcome = judge(occupant, entry, stop)
        if outcome is None:
            untold.append(occupant)
            continue
        why = _why(occupant, stop) if outcome is Outcome.FAILED else None
        entries[occupant.subject.id] = Entry(
            id=occupant.subject.id,
            name=occupant.subject.name,
            outcome=outcome,
            why=why,
            operation_id=entry.operation_id if entry else None,
        )
    return Survey(list(entries.values()), untold)


def judge(occupant: Occupant, entry: Entry | None, stop: Operation | None) -> Outcome | None:
    """What has become of a VM that is there; None: it has to be told to stop. `entry`: what was said of it before;
    `stop`: the operation by which it was told."""
    if occupant.is_leaving:
        return Outcome.STOPPING
    if occupant.is_off:
        was_on = entry is not None and entry.outcome is not Outcome.WAS_OFF
        return Outcome.STOPPED if was_on else Outcome.WAS_OFF
    if stop is not None and stop.status is Status.RUNNING:
        return Outcome.STOPPING
    if stop is not None and stop.status is Status.FAILED:
        return Outcome.FAILED
    if occupant.is_wanted:
        return None
    return Outcome.FAILED if occupant.fault else Outcome.STOPPING


def _why(occupant: Occupant, stop: Operation | None) -> str | None:
    return str(stop.error["error"]) if stop is not None and stop.error else occupant.fault


async def take_turns(tx: Tx, host_id: UUID) -> None:
    """Have nobody else begin or end a drain of this host before `tx` ends."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('drain ' || $1::text, 0))", str(host_id))


async def add(tx: Tx, drain: Drain) -> None:
    await tx.execute(
        "insert into drains (host_id, operation_id, grace_s, user_id, username) values ($1, $2, $3, $4, $5)",
        drain.host.id,
        drain.operation_id,
        drain.grace_s,
        drain.by.user_id if drain.by else None,
        drain.username,
    )


async def lock(tx: Tx, host_id: UUID) -> Drain | None:
    """The drain of this host that is under way, locked; its host is not."""
    row = await tx.fetchrow(
        """
        select d.operation_id, d.grace_s, d.user_id, d.username, h.name, h.generation, h.cordoned,
               h.silent_since is not null as is_silent, h.abandoned_at is not null as is_abandoned
        from drains d join hosts h on h.id = d.host_id where d.host_id = $1 for update of d
        """,
        host_id,
    )
    if row is None:
        return None
    host = Host(
        id=host_id,
        name=row["name"],
        generation=row["generation"],
        is_cordoned=row["cordoned"],
        is_silent=row["is_silent"],
        is_abandoned=row["is_abandoned"],
    )
    by = Actor(row["user_id"], row["username"], Role.ADMIN) if row["user_id"] else None
    return Drain(host=host, operation_id=row["operation_id"], grace_s=row["grace_s"], by=by, username=row["username"])


async def remove(tx: Tx, host_id: UUID) -> None:
    """End the drain of this host, if there is one."""
    await tx.execute("delete from drains where host_id = $1", host_id)
