"""Users of a platform that is being hurt: each carries out a script, asks again when an answer is lost, and writes down
what was asked and answered.

A POST is asked again under the same Idempotency-Key, by whichever manager; others are repeated because they say what
should be and not what should happen.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from tests.chaos.model import Entry, Outcome
from tests.chaos.plan import Action, Ask

PATIENCE_S = 180.0
"""How long a user asks again: longer than anything is kept down."""
SETTLES_IN_S = 10.0
"""What was under way when its answer was lost has happened by then, or never will."""
BULK_WITHIN_S = 240.0
"""A bulk asks for its VMs one after another, some time after it was answered; nothing more comes of it then."""
PAUSE_S = 0.1
LOST = (502, 503, 504)


@dataclass
class Ledger:
    """All that was asked and answered, and what must never be seen."""

    entries: list[Entry] = field(default_factory=list[Entry])
    ids: dict[str, str] = field(default_factory=dict[str, str])
    """The VM that last was created under each name."""
    snapshots: dict[str, str] = field(default_factory=dict[str, str])
    """Those that were asked for and not deleted again, and the VM that each is of."""
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
    snapshot_id: str | None = None
    source_id: str | None = None
    many: tuple[str, ...] = ()
    """The VMs of a bulk."""


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
        request = _request(action, self.ledger)
        if request is None:
            return
        clock = asyncio.get_running_loop().time
        began = clock()
        answered = await self._ask(action, request)
        ended = clock() + (SETTLES_IN_S if answered.outcome is Outcome.UNKNOWN else 0)
        if action.ask is Ask.LOOK:
            return
        entry = Entry(
            number=action.number,
            name=action.name,
            ask=action.ask,
            began=began,
            ended=ended,
            outcome=answered.outcome,
            vm_id=request.vm_id,
            starts=bool(action.fields.get("start", True)),
            description=_text(action, "description") if action.ask is not Ask.CLONE else None,
            memory_mib=int(str(action.fields["mem_mib"])) if "mem_mib" in action.fields else None,
            operation_id=answered.body.get("operation_id"),
            snapshot_id=request.snapshot_id,
            source_id=request.source_id,
            device=_text(action, "device"),
            said=answered.said,
        )
        self.ledger.entries += self._told(action, request, answered, entry)

    def _told(self, action: Action, request: Request, answered: Answered, entry: Entry) -> list[Entry]:
        """What is to be remembered of a request: of one about several VMs, something of each."""
        is_accepted, ledger = answered.outcome is Outcome.ACCEPTED, self.ledger
        if action.ask in (Ask.CREATE, Ask.INSTANTIATE):
            vm_id = answered.body.get("id")
            if is_accepted:
                ledger.ids[action.name] = str(vm_id)
            return [replace(entry, vm_id=vm_id)]
        if action.ask is Ask.SNAPSHOT and is_accepted:
            ledger.snapshots[str(answered.body["id"])] = str(request.vm_id)
            return [replace(entry, snapshot_id=str(answered.body["id"]))]
        if action.ask is Ask.SUSPEND and is_accepted:
            return [replace(entry, snapshot_id=str(answered.body["snapshot_id"]))]
        if action.ask is Ask.FORGET and answered.outcome is not Outcome.REFUSED:
            ledger.snapshots.pop(str(request.snapshot_id), None)
        if action.ask is Ask.CLONE:
            return _clones(action, answered, entry)
        if action.ask is Ask.BULK:
            done_by = entry.began + BULK_WITHIN_S
            outcome = Outcome.REFUSED if answered.outcome is Outcome.REFUSED else Outcome.UNKNOWN
            each = replace(
                entry, outcome=outcome, ended=done_by, operation_id=None, bulk_verb=Ask(_text(action, "verb"))
            )
            return [replace(each, vm_id=vm_id) for vm_id in request.many]
        return [entry]

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
                if (read := self._read(action, request, answer, may_have_arrived=may_have_arrived)) is not None:
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

    def _read(
        self, action: Action, request: Request, answer: httpx.Response, *, may_have_arrived: bool
    ) -> Answered | None:
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
        is_full = body.get("code") == "no_room"
        if body.get("code") == "idempotency_answer_unknown" or (answer.status_code in LOST and not is_full):
            return None
        if (answer.status_code >= 500 and not is_full) or answer.status_code in (400, 401, 403, 422):
            self._wrong(action, said)
        if may_have_arrived and answer.status_code == 404 and request.method == "DELETE":
            return Answered(Outcome.UNKNOWN, body, said)  # it is gone; whether by this request or another is not told
        return Answered(Outcome.REFUSED, body, said)

    def _wrong(self, action: Action, what: str) -> None:
        self.ledger.wrongs.append(f"{action.ask} {action.name} (number {action.number}): {what}")


def _text(action: Action, name: str) -> str | None:
    return str(action.fields[name]) if name in action.fields else None


def _clones(action: Action, answered: Answered, entry: Entry) -> list[Entry]:
    """Each is a VM that was created; where the answer was lost, all of them may have been."""
    about = replace(entry, vm_id=None, source_id=entry.vm_id, description=_text(action, "description"))
    if answered.outcome is Outcome.ACCEPTED:
        return [
            replace(about, name=made["name"], vm_id=made["id"], operation_id=made["operation_id"])
            for made in answered.body["items"]
        ]
    names = [f"{action.fields['name']}-{number + 1}" for number in range(int(str(action.fields["count"])))]
    return [replace(about, name=name) for name in names]


_DEVICES = {Ask.ATTACH: "drives", Ask.DETACH: "drives", Ask.PLUG: "nics", Ask.UNPLUG: "nics"}
_ADDED: Mapping[Ask, tuple[str, Mapping[str, int | str]]] = {
    Ask.ATTACH: ("drive_id", {"size_bytes": 1 << 20, "format": "raw"}),
    Ask.PLUG: ("iface_id", {}),
}


def _request(action: Action, ledger: Ledger) -> Request | None:
    """None: what it is about was never made, as far as users know."""
    vm_id = ledger.ids.get(action.name)
    query: dict[str, int | str] = (
        {} if action.wait_s is None or action.ask in (Ask.EDIT, Ask.LOOK) else {"wait": action.wait_s}
    )
    if action.ask is Ask.CREATE:
        return Request("POST", "/v1/vms", {"name": action.name, **action.fields}, None, query)
    if action.ask is Ask.LOOK:
        return Request("GET", "/v1/vms", None, None, {"limit": 50, "q": action.name[:4]})
    if action.ask is Ask.INSTANTIATE:
        snapshot_id = _chosen(action, list(ledger.snapshots))
        body = {"name": action.name, **action.fields}
        source_id = ledger.snapshots.get(snapshot_id or "")
        path = f"/v1/snapshots/{snapshot_id}/instantiate"
        return Request("POST", path, body, None, query, snapshot_id, source_id) if snapshot_id else None
    if action.ask is Ask.BULK:
        many = tuple(ledger.ids[name] for name in _names(action) if name in ledger.ids)
        body = {**action.fields, "ids": many}
        del body["names"]
        return Request("POST", "/v1/vms/bulk", body, None, query, many=many) if many else None
    return _of_a_vm(action, ledger, vm_id, query) if vm_id is not None else None


def _of_a_vm(action: Action, ledger: Ledger, vm_id: str, query: Mapping[str, int | str]) -> Request | None:
    path = f"/v1/vms/{vm_id}"
    if action.ask is Ask.EDIT:
        return Request("PATCH", path, action.fields, vm_id, query)
    if action.ask is Ask.RESIZE:
        return Request("PATCH", f"{path}/machine-config", action.fields, vm_id, query)
    if action.ask is Ask.DELETE:
        return Request("DELETE", path, None, vm_id, query)
    if action.ask in _DEVICES:
        device, of_kind = action.fields["device"], f"{path}/{_DEVICES[action.ask]}"
        if action.ask not in _ADDED:
            return Request("DELETE", f"{of_kind}/{device}", None, vm_id, query)
        called, more = _ADDED[action.ask]
        return Request("POST", of_kind, {called: device, **more}, vm_id, query)
    if action.ask is Ask.SNAPSHOT:
        return Request("POST", f"{path}/snapshots", action.fields, vm_id, query)
    if action.ask in (Ask.FORGET, Ask.ROLLBACK):
        snapshot_id = _chosen(action, [kept for kept, of in ledger.snapshots.items() if of == vm_id])
        if snapshot_id is None:
            return None
        if action.ask is Ask.FORGET:
            return Request("DELETE", f"/v1/snapshots/{snapshot_id}", None, vm_id, query, snapshot_id)
        return Request("POST", f"{path}/rollback", {"snapshot_id": snapshot_id}, vm_id, query, snapshot_id)
    return Request("POST", f"{path}/{action.ask}", action.fields or None, vm_id, query)


def _names(action: Action) -> list[str]:
    names = action.fields["names"]
    assert isinstance(names, list)
    return [str(name) for name in names]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _chosen(action: Action, known: Sequence[str]) -> str | None:
    return random.Random(action.number).choice(known) if known else None
