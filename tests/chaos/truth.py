"""What is true of a platform at rest: in its database, on its hosts, and against what its users were answered."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from tests.chaos.clock import SkewedClock
from tests.chaos.model import GONE, Entry, GuestEnd, Outcome, descriptions, ends, sizes
from tests.chaos.plan import Ask
from tests.chaos.site import Site, connect

from nexus.agent.machines import state as states
from nexus.agent.vmm.fake import FakeVmm
from nexus.protocol.machines import Power

REST_PATIENCE_S = 240.0
"""Longer than a lease, a back-off and a silence take one after another."""
POWER = {"running": Power.ON, "paused": Power.PAUSED, "stopped": Power.OFF}
_VMS = """
select v.id::text, v.name, v.state, v.why, v.description, m.id::text as machine_id, m.goal, m.generation, m.boot,
       m.fault, m.seen, m.seen_generation, m.seen_boot, m.seen_fault, h.name as host, m.memory_mib,
       greatest(m.memory_mib, m.seen_memory_mib) as reserved_mib
from vms v join machines m on m.id = v.machine_id join hosts h on h.id = m.host_id
"""
_OPERATIONS = """
select id::text, verb, subject_id::text, status, error ->> 'error' as error, finished_at - created_at as took,
       status = 'failed' and (error ->> 'code' <> 'vm_overdue' or finished_at < deadline) as is_wrong
from operations
"""
_RESTLESS = """
select 'flow of ' || coalesce(v.name, f.subject_id::text) || ' at ' || f.step || ': ' || coalesce(f.why, '?')
       || ' (attempts ' || f.attempts || ', leased until ' || coalesce(f.lease_expires::text, 'never') || ')' as what
