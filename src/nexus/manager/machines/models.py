"""A row of `machines`: what the engine moves, wherever it stands between wish and observation."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from uuid import UUID

from nexus.kit.db import Record
from nexus.manager.machines.lifecycle import FAULT_PATIENCE_S, Facts, Goal, RestartPolicy
from nexus.protocol.machines import Exit, GuestPhase, Power, RestoreSpec


@dataclass(frozen=True, kw_only=True)
class Machine:
    id: UUID
    host_id: UUID
    vcpus: int
    memory_mib: int
    grace_s: int
    stage: str | None
    address: IPv4Address | None
    started_at: datetime | None
    pending: frozenset[str]
    """What of the accepted definition the running boot does not have."""
    restore: RestoreSpec | None
    """Which boot begins from which snapshot, while that is there."""
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class NewMachine:
    id: UUID
    project_id: UUID
    created_by_user_id: UUID | None
    kind: str
    host_id: UUID
    vcpus: int
    memory_mib: int
    kernel_image_id: UUID
    initramfs_image_id: UUID
    boot_args: str | None
    goal: Goal
    restart_policy: RestartPolicy
    restore_snapshot_id: UUID | None = None
    """What its first boot begins from."""


@dataclass(frozen=True)
class Change:
    """A machine about which a report had something new; `shows` when users see it in more than the machine's stage."""

    machine_id: UUID
    shows: bool


SETTINGS = (
    *("vcpus", "memory_mib", "kernel_image_id", "initramfs_image_id", "has_guest_agent", "boot_args"),
    *("balloon_mib", "balloon_deflates_on_oom", "balloon_stats_s", "entropy_limit", "console_bytes"),
    *("log_level", "cpu_config", "vsock_cid", "metadata", "user_data"),
)
"""Columns of the definition that users set one by one."""


COLUMNS = f"""
m.id as machine_id, m.host_id, m.vcpus, m.memory_mib, m.grace_s, m.goal, m.generation, m.boot, m.restart_policy,
m.fault, m.late, m.seen, m.seen_guest, m.seen_generation, m.seen_boot, m.seen_fault,
coalesce(m.seen_fault_at < now() - interval '{FAULT_PATIENCE_S} seconds', false) as fault_persists,
m.exit, m.stage, m.address, m.started_at, m.seen_pending, m.seen_applying,
m.abandoned, m.restore_snapshot_id, m.restore_boot,
(select s.state from snapshots s where s.id = m.restore_snapshot_id) as restore_state,
(select s.fault from snapshots s where s.id = m.restore_snapshot_id) as restore_fault
"""
"""What `machine_of` reads, from `machines m`."""


def machine_of(row: Record) -> Machine:
    return Machine(
        id=row["machine_id"],
        host_id=row["host_id"],
        vcpus=row["vcpus"],
        memory_mib=row["memory_mib"],
        grace_s=row["grace_s"],
        stage=row["stage"],
        address=row["address"],
        started_at=row["started_at"],
        pending=frozenset(row["seen_pending"]),
        restore=_restore_of(row),
        facts=_facts_of(row),
    )


def _restore_of(row: Record) -> RestoreSpec | None:
    if row["restore_snapshot_id"] is None or row["restore_boot"] is None:
        return None
    return RestoreSpec(snapshot=row["restore_snapshot_id"], boot=row["restore_boot"])


_UNUSABLE = {
    None: "The snapshot that it was to begin from is not there any more.",
    "failed": "The snapshot that it was to begin from could not be taken.",
    "deleting": "The snapshot that it was to begin from is being deleted.",
}


def _restore_fault(row: Record) -> str | None:
    if row["restore_state"] not in _UNUSABLE:
        return None
    return " ".join(filter(None, (_UNUSABLE[row["restore_state"]], row["restore_fault"])))


def _facts_of(row: Record) -> Facts:
    return Facts(
        goal=Goal(row["goal"]),
        generation=row["generation"],
        boot=row["boot"],
        restart_policy=RestartPolicy(row["restart_policy"]),
        fault=row["fault"],
        late=row["late"],
        seen=Power(row["seen"]) if row["seen"] else None,
        seen_guest=GuestPhase(row["seen_guest"]),
        seen_generation=row["seen_generation"],
        seen_boot=row["seen_boot"],
        seen_fault=row["seen_fault"],
        seen_applying=row["seen_applying"],
        is_abandoned=row["abandoned"],
        restore_boot=row["restore_boot"],
        restore_is_ready=row["restore_state"] == "completed",
        restore_fault=_restore_fault(row),
        fault_persists=row["fault_persists"],
        exit=Exit.model_validate(row["exit"]) if row["exit"] else None,
    )
