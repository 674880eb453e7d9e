"""What is kept beside VMs and of them: snapshots, drives, NICs, and where VMs come from. The database's word against
the hosts' disks, and against what was answered."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from tests.chaos.model import COPIES, Entry, GuestEnd, Outcome, devices, is_disturbed
from tests.chaos.plan import Ask
from tests.chaos.site import Site

from nexus.agent.machines import state as states
from nexus.agent.snapshots import manifest as manifests
from nexus.agent.snapshots.store import DELETED

_SNAPSHOTS = """
select s.id::text, s.name, s.state, s.fault, s.purpose, s.type, s.parent_id::text, s.vm_id::text, h.name as host,
       m.id is not null as is_awaited
from snapshots s join hosts h on h.id = s.host_id left join machines m on m.restore_snapshot_id = s.id
"""
_DEVICES = """
select v.id::text, v.name, m.id::text as machine_id, h.name as host,
       v.cloned_from_id::text, v.source_snapshot_id::text,
       coalesce((select array_agg(d.drive_id) from drives d where d.machine_id = m.id), '{}') as drives,
       coalesce((select array_agg(n.iface_id) from nics n where n.machine_id = m.id), '{}') as nics
from vms v join machines m on m.id = v.machine_id join hosts h on h.id = m.host_id
"""
_BULKS = "select bulk_id::text, vm_name, status from bulk_items where status in ('waiting', 'running')"
OWN = {"drives": ("root", "overlay"), "nics": ("eth0",)}
"""What VMs are made with."""


async def against_kept(
    site: Site, database: "asyncpg.Connection[asyncpg.Record]", entries: Sequence[Entry], ended: Sequence[GuestEnd]
) -> list[str]:
    """All that is not as it must be at rest."""
    snapshots = {row["id"]: row for row in await database.fetch(_SNAPSHOTS)}
    vms = {row["id"]: row for row in await database.fetch(_DEVICES)}
    unfinished = await database.fetch(_BULKS)
    return [
        *_on_hosts(site, snapshots),
        *_as_answered(snapshots, entries, ended),
        *_chains(snapshots),
        *_devices(site, vms, entries),
        *_lineage(vms, snapshots, entries),
        *(f"bulk {row['bulk_id']} is over, and {row['vm_name']} is {row['status']}" for row in unfinished),
    ]


def left_on_hosts(site: Site) -> list[str]:
    """Snapshots that hosts have although none is to be there."""
    return _on_hosts(site, {})


def _on_hosts(site: Site, snapshots: dict[str, Any]) -> list[str]:
    """Each complete one is on its host, whole, and nothing else is on any."""
    found: list[str] = []
    places: dict[str, list[str]] = {}
    for agent in site.extent.members("agent"):
        home = site.agent_home(agent) / "snapshots"
        for directory in home.iterdir() if home.is_dir() else ():
            if directory.name != DELETED:
                places.setdefault(directory.name, []).append(agent)
            if directory.name in snapshots and not (directory / manifests.FILE).exists():
                found.append(f"{agent} has half of snapshot {directory.name}")
    for kept, on in places.items():
        row = snapshots.get(kept)
        if row is None or row["state"] not in (
            "completed",
            "failed",
        ):  # what failed may have got there; it can be deleted
            found.append(f"{on} have {kept}, which is {row['state'] if row else 'no snapshot that anybody knows of'}")
        elif on != [row["host"]]:
            found.append(f"snapshot {row['name']} is {row['host']}'s, and is on {on}")
    for row in snapshots.values():
        if row["state"] not in ("completed", "failed"):
            found.append(f"snapshot {row['name']} is {row['state']}: that is no state of rest")
        elif row["state"] == "completed" and row["id"] not in places:
            found.append(f"snapshot {row['name']} is nowhere, and {row['host']} should have it")
        if row["purpose"] != "keep" and not row["is_awaited"]:
            found.append(f"snapshot {row['name']} was taken to {row['purpose']} something, and nothing needs it")
    return found


def _as_answered(snapshots: dict[str, Any], entries: Sequence[Entry], ended: Sequence[GuestEnd]) -> list[str]:
    """Each that was promised is there, taken, unless somebody deleted it; and no other."""
    found: list[str] = []
    asked = {entry.snapshot_id: entry for entry in entries if entry.ask is Ask.SNAPSHOT and entry.snapshot_id}
    maybe = {f"s-{entry.number}" for entry in entries if entry.ask is Ask.SNAPSHOT and not entry.snapshot_id}
    forgotten = [entry for entry in entries if entry.ask is Ask.FORGET and entry.outcome is not Outcome.REFUSED]
    gone = {entry.snapshot_id for entry in forgotten if entry.outcome is Outcome.ACCEPTED and not entry.has_failed}
    maybe_gone = {entry.snapshot_id for entry in forgotten}
    for kept, entry in asked.items():
        row = snapshots.get(str(kept))
        if row is None and kept not in maybe_gone:
            found.append(f"lost: snapshot s-{entry.number} ({kept}) of {entry.name}")
        elif row is not None and kept in gone:
            found.append(f"snapshot {row['name']} was deleted, and is {row['state']}")
        elif row is not None and row["state"] == "failed" and not _is_excused(entry, entries, ended):
            found.append(f"snapshot {row['name']} of {entry.name} failed: {row['fault']}")
    for row in snapshots.values():
        if row["purpose"] == "keep" and row["id"] not in asked and row["name"] not in maybe:
            found.append(f"nobody asked for snapshot {row['name']} ({row['id']})")
    return found


def _is_excused(entry: Entry, entries: Sequence[Entry], ended: Sequence[GuestEnd]) -> bool:
    return is_disturbed(entry, entries) or any(end.name == entry.name and end.may_break(entry) for end in ended)


def _chains(snapshots: dict[str, Any]) -> list[str]:
    """What a Diff is over is there."""
    found: list[str] = []
    for row in snapshots.values():
        if row["type"] == "Diff" and row["state"] == "completed":
            parent = snapshots.get(row["parent_id"])
            if parent is None or parent["state"] != "completed" or parent["host"] != row["host"]:
                found.append(f"snapshot {row['name']} is a Diff over {row['parent_id']}, which is not there")
    return found


def _devices(site: Site, vms: dict[str, Any], entries: Sequence[Entry]) -> list[str]:
    """Drives and NICs: as answered, and as the VM's host has it."""
    found: list[str] = []
    of_vm: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.vm_id is not None:
            of_vm.setdefault(entry.vm_id, []).append(entry)
    for vm in vms.values():
        home = site.agent_home(vm["host"]) / "machines" / vm["machine_id"]
        if not home.exists():
            continue  # which `truth` tells, or is right
        mine, spec = of_vm.get(vm["id"], []), states.load(home).spec
        on_host = {"drives": {disk.drive_id for disk in spec.disks}, "nics": {nic.iface_id for nic in spec.nics}}
        for kind, added, removed in (("drives", Ask.ATTACH, Ask.DETACH), ("nics", Ask.PLUG, Ask.UNPLUG)):
            there = set(vm[kind])
            must, may = devices(mine, added=added, removed=removed)
            if there != on_host[kind]:
                found.append(f"{vm['name']} has {kind} {sorted(there)}, and on its host {sorted(on_host[kind])}")
            if missing := must - there:
                found.append(f"{vm['name']} lost {kind} {sorted(missing)}")
            is_copy = any(entry.ask in COPIES for entry in mine) or not mine
            if not is_copy and (more := there - may - set(OWN[kind])):
                found.append(f"{vm['name']} has {kind} that nobody asked for: {sorted(more)}")
    return found


def _lineage(vms: dict[str, Any], snapshots: dict[str, Any], entries: Sequence[Entry]) -> list[str]:
    """Where VMs say that they come from, as long as that is there."""
    found: list[str] = []
    for entry in entries:
        vm = vms.get(entry.vm_id or "")
        if vm is None or entry.ask not in COPIES:
            continue
        source = entry.source_id if entry.source_id in vms else None
        if vm["cloned_from_id"] != source:
            found.append(f"{vm['name']} was made of {entry.source_id}, and says {vm['cloned_from_id']}")
        kept = entry.snapshot_id if entry.snapshot_id in snapshots else None
        if entry.ask is Ask.INSTANTIATE and vm["source_snapshot_id"] != kept:
            found.append(f"{vm['name']} was made of snapshot {entry.snapshot_id}, and says {vm['source_snapshot_id']}")
    return found
