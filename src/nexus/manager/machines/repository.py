"""The SQL of machines: writing wishes, and taking in what hosts report.

Of two reports the newer counts: the one with the greater `seq`, or any from a boot of the host that is not the one of
the last report (those from a boot that is over do not get here). Rows are locked in the order of their ids, so that two
transactions cannot wait for each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Record, Tx
from nexus.manager.machines.lifecycle import Goal, RestartPolicy
from nexus.manager.machines.models import COLUMNS, SETTINGS, Change, Machine, NewMachine, machine_of
from nexus.protocol.machines import MachineSeen


async def add(tx: Tx, new: NewMachine) -> None:
    """Add a machine; with goal ON it wishes for its first boot."""
    await tx.execute(
        """
        insert into machines (id, project_id, created_by_user_id, kind, host_id, vcpus, memory_mib, kernel_image_id,
                              initramfs_image_id, boot_args, goal, boot, restart_policy, restore_snapshot_id,
                              restore_boot)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, case when $14::uuid is not null then 1 end)
        """,
        new.id,
        new.project_id,
        new.created_by_user_id,
        new.kind,
        new.host_id,
        new.vcpus,
        new.memory_mib,
        new.kernel_image_id,
        new.initramfs_image_id,
        new.boot_args,
        new.goal,
        1 if new.goal is Goal.ON else 0,
        new.restart_policy,
        new.restore_snapshot_id,
    )


async def settings(reader: Reader, machine_id: UUID) -> dict[str, Any]:
    """What users set of a machine, by column (`models.SETTINGS`)."""
    row = await reader.fetchrow(f"select {', '.join(SETTINGS)} from machines where id = $1", machine_id)
    return dict(row) if row is not None else {}


async def restore(tx: Tx, machine_id: UUID, snapshot_id: UUID | None) -> None:
    """Have the next boot that is asked for begin from a snapshot; None: from the disks as they are."""
    await tx.execute(
        """
        update machines set restore_snapshot_id = $2, restore_boot = case when $2::uuid is not null then boot + 1 end
        where id = $1
        """,
        machine_id,
        snapshot_id,
    )


async def restored(tx: Tx, machine_id: UUID) -> None:
    """Note that the boot that was to begin from a snapshot has come up: no later one does."""
    await tx.execute("update machines set restore_boot = null where id = $1 and restore_boot <= seen_boot", machine_id)


async def forget_memory(tx: Tx, machine_id: UUID) -> None:
    """Have a machine that was to go on from a snapshot of itself boot from its disks as they are."""
    await tx.execute(
        """
        update machines m set restore_snapshot_id = null, restore_boot = null from snapshots s
        where m.id = $1 and s.id = m.restore_snapshot_id and s.machine_id = m.id
        """,
        machine_id,
    )


async def awaiting(tx: Tx, snapshot_id: UUID) -> list[UUID]:
    """The machines that are to begin from this snapshot and have not, locked."""
    rows = await tx.fetch(
        """
        select id from machines where restore_snapshot_id = $1 and seen_boot < restore_boot order by id for update
        """,
        snapshot_id,
    )
    return [row["id"] for row in rows]


async def aim(
    tx: Tx,
    machine_id: UUID,
    goal: Goal,
    *,
    boots_again: bool = False,
    grace_s: int | None = None,
    fault: str | None = None,
) -> int:
    """Wish for `goal` (and one more boot): a new generation, which is the answer. It starts without a fault, unless one
    is given, and a machine that its host had lost counts as never defined. Where a boot was to begin from a snapshot
    and never came so far, the one more boot is to do that."""
    return await tx.fetchval(
        """
        update machines set goal = $2, generation = generation + 1, boot = boot + $3, grace_s = coalesce($4, grace_s),
            fault = $5, late = null, updated_at = now(),
            restore_boot = case when $3 = 1 and restore_boot = boot and (seen_boot < boot or (
                (exit ->> 'boot')::integer = boot and exit ->> 'reason' in ('vmm_failed', 'boot_timeout')))
                then boot + 1 else restore_boot end,
            seen_generation = case when seen = 'absent' then 0 else seen_generation end
        where id = $1 returning generation
        """,
        machine_id,
        goal,
        int(boots_again),
        grace_s,
        fault,
    )


async def amend(tx: Tx, machine_id: UUID) -> int:
    """A new generation of the same wish, because the definition has changed; the answer is its number."""
    return await tx.fetchval(
        "update machines set generation = generation + 1, updated_at = now() where id = $1 returning generation",
        machine_id,
    )


async def configure(tx: Tx, machine_id: UUID, settings: Mapping[str, Any]) -> None:
    names = [name for name in SETTINGS if name in settings]
    assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(names, start=2))
    await tx.execute(f"update machines set {assignments} where id = $1", machine_id, *(settings[n] for n in names))


async def boot_again(tx: Tx, machine_id: UUID, goal: Goal) -> None:
    """Wish for one more boot within the present generation: nobody asked for anything new."""
    await tx.execute(
        "update machines set goal = $2, boot = boot + 1, updated_at = now() where id = $1", machine_id, goal
    )


async def set_restart_policy(tx: Tx, machine_id: UUID, policy: RestartPolicy) -> None:
    await tx.execute("update machines set restart_policy = $2, updated_at = now() where id = $1", machine_id, policy)


async def note_fault(tx: Tx, machine_id: UUID, fault: str) -> None:
    """Record why the present wish cannot come true."""
    await tx.execute("update machines set fault = $2, updated_at = now() where id = $1", machine_id, fault)


async def note_late(tx: Tx, machine_id: UUID, late: str | None) -> None:
    """Record why the present wish counts as failed although it is still being pursued; None: it has come true."""
    await tx.execute(
        "update machines set late = $2, updated_at = now() where id = $1 and late is distinct from $2", machine_id, late
    )


async def erase(tx: Tx, machine_id: UUID) -> None:
    """Remove the row and all that hangs on it, remembering that the host may discard what it has of it."""
    await tx.execute(
        """
        with erased as (delete from machines where id = $1 returning id, host_id)
        insert into discarded_machines (id, host_id) select id, host_id from erased on conflict do nothing
        """,
        machine_id,
    )


async def lock_on(tx: Tx, host_id: UUID) -> list[UUID]:
    """Lock the machines of this host; their ids."""
    rows = await tx.fetch("select id from machines where host_id = $1 order by id for update", host_id)
    return [row["id"] for row in rows]


async def write_off(tx: Tx, host_id: UUID, *, fault: str) -> list[UUID]:
    """Have the machines of a host that was abandoned wish for nothing and hold nothing there, but for those that are to
    go: that stays. Their ids; those that know it already are not among them."""
    rows = await tx.fetch(
        "select id from machines where host_id = $1 and not abandoned order by id for update", host_id
    )
    ids = [row["id"] for row in rows]
    await tx.execute(
        """
        update machines set abandoned = true, fault = $2, goal = case goal when 'gone' then goal else 'off' end,
            seen = 'absent', seen_guest = 'absent', seen_fault = null, seen_fault_at = null, stage = null,
            address = null, started_at = null, warnings = '{}', seen_pending = '{}', seen_applying = false,
            seen_vcpus = null, seen_memory_mib = null, updated_at = now()
        where id = any($1)
        """,
        ids,
        fault,
    )
    return ids


async def apply(
    tx: Tx, host_id: UUID, seen: Sequence[MachineSeen], *, boot_id: str, floor_seq: int, is_full: bool
) -> list[Change]:
    """Take in what a host saw, as far as it is newer than what is known; what changed by it.

    `floor_seq` is that of the host's newest full report in the same boot: nothing older counts. A full report moves
    that floor, so it leaves rows alone about which it has nothing new.
    """
    if not seen:
        return []
    reports = [one.model_dump(mode="json") for one in seen]
    news = await tx.fetch(_LOCK_NEWS, host_id, boot_id, floor_seq, reports)
    known = {row["id"]: _shown(row) for row in news}
    rows = await tx.fetch(_APPLY, host_id, boot_id, floor_seq, reports, list(known)) if known else []
    if not is_full and len(rows) < len(reports):
        await tx.execute(_REMEMBER_SEQ, host_id, boot_id, reports)
    return [Change(row["id"], shows=known[row["id"]] != _shown(row)) for row in rows]


async def absorb(tx: Tx, host_id: UUID, seen: MachineSeen, *, boot_id: str, floor_seq: int) -> Machine | None:
    """Take in one observation of a machine that is locked; the machine as it is then, None: there was nothing new."""
    reports = [seen.model_dump(mode="json")]
    row = await tx.fetchrow(_ABSORB, host_id, boot_id, floor_seq, reports, [seen.id])
    if row is not None:
        return machine_of(row)
    await tx.execute(_REMEMBER_SEQ, host_id, boot_id, reports)
    return None


def _shown(row: Record) -> tuple[object, ...]:
    """What users see of an observation besides state and stage."""
    return row["seen_guest"], row["address"], row["seen_pending"], row["warnings"]


_REPORTS = """
jsonb_to_recordset({}) as s(
    id uuid, seq bigint, generation bigint, power text, boot integer, guest text, address inet, stage text, fault text,
    exit jsonb, started_at timestamptz, pending text[], is_applying boolean, vcpus integer, memory_mib integer,
    warnings text[]
)
"""

_IS_NEWS = """
m.id = s.id and m.host_id = $1 and not m.abandoned
and (m.seen_boot_id is distinct from $2 or s.seq > greatest(m.seen_seq, $3))
and (m.seen, m.seen_guest, m.seen_generation, m.seen_boot, m.seen_fault, m.stage, m.address, m.exit, m.started_at,
     m.seen_pending, m.seen_applying, m.seen_vcpus, m.seen_memory_mib, m.warnings)
    is distinct from
    (s.power, s.guest, case when s.power = 'absent' then m.seen_generation else s.generation end, s.boot, s.fault,
     s.stage, s.address, s.exit, s.started_at, s.pending, s.is_applying, s.vcpus, s.memory_mib, s.warnings)
