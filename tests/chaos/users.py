"""Users of a platform that is being hurt: each carries out a script, asks again when an answer is lost, and writes down
what was asked and answered.

A POST is asked again under the same Idempotency-Key, by whichever manager; others are repeated because they say what
should be and not what should happen.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.chaos.model import Entry, Outcome
from tests.chaos.plan import Action, Ask

PATIENCE_S = 180.0
"""How long a user asks again: longer than anything is kept down."""
SETTLES_IN_S = 10.0
"""What was under way when its answer was lost has happened by then, or never will."""
PAUSE_S = 0.1
LOST = (502, 503, 504)


@dataclass
class Ledger:
    """All that was asked and answered, and what must never be seen."""

    entries: list[Entry] = field(default_factory=list[Entry])
    ids: dict[str, str] = field(default_factory=dict[str, str])
    """The VM that last was created under each name."""
    wrongs: list[str] = field(default_factory=list[str])
    retries: int = 0
    replays: int = 0


@dataclass(frozen=True)
class Request:
    """An action as it goes out, with the VM it means."""

    method: str
    path: str
    body: Mapping[str, object] | None
    vm_id: str | None
    query: Mapping[str, int | str]


@dataclass(frozen=True)
class Answered:
    outcome: Outcome
    body: Mapping[str, Any]
    said: str


class Users:
    """`urls`: the managers. `turn`: waits until an action may be carried out."""

    def __init__(self, urls: Mapping[str, str], token: str, ledger: Ledger, *, turn: Callable[[], Awaitable[None]]):
        self.ledger = ledger
        self.done = 0
        self._turn = turn
        self._clients = [
            httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=httpx.Timeout(60, connect=3),
                limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
                trust_env=False,
            )
            for url in urls.values()
        ]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def carry_out(self, script: Sequence[Action]) -> None:
        for action in script:
            await self._turn()
            await self._do(action)
            self.done += 1

    async def _do(self, action: Action) -> None:
        request = _request(action, self.ledger.ids.get(action.name))
        if request is None:
            return
        clock = asyncio.get_running_loop().time
        began = clock()
        answered = await self._ask(action, request)
        ended = clock() + (SETTLES_IN_S if answered.outcome is Outcome.UNKNOWN else 0)
        vm_id = answered.body.get("id") if action.ask is Ask.CREATE else request.vm_id
        if action.ask is Ask.LOOK:
            return
        if action.ask is Ask.CREATE and answered.outcome is Outcome.ACCEPTED:
            self.ledger.ids[action.name] = str(vm_id)
        self.ledger.entries.append(
            Entry(
                number=action.number,
                name=action.name,
                ask=action.ask,
                began=began,
                ended=ended,
                outcome=answered.outcome,
                vm_id=vm_id,
                starts=bool(action.fields.get("start", True)),
                description=str(action.fields["description"]) if "description" in action.fields else None,
                memory_mib=int(str(action.fields["mem_mib"])) if "mem_mib" in action.fields else None,
                operation_id=answered.body.get("operation_id"),
                said=answered.said,
            )
        )

    async def _ask(self, action: Action, request: Request) -> Answered:
        """Until there is an answer, or this user gives up."""
        choose = random.Random(action.number)
        loop = asyncio.get_running_loop()
        gives_up_at = loop.time() + PATIENCE_S
        may_have_arrived = False
        while True:
            try:
                answer = await self._send(choose.choice(self._clients), action, request)
            except httpx.ConnectError:
                pass
            except httpx.HTTPError as lost:
                may_have_arrived = True
                if isinstance(lost, httpx.ReadTimeout):
                    self._wrong(action, f"was not answered at all: {lost!r}")
            else:
                if (read := self._read(action, answer, may_have_arrived=may_have_arrived)) is not None:
                    return read
                may_have_arrived = True
            if may_have_arrived and action.gives_up:
                return Answered(Outcome.UNKNOWN, {}, "the user gave up")
            if loop.time() > gives_up_at:
                self._wrong(action, f"was not answered within {PATIENCE_S:.0f} s")
                return Answered(Outcome.UNKNOWN, {}, "never answered")
            self.ledger.retries += 1
            await asyncio.sleep(PAUSE_S * choose.uniform(0.5, 3))

    async def _send(self, client: httpx.AsyncClient, action: Action, request: Request) -> httpx.Response:
        key = {"Idempotency-Key": f"chaos-{action.number}"} if request.method == "POST" else {}
        return await client.request(request.method, request.path, json=request.body, params=request.query, headers=key)

    def _read(self, action: Action, answer: httpx.Response, *, may_have_arrived: bool) -> Answered | None:
        """What an answer means; None: ask again."""
        try:
            body: dict[str, Any] = answer.json()
        except ValueError:
            self._wrong(action, f"{answer.status_code}, which is no JSON: {answer.text[:100]!r}")
            return None
        said = f"{answer.status_code} {body.get('code', '')} {body.get('error', '')}".strip()
        self.ledger.replays += "idempotent-replayed" in answer.headers
        if answer.is_success or (action.ask is not Ask.LOOK and body.get("operation_id")):
            return Answered(Outcome.ACCEPTED, body, said)
        if body.get("code") == "idempotency_answer_unknown" or answer.status_code in LOST:
            return None
        if answer.status_code >= 500 or answer.status_code in (400, 401, 403, 422):
            self._wrong(action, said)
        if may_have_arrived and answer.status_code == 404 and action.ask is Ask.DELETE:
            return Answered(Outcome.UNKNOWN, body, said)  # it is gone; whether by this request or another is not told
        return Answered(Outcome.REFUSED, body, said)

    def _wrong(self, action: Action, what: str) -> None:
        self.ledger.wrongs.append(f"{action.ask} {action.name} (number {action.number}): {what}")


def _request(action: Action, vm_id: str | None) -> Request | None:
    """None: the VM it is about was never made, as far as its users know."""
    query: dict[str, int | str] = (
        {} if action.wait_s is None or action.ask in (Ask.EDIT, Ask.LOOK) else {"wait": action.wait_s}
    )
    if action.ask is Ask.CREATE:
        return Request("POST", "/v1/vms", {"name": action.name, **action.fields}, None, query)
    if action.ask is Ask.LOOK:
        return Request("GET", "/v1/vms", None, None, {"limit": 50, "q": action.name[:4]})
    if vm_id is None:
        return None
    path = f"/v1/vms/{vm_id}"
    if action.ask is Ask.EDIT:
        return Request("PATCH", path, action.fields, vm_id, query)
    if action.ask is Ask.RESIZE:
        return Request("PATCH", f"{path}/machine-config", action.fields, vm_id, query)
    if action.ask is Ask.DELETE:
        return Request("DELETE", path, None, vm_id, query)
    return Request("POST", f"{path}/{action.ask}", action.fields or None, vm_id, query)