from flows f left join vms v on v.id = f.subject_id
union all
select 'operation ' || verb || ' of ' || subject_name || ' still runs' from operations where status = 'running'
"""


@dataclass(frozen=True)
class Machine:
    """What a host has of a machine. `power` is None where only its process can be seen, which runs."""

    power: Power | None
    boot: int


async def rest(site: Site) -> list[str]:
    """Wait until no flow is open and no operation runs; what is still restless when that takes too long."""
    database = await connect(site)
    try:
        async with asyncio.timeout(REST_PATIENCE_S):
            while await database.fetchval(f"select count(*) from ({_RESTLESS}) r"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        return [f"stuck: {row['what']}" for row in await database.fetch(_RESTLESS)]
    finally:
        await database.close()
    return []


async def wrongs(site: Site, http: httpx.AsyncClient, entries: Sequence[Entry], ended: Sequence[GuestEnd]) -> list[str]:
    """All that is not as it must be while there are VMs; empty: all is well."""
    database = await connect(site)
    try:
        vms = await database.fetch(_VMS)
        return [
            *_against_answers(vms, entries, ended),
            *await _against_hosts(site, vms),
            *await _records(database, entries, ended, vms),
            *await _reservations(http, vms),
        ]
    finally:
        await database.close()


async def last_event(site: Site) -> int:
    """The number of the newest."""
    database = await connect(site)
    try:
        return await database.fetchval("select last_seq from event_log")
    finally:
        await database.close()


async def leftovers(site: Site, http: httpx.AsyncClient) -> list[str]:
    """What is left although every VM has been deleted."""
    database = await connect(site)
    try:
        counts = {table: await database.fetchval(f"select count(*) from {table}") for table in _TABLES}
        gaps = await _gaps(database)
    finally:
        await database.close()
    left = [f"{count} rows left in {table}" for table, count in counts.items() if count] + gaps
    for agent in site.extent.members("agent"):
        machines, sockets = site.agent_home(agent) / "machines", site.runtime(agent) / "m"
        left += [f"{agent} has {path} left" for place in (machines, sockets) for path in place.iterdir()]
        left += [f"{agent} has half an image: {path}" for path in (site.agent_home(agent) / "images").glob("*.*")]
        left += [f"{agent} still runs VMM {pid} of {machine}" for machine, pid in site.vmms(agent).items()]
    return left + await _reservations(http, [])


_TABLES = ("vms", "machines", "drives", "nics", "flows")


def _against_answers(vms: Sequence[Any], entries: Sequence[Entry], ended: Sequence[GuestEnd]) -> list[str]:
    """The model's word against the database's."""
    found: list[str] = []
    by_vm: dict[str, list[Entry]] = defaultdict(list)
    unknown: Counter[str] = Counter()
    for entry in entries:
        if entry.vm_id is not None:
            by_vm[entry.vm_id].append(entry)
        elif entry.ask is Ask.CREATE and entry.outcome is Outcome.UNKNOWN:
            unknown[entry.name] += 1
    guests = _by_machine(ended)
    there = {vm["id"] for vm in vms}
    for vm in vms:
        if vm["id"] not in by_vm:
            unknown[vm["name"]] -= 1
            if unknown[vm["name"]] < 0:
                found.append(f"nobody asked for {vm['name']} ({vm['id']})")
            continue
        mine = by_vm[vm["id"]]
        possible = ends(mine, ended=guests[vm["machine_id"]])
        if vm["state"] not in possible:
            found.append(f"{_account(vm)}, and may be {sorted(possible)} after {_told(mine)}")
        if vm["description"] not in (may_be := descriptions(mine)):
            found.append(f"{vm['name']} is described {vm['description']!r} and may be {sorted(may_be)}")
        if vm["memory_mib"] not in (may_be := sizes(mine)):
            found.append(f"{vm['name']} has {vm['memory_mib']} MiB and may have {sorted(may_be)}")
    for vm_id, mine in by_vm.items():
        if vm_id not in there and GONE not in ends(mine):
            found.append(f"lost: {mine[0].name} ({vm_id}) after {_told(mine)}")
    return found


def _by_machine(ended: Sequence[GuestEnd]) -> dict[str, list[GuestEnd]]:
    found: dict[str, list[GuestEnd]] = defaultdict(list)
    for end in ended:
        found[end.machine_id].append(end)
    return found


def _account(vm: Any) -> str:
    said = "; ".join(f"{key} {vm[key]}" for key in ("why", "fault", "seen_fault") if vm[key])
    return f"{vm['name']} ({vm['id']}) is {vm['state']} ({said or 'no reason given'})"


def _told(entries: Sequence[Entry]) -> str:
    return ", ".join(
        f"{entry.ask}:{entry.outcome}[{entry.began:.2f}-{entry.ended:.2f} {entry.said}]"
        for entry in sorted(entries, key=lambda entry: entry.began)[-6:]
        if entry.outcome is not Outcome.REFUSED
    )


async def _against_hosts(site: Site, vms: Sequence[Any]) -> list[str]:
    """The database's word against what each host has."""
    found: list[str] = []
    on_hosts = {agent: await _machines(site, agent) for agent in site.extent.members("agent")}
    wanted = {vm["machine_id"]: vm for vm in vms}
    for agent, machines in on_hosts.items():
        for machine in machines:
            if machine not in wanted:
                found.append(f"{agent} has machine {machine}, of which nobody knows")
            elif wanted[machine]["host"] != agent:
                found.append(f"{agent} has machine {machine}, which is {wanted[machine]['host']}'s")
    for vm in vms:
        real = on_hosts[vm["host"]].get(vm["machine_id"])
        power = POWER.get(vm["state"])
        if real is None:
            found.append(f"{_account(vm)}, and {vm['host']} has nothing of it")
        elif power is None:
            found.append(f"{_account(vm)}: that is no state of rest")
        elif _has_wrong_boot(vm, real, power):
            found.append(f"{_account(vm)}: boot {real.boot} on its host; {dict(vm)}")
        elif real.power is not power and not (real.power is None and power in (Power.ON, Power.PAUSED)):
            found.append(f"{_account(vm)}, and on its host it is {real.power}")
        elif vm["seen"] != power or vm["goal"] != power:
            found.append(f"{_account(vm)}: goal {vm['goal']}, seen {vm['seen']}")
    return found


def _has_wrong_boot(vm: Any, real: Machine, power: Power) -> bool:
    """A boot that was wished for may never have begun, where the machine was wished off before."""
    is_told = real.boot == vm["seen_boot"] and vm["seen_generation"] == vm["generation"]
    return not is_told or real.boot > vm["boot"] or (real.boot < vm["boot"] and power is not Power.OFF)