"""

_LOCK_NEWS = f"""
select m.id, m.seen_guest, m.address, m.seen_pending, m.warnings from machines m, {_REPORTS.format("$4")}
where {_IS_NEWS} order by m.id for update of m
"""
"""Locks no row about which there is nothing new: most of the time that is all of them."""

_UPDATE = f"""
update machines m set
    seen = s.power, seen_guest = s.guest, seen_boot = s.boot, seen_fault = s.fault, stage = s.stage,
    seen_fault_at = case when s.fault is null then null else coalesce(m.seen_fault_at, now()) end,
    seen_generation = case when s.power = 'absent' then m.seen_generation else s.generation end,
    address = s.address, exit = s.exit, started_at = s.started_at,
    seen_pending = s.pending, seen_applying = s.is_applying, seen_vcpus = s.vcpus, seen_memory_mib = s.memory_mib,
    warnings = s.warnings,
    seen_boot_id = $2, seen_seq = s.seq, seen_at = now(), updated_at = now()
from {_REPORTS.format("$4")}
where m.id = any($5) and {_IS_NEWS}
returning"""

_APPLY = f"{_UPDATE} m.id, m.seen_guest, m.address, m.seen_pending, m.warnings"
_ABSORB = f"{_UPDATE} {COLUMNS}"

_REMEMBER_SEQ = f"""
update machines m set seen_seq = s.seq
from {_REPORTS.format("$3")}
where m.id = s.id and m.host_id = $1 and m.seen_boot_id = $2 and m.seen_seq < s.seq
"""


async def missing(tx: Tx, host_id: UUID, present: Sequence[UUID], *, boot_id: str, seq: int) -> list[UUID]:
    """Record as absent what this host should have and no longer lists in a full report; their ids."""
    rows = await tx.fetch(
        """
        select id from machines
        where host_id = $1 and id <> all($2) and seen <> 'absent' and not abandoned
          and (seen_boot_id is distinct from $3 or seen_seq < $4)
        order by id for update
        """,
        host_id,
        list(present),
        boot_id,
        seq,
    )
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    await tx.execute(
        """
        update machines set seen = 'absent', seen_guest = 'absent', stage = null, seen_pending = '{}', warnings = '{}',
            seen_applying = false, seen_vcpus = null, seen_memory_mib = null, seen_boot_id = $2, seen_seq = $3,
            seen_at = now(), updated_at = now() where id = any($1)
        """,
        ids,
        boot_id,
        seq,
    )
    return ids


async def confirmed_gone(reader: Reader, host_id: UUID, claimed: Sequence[UUID]) -> list[UUID]:
    """Which of the machines that a host has were on it, or on one that was removed, and are known to be gone. Those
    nobody has ever heard of are not among them: after a database was restored from a backup they may be somebody's."""
    rows = await reader.fetch(
        """
        select d.id from discarded_machines d
        where (d.host_id = $1 or d.host_id is null) and d.id = any($2)
          and not exists (select from machines m where m.id = d.id)
        """,
        host_id,
        list(claimed),
    )
    return [row["id"] for row in rows]
