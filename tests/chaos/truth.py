"""What is true of a platform at rest: in its database, on its hosts, and against what its users were answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from tests.chaos.answers import account, against_answers, against_records, gaps, with_ends
from tests.chaos.clock import SkewedClock
from tests.chaos.kept import against_kept, left_on_hosts
from tests.chaos.model import ERROR, Entry, GuestEnd
from tests.chaos.site import Site, connect

from nexus.agent.machines import state as states
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.db import Tx
from nexus.manager.snapshots import repository as snapshots
from nexus.protocol.machines import Power

REST_PATIENCE_S = 240.0
"""Longer than a lease, a back-off and a silence take one after another."""
POWER = {"running": Power.ON, "paused": Power.PAUSED, "stopped": Power.OFF, "suspended": Power.OFF}
_VMS = """
select v.id::text, v.name, v.state, v.why, v.description, m.id::text as machine_id, m.goal, m.generation, m.boot,
       m.fault, m.seen, m.seen_generation, m.seen_boot, m.seen_fault, h.name as host, m.memory_mib,
       greatest(m.memory_mib, m.seen_memory_mib) as reserved_mib
from vms v join machines m on m.id = v.machine_id join hosts h on h.id = m.host_id
"""
_RESTLESS = """
select 'flow of ' || coalesce(v.name, f.subject_id::text) || ' at ' || f.step || ': ' || coalesce(f.why, '?')
       || ' (attempts ' || f.attempts || ', leased until ' || coalesce(f.lease_expires::text, 'never') || ')' as what
from flows f left join vms v on v.id = f.subject_id
union all
select 'operation ' || verb || ' of ' || subject_name || ' still runs' from operations where status = 'running'
union all
select 'host ' || name || ' has not been heard again' from hosts where silent_since is not null and abandoned_at is null
"""


@dataclass(frozen=True)
class Machine:
    """What a host has of a machine. `power` is None where only its process can be seen, which runs."""

    power: Power | None
    boot: int


async def rest(site: Site) -> list[str]:
    """Wait until no flow is open, no operation runs, every host is heard, and no guest has ended that the platform
    does not know of: the last blow may have cut one off, or ended one. What is still restless when that takes too
    long."""
    database = await connect(site)
    try:
        async with asyncio.timeout(REST_PATIENCE_S):
            while await _restless(site, database):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        return [f"stuck: {what}" for what in await _restless(site, database)]
    finally:
        await database.close()
    return []


async def _restless(site: Site, database: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """What still moves, or will be moved by a sweep."""
    moving = [row["what"] for row in await database.fetch(_RESTLESS)]
    moving = moving or [f"snapshot {kept} is needed no more" for kept in await snapshots.spent(Tx(database))]
    return moving or await _unknown_ends(site, await database.fetch(_VMS))


async def _unknown_ends(site: Site, vms: Sequence[Any]) -> list[str]:
    """VMs that are thought to be on, while their host has nothing that runs."""
    on_hosts = {agent: await _machines(site, agent) for agent in site.extent.members("agent")}
    found = list[str]()
    for vm in vms:
        real = on_hosts[vm["host"]].get(vm["machine_id"])
        if vm["state"] in ("running", "paused") and real is not None and real.power is Power.OFF:
            found.append(f"{account(vm)}, and its guest has ended")
    return found


async def wrongs(site: Site, http: httpx.AsyncClient, entries: Sequence[Entry], ended: Sequence[GuestEnd]) -> list[str]:
    """All that is not as it must be while there are VMs; empty: all is well."""
    database = await connect(site)
    try:
        vms, entries = await database.fetch(_VMS), await with_ends(database, entries)
        return [
            *against_answers(vms, entries, ended),
            *await against_kept(site, database, entries, ended),
            *await _against_hosts(site, vms),
            *await against_records(database, entries, ended),
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
        unnumbered = await gaps(database)
    finally:
        await database.close()
    left = [f"{count} rows left in {table}" for table, count in counts.items() if count] + unnumbered
    for agent in site.extent.members("agent"):
        machines, sockets = site.agent_home(agent) / "machines", site.runtime(agent) / "m"
        left += [f"{agent} has {path} left" for place in (machines, sockets) for path in place.iterdir()]
        left += [f"{agent} has half an image: {path}" for path in (site.agent_home(agent) / "images").glob("*.*")]
        left += [f"{agent} still runs VMM {pid} of {machine}" for machine, pid in site.vmms(agent).items()]
    return left + left_on_hosts(site) + await _reservations(http, [])


_TABLES = ("vms", "machines", "drives", "nics", "snapshots", "flows")


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
        if vm["state"] == ERROR and (real is None or real.power is Power.OFF):
            continue  # whether it may be, `answers` says
        if real is None:
            found.append(f"{account(vm)}, and {vm['host']} has nothing of it")
        elif power is None:
            found.append(f"{account(vm)}: that is no state of rest")
        elif _has_wrong_boot(vm, real, power):
            found.append(f"{account(vm)}: boot {real.boot} on its host; {dict(vm)}")
        elif real.power is not power and not (real.power is None and power in (Power.ON, Power.PAUSED)):
            found.append(f"{account(vm)}, and on its host it is {real.power}")
        elif vm["seen"] != power or vm["goal"] != power:
            found.append(f"{account(vm)}: goal {vm['goal']}, seen {vm['seen']}")
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