async def _machines(site: Site, agent: str) -> dict[str, Machine]:
    """From the host's own disk (and processes), not from what its agent says."""
    home = site.agent_home(agent) / "machines"
    fake = FakeVmm(machines=home, clock=SkewedClock(timedelta()))
    processes = site.vmms(agent)
    found: dict[str, Machine] = {}
    for directory in home.iterdir():
        state = states.load(directory)
        if site.driver == "fake":
            power: Power | None = (await fake.observe(UUID(directory.name))).power
        else:
            power = None if directory.name in processes else Power.OFF
        found[directory.name] = Machine(power, state.boot)
    return found


async def _records(
    database: "asyncpg.Connection[asyncpg.Record]",
    entries: Sequence[Entry],
    ended: Sequence[GuestEnd],
    vms: Sequence[Any],
) -> list[str]:
    """Each wish that was accepted is on record once, and its promise was kept, or broken where its time was over. Of
    VMs whose guests were ended, promises may be broken."""
    found = await _gaps(database)
    operations = {row["id"]: row for row in await database.fetch(_OPERATIONS)}
    machines = {vm["id"]: vm["machine_id"] for vm in vms}
    guests = _by_machine(ended)
    for entry in entries:
        if entry.outcome is not Outcome.ACCEPTED or entry.operation_id is None:
            continue
        operation = operations.get(entry.operation_id)
        if operation is None:
            found.append(f"operation {entry.operation_id} ({entry.ask} {entry.name}) was promised and is nowhere")
        elif operation["is_wrong"] and not any(
            end.may_break(entry) for end in _ends_of(entry, machines, guests, ended)
        ):
            found.append(f"{entry.ask} {entry.name} failed after {operation['took']}: {operation['error']}")
    found += _counts("operations", Counter((row["subject_id"], row["verb"]) for row in operations.values()), entries)
    audited = await database.fetch("select subject_id::text, verb from audit where subject_kind = 'vm'")
    return found + _counts("audit rows", Counter((row["subject_id"], row["verb"]) for row in audited), entries)


def _ends_of(
    entry: Entry, machines: Mapping[str, str], guests: Mapping[str, list[GuestEnd]], ended: Sequence[GuestEnd]
) -> Sequence[GuestEnd]:
    """The ends of this VM's guest; of one that is gone, and whose machine nobody remembers, any."""
    machine = machines.get(entry.vm_id or "")
    return ended if machine is None else guests.get(machine, [])


def _counts(what: str, counted: Counter[tuple[str, str]], entries: Sequence[Entry]) -> list[str]:
    """Each accepted request changed something once; one whose answer was lost at most once."""
    least: Counter[tuple[str, str]] = Counter()
    most: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if entry.vm_id is None or entry.ask in (
            Ask.DELETE,
            Ask.EDIT,
            Ask.RESIZE,
        ):  # which may be repeated, and say the same again
            continue
        least[entry.vm_id, entry.ask] += entry.outcome is Outcome.ACCEPTED
        most[entry.vm_id, entry.ask] += entry.outcome is not Outcome.REFUSED
    return [
        f"{counted[key]} {what} of {key[1]} {key[0]}, and {least[key]} to {most[key]} were asked for"
        for key in most
        if not least[key] <= counted[key] <= most[key]
    ]


async def _gaps(database: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """Events are numbered without a gap."""
    row = await database.fetchrow("""
        select (select count(*) from events) as events, (select last_seq - compacted_seq from event_log) as numbered
        """)
    assert row is not None
    return [] if row["events"] == row["numbered"] else [f"{row['events']} events under {row['numbered']} numbers"]


async def _reservations(http: httpx.AsyncClient, vms: Sequence[Any]) -> list[str]:
    """What hosts say is reserved on them, against the VMs that are on."""
    found: list[str] = []
    for host in (await http.get("/v1/hosts")).raise_for_status().json()["items"]:
        item = (await http.get(f"/v1/hosts/{host['id']}")).raise_for_status().json()["item"]
        on = [vm for vm in vms if vm["host"] == host["name"] and vm["goal"] in ("on", "paused")]
        wanted = sum(vm["reserved_mib"] for vm in on)  # a running boot keeps what it began with
        if item["reserved"]["memory_mib"] != wanted or (not vms and item["reserved"]["disk_bytes"]):
            found.append(f"{host['name']} has {item['reserved']} reserved for {len(on)} VMs that are on")
    return found
