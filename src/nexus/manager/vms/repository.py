"""The SQL of VMs. The lock of a VM is its machine's row, so that reports of hosts and wishes of users take turns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from nexus.kit.db import Reader, Tx
from nexus.manager.access import visible_to
from nexus.manager.machines.models import SETTINGS
from nexus.manager.vms.errors import VmNameTaken, VmNotFound
from nexus.manager.vms.lifecycle import State
from nexus.manager.vms.models import SELECT, Vm, vm_of
from nexus.protocol.machines import GuestSpec, GuestUser

_EDITABLE = ("name", "description", "tags", "environment", "owner")


async def lock(tx: Tx, vm_id: UUID, *, sees_only: UUID | None) -> Vm:
    """The VM, locked until `tx` ends. Raises VmNotFound, also for one that is not the asker's (`Actor.sees_only`).

    Both its rows, or whoever waited for the machine's would be given the state that the VM had before the wait."""
    visible = visible_to(2, owner="v.created_by_user_id")
    row = await tx.fetchrow(
        f"{SELECT} where v.id = $1 and {visible} for update of m for no key update of v", vm_id, sees_only
    )
    if row is None:
        raise VmNotFound
    return vm_of(row)


async def find(reader: Reader, vm_id: UUID, *, sees_only: UUID | None) -> Vm | None:
    row = await reader.fetchrow(
        f"{SELECT} where v.id = $1 and {visible_to(2, owner='v.created_by_user_id')}", vm_id, sees_only
    )
    return None if row is None else vm_of(row)


async def of_machines(tx: Tx, machine_ids: Sequence[UUID]) -> list[Vm]:
    """The VMs that are these machines; the machines are locked already."""
    rows = await tx.fetch(f"{SELECT} where m.id = any($1) order by m.id", list(machine_ids))
    return [vm_of(row) for row in rows]


async def on_host(reader: Reader, host_id: UUID) -> list[Vm]:
    """The VMs of this host, in the order of their machines' ids."""
    return [vm_of(row) for row in await reader.fetch(f"{SELECT} where m.host_id = $1 order by m.id", host_id)]


async def is_taken(tx: Tx, project_id: UUID, name: str) -> bool:
    """Whether a VM has this name, in whatever case: it is its guest's host name."""
    return await tx.fetchval(
        "select exists (select from vms where project_id = $1 and lower(name) = lower($2))", project_id, name
    )


@dataclass(frozen=True, kw_only=True)
class NewVm:
    id: UUID
    machine_id: UUID
    project_id: UUID
    created_by_user_id: UUID
    name: str
    description: str
    tags: list[str]
    environment: str
    owner: str
    username: str
    password_sealed: bytes
    password_hash: str
    ssh_authorized_keys: list[str]
    template_id: UUID | None = None
    source_snapshot_id: UUID | None = None
    cloned_from_id: UUID | None = None


async def add(tx: Tx, new: NewVm) -> None:
    """Add a VM in state creating. Raises VmNameTaken."""
    try:
        await tx.execute(
            """
            insert into vms (id, machine_id, project_id, created_by_user_id, name, description, tags, environment,
                             owner, state, username, password_sealed, password_hash, ssh_authorized_keys,
                             template_id, source_snapshot_id, cloned_from_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            """,
            new.id,
            new.machine_id,
            new.project_id,
            new.created_by_user_id,
            new.name,
            new.description,
            new.tags,
            new.environment,
            new.owner,
            State.CREATING,
            new.username,
            new.password_sealed,
            new.password_hash,
            new.ssh_authorized_keys,
            new.template_id,
            new.source_snapshot_id,
            new.cloned_from_id,
        )
    except asyncpg.UniqueViolationError as taken:
        raise VmNameTaken(new.name) from taken


async def edit(tx: Tx, vm_id: UUID, changes: Mapping[str, object]) -> None:
    """Set fields (`_EDITABLE`). Raises VmNameTaken."""
    fields = [field for field in _EDITABLE if field in changes]
    assignments = "".join(f"{field} = ${place}, " for place, field in enumerate(fields, start=2))
    try:
        await tx.execute(
            f"update vms set {assignments} updated_at = now() where id = $1",
            vm_id,
            *(changes[field] for field in fields),
        )
    except asyncpg.UniqueViolationError as taken:
        raise VmNameTaken(str(changes["name"])) from taken


