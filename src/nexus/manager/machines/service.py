"""Taking in what hosts report, and telling those whose machines changed.

What a machine is for (a VM, later a container or a function) is not known here: whoever owns a kind of machine watches
it, in the transaction that records the news.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.hosts.models import HostRef
from nexus.manager.machines import repository
from nexus.manager.machines.lifecycle import Goal, RestartPolicy
from nexus.manager.machines.models import Change, Machine, NewMachine
from nexus.protocol.hosts import Heartbeat
from nexus.protocol.machines import MachineSeen


async def add(tx: Tx, new: NewMachine) -> None:
    """Add a machine; with goal ON it wishes for its first boot. Its host's room must be reserved (`Hosts.reserve`)."""
    await repository.add(tx, new)


async def aim(
    tx: Tx,
    machine_id: UUID,
    goal: Goal,
    *,
    boots_again: bool = False,
    grace_s: int | None = None,
    fault: str | None = None,
) -> int:
    """Wish for `goal` (and one more boot) on a machine that is locked; the answer is the new generation."""
    return await repository.aim(tx, machine_id, goal, boots_again=boots_again, grace_s=grace_s, fault=fault)


async def amend(tx: Tx, machine_id: UUID) -> int:
    """Say that the definition of a locked machine has changed, its goal has not; the answer is the new generation."""
    return await repository.amend(tx, machine_id)


async def configure(tx: Tx, machine_id: UUID, settings: Mapping[str, Any]) -> None:
    """Change settings (`models.SETTINGS`) of a locked machine. Its host's room must be reserved (`Hosts.reserve`)."""
    await repository.configure(tx, machine_id, settings)


async def settings(reader: Reader, machine_id: UUID) -> dict[str, Any]:
    """What users set of a machine, by column (`models.SETTINGS`)."""
    return await repository.settings(reader, machine_id)


async def restore(tx: Tx, machine_id: UUID, snapshot_id: UUID | None) -> None:
    """Have the next boot that is asked for of a locked machine begin from a snapshot; None: from its disks as they are.
    A new generation must follow (`aim`)."""
    await repository.restore(tx, machine_id, snapshot_id)


async def restored(tx: Tx, machine_id: UUID) -> None:
    """Note that the boot that was to begin from a snapshot has come up: no later one does."""
    await repository.restored(tx, machine_id)


async def forget_memory(tx: Tx, machine_id: UUID) -> None:
    """Have a machine that was to go on from a snapshot of itself boot from its disks as they are. A new
    generation must follow (`aim`)."""
    await repository.forget_memory(tx, machine_id)


async def awaiting(tx: Tx, snapshot_id: UUID) -> list[UUID]:
    """The machines that are to begin from this snapshot and have not; they are locked from now on."""
    return await repository.awaiting(tx, snapshot_id)


async def boot_again(tx: Tx, machine_id: UUID, goal: Goal) -> None:
    """Wish for one more boot within the present generation: nobody asked for anything new."""
    await repository.boot_again(tx, machine_id, goal)


async def set_restart_policy(tx: Tx, machine_id: UUID, policy: RestartPolicy) -> None:
    """Change what becomes of a locked machine when its host restarts; it is nothing its host has to know."""
    await repository.set_restart_policy(tx, machine_id, policy)


async def note_fault(tx: Tx, machine_id: UUID, fault: str) -> None:
    """Record why the present wish cannot come true."""
    await repository.note_fault(tx, machine_id, fault)


async def note_late(tx: Tx, machine_id: UUID, late: str | None) -> None:
    """Record why the present wish counts as failed although it is still being pursued; None: it has come true."""
    await repository.note_late(tx, machine_id, late)


async def erase(tx: Tx, machine_id: UUID) -> None:
    """Remove a machine of which its host has nothing left."""
    await repository.erase(tx, machine_id)


class Watcher(Protocol):
    """Called with news about machines, in their transaction; the machines' rows are locked."""

    async def noticed(self, tx: Tx, changes: Sequence[Change]) -> None: ...

    async def written_off(self, tx: Tx, machine_ids: Sequence[UUID], *, why: str) -> None:
        """These were on a host that was abandoned: nothing of them can be reached any more."""


class Machines:
    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` told of all news; it picks out its own machines."""
        self._watchers.append(watcher)

    async def take_in(self, tx: Tx, host_id: UUID, heartbeat: Heartbeat, *, floor_seq: int) -> list[UUID]:
        """Record a heartbeat's observations. The answer, to a full one: machines the host has and may discard.

        `floor_seq` is the seq of the host's newest full report of the same boot, 0 after a restart of the host.
        """
        changes = await repository.apply(
            tx,
            host_id,
            heartbeat.machines,
            boot_id=heartbeat.boot_id,
            floor_seq=floor_seq,
            is_full=heartbeat.full,
        )
        present = [one.id for one in heartbeat.machines]
        if heartbeat.full:
            lost = await repository.missing(tx, host_id, present, boot_id=heartbeat.boot_id, seq=heartbeat.seq)
            changes += [Change(machine_id, shows=True) for machine_id in lost]
        await self._tell(tx, changes)
        return await repository.confirmed_gone(tx, host_id, present) if heartbeat.full and present else []

    async def absorb(self, tx: Tx, host: HostRef, seen: MachineSeen) -> Machine | None:
        """Record what an agent answered to a flow, which has locked the machine; the machine as it is then, None: the
        answer was no news. Nobody is told: the flow looks for itself."""
        return await repository.absorb(tx, host.id, seen, boot_id=host.boot_id, floor_seq=host.seen_seq)

    async def lock_on(self, tx: Tx, host_id: UUID) -> list[UUID]:
        """Lock the machines of a host, which comes before locking the host; their ids."""
        return await repository.lock_on(tx, host_id)

    async def look_again(self, tx: Tx, machine_ids: Sequence[UUID]) -> None:
        """Tell of these machines, which are locked: their host has fallen silent, or reports again."""
        await self._tell(tx, [Change(machine_id, shows=False) for machine_id in machine_ids])

    async def write_off(self, tx: Tx, host_id: UUID, *, why: str) -> int:
        """Record that the machines of an abandoned host are lost, as far as that is not recorded; how many."""
        machine_ids = await repository.write_off(tx, host_id, fault=why)
        if machine_ids:
            for watcher in self._watchers:
                await watcher.written_off(tx, machine_ids, why=why)
        return len(machine_ids)

    async def _tell(self, tx: Tx, changes: Sequence[Change]) -> None:
        if changes:
            for watcher in self._watchers:
                await watcher.noticed(tx, changes)
