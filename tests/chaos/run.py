"""One run: a platform, its users and its blows at once; then peace, and the question what is true.

Users and blows go on in step, so that the last blow falls while users still ask: neither runs far ahead of the other.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from tests.chaos import truth
from tests.chaos.blows import Blows
from tests.chaos.follower import Follower
from tests.chaos.model import Outcome
from tests.chaos.plan import Extent, Plan, plan
from tests.chaos.site import Images, Site, fake_images, site
from tests.chaos.users import Ledger, Users

AGENT_PATIENCE_S = 30.0
"""How long an agent may take to answer once there is peace."""
AHEAD = 0.05
"""How much of its share users or blows may be ahead of the other."""
LOOK_S = 0.05
DELETING_PATIENCE_S = 60


@dataclass
class Report:
    seed: int
    crashes: Counter[str] = field(default_factory=Counter[str])
    breaks: int = 0
    stalls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    events: int = 0
    reconnections: int = 0
    vms: int = 0
    states: Counter[str] = field(default_factory=Counter[str])
    snapshots: int = 0
    retries: int = 0
    replays: int = 0
    seconds: float = 0.0
    wrongs: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        crashes = ", ".join(f"{count} {what}" for what, count in sorted(self.crashes.items()))
        asked = ", ".join(f"{count} {what}" for what, count in sorted(self.outcomes.items()))
        states = ", ".join(f"{count} {what}" for what, count in sorted(self.states.items()))
        return (
            f"seed {self.seed}: {self.crashes.total()} crashes ({crashes}), {self.breaks} broken lines, "
            f"{self.stalls} stalls, {self.events} events followed over {self.reconnections} connections, "
            f"{self.outcomes.total()} requests ({asked}; {self.retries} repeated, {self.replays} replayed), "
            f"{self.vms} VMs and {self.snapshots} snapshots at the end ({states}), {self.seconds:.0f} s, "
            f"{len(self.wrongs)} wrong"
        )


async def run(
    seed: int, extent: Extent, *, driver: str = "fake", images: Images | None = None, keep: Path | None = None
) -> Report:
    """Carry out the plan of a seed. What must not be is in the report's `wrongs`."""
    report, began = Report(seed), time.monotonic()
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(site(extent, driver=driver, keep=keep))
        await here.start(images or fake_images(here.home))
        _say(f"{time.monotonic() - began:.1f} s: {extent.managers} managers and {extent.agents} agents run")
        await _suffer(here, plan(seed, extent), report)
    report.seconds = time.monotonic() - began
    return report


