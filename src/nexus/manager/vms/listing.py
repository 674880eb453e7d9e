"""VMs as JSON, put together by PostgreSQL: one statement for a page of a hundred, without a Python object for any.

What may be done with a VM is a rule of `lifecycle`; the statement is handed it as a small table from circumstances
(`_KEY`) to the finished list of actions, in which only the name is still to be filled in.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader
from nexus.kit.paging import Page, conditions
from nexus.manager.access import visible_to
from nexus.manager.metrics.models import USAGE
from nexus.manager.vms.lifecycle import Circumstances, State, actions

_NAME = "{name}"
_KEY = """
case when v.state = 'running'
     then concat_ws(' ', v.state, m.seen_guest = 'ready', h.facts -> 'offers' ? 'pause',
                    h.facts -> 'offers' ? 'ctrl_alt_del', h.facts -> 'offers' ? 'snapshot')
     when v.state = 'error' then concat_ws(' ', v.state, m.abandoned, h.facts -> 'offers' ? 'snapshot')
     when v.state in ('paused', 'stopped', 'suspended') then concat_ws(' ', v.state, h.facts -> 'offers' ? 'snapshot')
     else v.state end
"""

_JOINS = f"""
join machines m on m.id = v.machine_id join hosts h on h.id = m.host_id
join images k on k.id = m.kernel_image_id
join drives root on root.machine_id = m.id and root.role = 'root' join images r on r.id = root.image_id
left join drives upper on upper.machine_id = m.id and upper.role = 'overlay'
left join nics c on c.machine_id = m.id and c.iface_id = 'eth0'
join unnest($1::text[], $2::text[]) as a(key, actions) on a.key = {_KEY}
"""

_ITEM = f"""
json_build_object(
    'id', v.id, 'name', v.name, 'state', v.state, 'guest', m.seen_guest, 'why', v.why,
    'fault', coalesce(m.fault, case when m.seen_generation >= m.generation then m.seen_fault end,
                      case when v.state = 'error' then m.late end), 'stage', m.stage,
    'description', v.description, 'tags', v.tags, 'environment', v.environment, 'owner', v.owner,
    'vcpu', m.vcpus, 'mem_mib', m.memory_mib, 'disk_size_bytes', coalesce(upper.size_bytes, root.size_bytes),
    'kernel_image_id', k.id, 'kernel', k.name, 'kernel_path', k.path,
    'rootfs_image_id', r.id, 'image', r.name, 'rootfs_path', r.path, 'boot_args', m.boot_args,
    'restart_policy', m.restart_policy,
    'username', v.username, 'ssh_authorized_keys', v.ssh_authorized_keys,
    'host_id', h.id, 'host_name', h.name, 'host_addr', h.address,
    'warnings', m.warnings, 'pending_changes', m.seen_pending,
    'guest_ip', host(m.address), 'guest_mac', c.mac, 'started_at', m.started_at,
    'operation_id', (select o.id from operations o
                     where o.subject_kind = 'vm' and o.subject_id = v.id and o.status = 'running'
                     order by o.generation desc, o.created_at desc limit 1),
    'template_id', v.template_id, 'source_snapshot_id', v.source_snapshot_id, 'cloned_from_id', v.cloned_from_id,
    'actions', replace(a.actions, '{_NAME}', v.name)::json, 'created_by_user_id', v.created_by_user_id,
    'created_at', v.created_at, 'updated_at', greatest(v.updated_at, m.updated_at)
)
"""
"""A VM as `schemas.VmBody` describes it; a test compares the two."""

_LISTED = f"{_ITEM.rstrip().removesuffix(')')}, 'usage', {USAGE})"
"""A VM of a list (`schemas.ListedVm`): with what changes by the second, and so is in no version of a VM."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which VMs a list is to hold; None and empty: all."""

    q: str | None = None
    name: str | None = None
    states: Sequence[State] = ()
    tags: Sequence[str] = ()
    host: str | None = None
    """Its name or id."""


async def list_json(reader: Reader, page: Page, wanted: Wanted, *, project_id: UUID, sees_only: UUID | None) -> bytes:
    """The answer of `GET /v1/vms`."""
    keys, values = _actions()
    args: list[object] = [keys, values]
    where = _where(args, wanted, project_id=project_id, sees_only=sees_only)
    sql = page.json_query(
        item=_LISTED,
        source="vms v join machines m on m.id = v.machine_id left join machine_usage u on u.machine_id = v.machine_id",
        where=where,
        args=args,
        rows=f"join vms v on v.id = page_id {_JOINS} left join machine_usage u on u.machine_id = m.id",
    )
    return page.json_answer(await reader.fetchrow(sql, *args))


def _where(args: list[object], wanted: Wanted, *, project_id: UUID, sees_only: UUID | None) -> str:
    return conditions(
        args,
        ("v.project_id = {}", project_id),
        ("v.created_by_user_id = {}", sees_only),
        ("v.name = {}", wanted.name),
        ("strpos(lower(v.name || ' ' || v.description), lower({})) > 0", wanted.q),
        ("v.state = any({}::text[])", list(wanted.states) or None),
        ("v.tags @> {}::text[]", list(wanted.tags) or None),
        ("m.host_id in (select h.id from hosts h where {} in (h.name, h.id::text))", wanted.host),
    )


async def ids(reader: Reader, wanted: Wanted, *, project_id: UUID, sees_only: UUID | None, limit: int) -> list[UUID]:
    """The VMs of such a list, by name, at most `limit`."""
    args: list[object] = [limit]
    where = _where(args, wanted, project_id=project_id, sees_only=sees_only)
    rows = await reader.fetch(f"select v.id from vms v where {where} order by v.name limit $1", *args)
    return [row["id"] for row in rows]


async def find_json(reader: Reader, vm_id: UUID, *, sees_only: UUID | None) -> str | None:
    """One VM as JSON text, if the asker may see it."""
    keys, values = _actions()
    return await reader.fetchval(
        f"select ({_ITEM})::text from vms v {_JOINS} where v.id = $3 and {visible_to(4, owner='v.created_by_user_id')}",
        keys,
        values,
        vm_id,
        sees_only,
    )


@cache
def _actions() -> tuple[list[str], list[str]]:
    """For every value of `_KEY` the list of actions as JSON, with `_NAME` where the VM's name goes."""
    table: dict[str, str] = {}
    for state, (lost, ready, pause, keys, snapshot) in product(State, product((True, False), repeat=5)):
        circumstances = Circumstances(
            is_abandoned=lost,
            guest_is_ready=ready,
            can_pause=pause,
            can_ctrl_alt_del=keys,
            can_snapshot=snapshot,
        )
        decisive = {
            State.RUNNING: (ready, pause, keys, snapshot),
            State.ERROR: (lost, snapshot),
            **dict.fromkeys((State.PAUSED, State.STOPPED, State.SUSPENDED), (snapshot,)),
        }.get(state, ())
        key = " ".join((state, *("t" if flag else "f" for flag in decisive)))
        told: list[dict[str, Any]] = [
            {"verb": verb, "refusal": refusal and refusal.sentence(_NAME)}
            for verb, refusal in actions(state, circumstances).items()
        ]
        table[key] = json.dumps(told)
    return list(table), list(table.values())