async def write_state(tx: Tx, vm_id: UUID, state: State) -> bool:
    """Store the state; False: it was that already. Only `states.refresh` may call this."""
    changed = await tx.fetchval(
        "update vms set state = $2, updated_at = now() where id = $1 and state <> $2 returning id", vm_id, state
    )
    return changed is not None


async def note_why(tx: Tx, vm_id: UUID, why: str | None) -> None:
    """Record how the VM came to its state without anybody asking; None: somebody asked."""
    await tx.execute("update vms set why = $2 where id = $1 and why is distinct from $2", vm_id, why)


async def note_snapshot(tx: Tx, vm_id: UUID, snapshot_id: UUID) -> None:
    """Record what was last taken of the VM, or what it last went back to."""
    await tx.execute("update vms set last_snapshot_id = $2, updated_at = now() where id = $1", vm_id, snapshot_id)


async def labels(reader: Reader, vm_id: UUID) -> dict[str, Any]:
    """What a VM is called by besides its name, and who may log in."""
    row = await reader.fetchrow(
        """
        select v.description, v.tags, v.environment, v.owner, v.username, v.ssh_authorized_keys, m.restart_policy
        from vms v join machines m on m.id = v.machine_id where v.id = $1
        """,
        vm_id,
    )
    if row is None:
        raise VmNotFound
    return dict(row)


_SPEC_FIELDS = tuple(name for name in SETTINGS if name not in ("kernel_image_id", "initramfs_image_id"))
"""Columns of `machines` that hosts are told as they are."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What a machine's definition takes from the VM and its images."""

    kernel_sha256: str
    initramfs_sha256: str
    settings: Mapping[str, Any]
    """Fields of MachineSpec by their names."""
    guest: GuestSpec


async def definition(tx: Tx, vm_id: UUID) -> Definition:
    row = await tx.fetchrow(
        f"""
        select k.sha256 as kernel, i.sha256 as initramfs, v.name, v.username, v.password_hash, v.ssh_authorized_keys,
               {", ".join(f"m.{name}" for name in _SPEC_FIELDS)}
        from vms v join machines m on m.id = v.machine_id
        join images k on k.id = m.kernel_image_id join images i on i.id = m.initramfs_image_id
        where v.id = $1
        """,
        vm_id,
    )
    if row is None:
        raise VmNotFound
    user = GuestUser(
        name=row["username"],
        password_hash=row["password_hash"],
        ssh_authorized_keys=tuple(row["ssh_authorized_keys"]),
    )
    return Definition(
        kernel_sha256=row["kernel"],
        initramfs_sha256=row["initramfs"],
        settings={name: row[name] for name in _SPEC_FIELDS},
        guest=GuestSpec(hostname=row["name"].lower(), user=user),
    )


async def configuration(reader: Reader, vm_id: UUID) -> dict[str, Any]:
    """What a VM is made of, under the names that requests have for it; nothing secret, nothing that is its alone."""
    row = await reader.fetchrow(
        """
        select m.vcpus as vcpu, m.memory_mib as mem_mib, m.kernel_image_id, root.image_id as rootfs_image_id,
               v.username, v.ssh_authorized_keys, coalesce(upper.size_bytes, root.size_bytes) as disk_size_bytes,
               v.tags, v.environment, v.owner, m.boot_args, m.restart_policy
        from vms v join machines m on m.id = v.machine_id
        join drives root on root.machine_id = m.id and root.role = 'root'
        left join drives upper on upper.machine_id = m.id and upper.role = 'overlay'
        where v.id = $1
        """,
        vm_id,
    )
    if row is None:
        raise VmNotFound
    return dict(row)


async def sealed_password(reader: Reader, vm_id: UUID) -> bytes | None:
    return await reader.fetchval("select password_sealed from vms where id = $1", vm_id)