async def _suffer(here: Site, planned: Plan, report: Report) -> None:
    ledger = Ledger()
    steps = _Steps(planned)
    users = Users(here.manager_urls(), here.token, ledger, turn=steps.user)
    blows = Blows(here, turn=steps.blow)
    steps.watch(lambda: users.done, lambda: blows.done)
    follower = Follower(here.manager_urls(), here.token)
    follower.start()
    telling = asyncio.create_task(_tell(planned, users, blows))
    try:
        async with asyncio.TaskGroup() as tasks:
            for script in planned.users:
                tasks.create_task(users.carry_out(script))
            tasks.create_task(blows.strike(planned.faults))
        await blows.heal()
    finally:
        telling.cancel()
        await users.close()
    _say("peace")
    report.crashes, report.breaks, report.stalls = blows.crashes, blows.breaks, blows.stalls
    report.outcomes = Counter(entry.outcome.value for entry in ledger.entries)
    report.retries, report.replays = ledger.retries, ledger.replays
    report.wrongs += ledger.wrongs + _own_ends(here)
    report.wrongs += await truth.rest(here)
    url = next(iter(here.manager_urls().values()))
    headers = {"Authorization": f"Bearer {here.token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120, trust_env=False) as http:
        vms = await _vms(http)
        report.vms, report.states = len(vms), Counter(vms.values())
        report.wrongs += await truth.wrongs(here, http, ledger.entries, blows.guest_ends)
        report.wrongs += [] if here.driver == "fake" else await _silent_guests(http, vms)
        report.wrongs += await _delete(http, "vms", list(vms))
        report.wrongs += await truth.rest(here)
        report.snapshots = await _delete_snapshots(http, report)
        report.wrongs += await truth.rest(here)
        report.wrongs += await truth.leftovers(here, http)
    await follower.stop(last=await truth.last_event(here))
    report.wrongs += follower.wrongs
    report.events, report.reconnections = follower.seq, follower.connections
    assert any(entry.outcome is Outcome.ACCEPTED for entry in ledger.entries), "nothing was asked for"


class _Steps:
    """Keeps users and blows in step."""

    def __init__(self, planned: Plan) -> None:
        self._actions = max(sum(map(len, planned.users)), 1)
        self._faults = max(len(planned.faults), 1)
        self._users: Callable[[], int] = lambda: 0
        self._blows: Callable[[], int] = lambda: 0

    def watch(self, users: Callable[[], int], blows: Callable[[], int]) -> None:
        self._users, self._blows = users, blows

    async def user(self) -> None:
        while self._users() / self._actions > self._blows() / self._faults + AHEAD:  # noqa: ASYNC110 - two counts of others
            await asyncio.sleep(LOOK_S)

    async def blow(self) -> None:
        while self._blows() / self._faults > self._users() / self._actions + AHEAD:  # noqa: ASYNC110 - two counts of others
            await asyncio.sleep(LOOK_S)


async def _tell(planned: Plan, users: Users, blows: Blows) -> None:
    while True:
        await asyncio.sleep(10)
        done, of = users.done, sum(map(len, planned.users))
        _say(f"{done} of {of} requests, {blows.done} of {len(planned.faults)} faults, {blows.crashes.total()} crashes")


def _own_ends(here: Site) -> list[str]:
    """Processes that ended themselves. A manager that finds no database when it starts says so with status 1."""
    return [
        f"{member.name} ended by itself with status {status}"
        for member in here.nursery.members.values()
        for status in member.ends
        if (member.kind, status) != ("manager", 1)
    ]


async def _vms(http: httpx.AsyncClient) -> dict[str, str]:
    """Every VM there is, and its state."""
    return {vm["id"]: vm["state"] for vm in await _all(http, "vms")}


async def _all(http: httpx.AsyncClient, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = (await http.get(f"/v1/{kind}", params=query)).raise_for_status().json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def _delete_snapshots(http: httpx.AsyncClient, report: Report) -> int:
    """All of them, and how many that were: those first that nothing is over, until no more go."""
    left = {kept["id"] for kept in await _all(http, "snapshots")}
    count = len(left)
    while free := [kept["id"] for kept in await _all(http, "snapshots") if not kept["needed_by"]]:
        report.wrongs += await _delete(http, "snapshots", free)
        now = {kept["id"] for kept in await _all(http, "snapshots")}
        if now >= left:
            break
        left = now
    report.wrongs += [f"snapshot {kept} does not go" for kept in left]
    return count


async def _silent_guests(http: httpx.AsyncClient, vms: dict[str, str]) -> list[str]:
    """VMs that are said to run, and in which no command does. An agent that the last blow ended is just coming back."""
    found: list[str] = []
    for vm_id, state in vms.items():
        if state == "running":
            until = time.monotonic() + AGENT_PATIENCE_S
            answer = await http.post(f"/v1/vms/{vm_id}/exec", json={"argv": ["true"]})
            while answer.status_code == HTTPStatus.BAD_GATEWAY and time.monotonic() < until:
                await asyncio.sleep(0.5)
                answer = await http.post(f"/v1/vms/{vm_id}/exec", json={"argv": ["true"]})
            if not answer.is_success or answer.json()["exit_code"] != 0:
                found.append(f"the guest of {vm_id} runs no command: {answer.text}")
    return found


async def _delete(http: httpx.AsyncClient, kind: str, ids: list[str]) -> list[str]:
    """All of them, eight at a time; those that could not be."""
    slots = asyncio.Semaphore(8)

    async def delete(one: str) -> str | None:
        async with slots:
            answer = await http.delete(f"/v1/{kind}/{one}", params={"wait": DELETING_PATIENCE_S})
        return None if answer.is_success or answer.status_code == 404 else f"cannot delete {one}: {answer.text}"

    return [wrong for wrong in await asyncio.gather(*map(delete, ids)) if wrong]


def _say(what: str) -> None:
    print(f"chaos: {what}", file=sys.stderr, flush=True)
