"""The agent's side of the conversation with the manager: join once, keep certified, report.

Changes are reported at once (coalesced while a report is under way), everything every interval. Reports go out one
after another and are repeated until they arrive; the newest observation wins. With the manager away the guests run on.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import ValidationError

from nexus.agent import credential as credentials
from nexus.agent.credential import Credential
from nexus.agent.machines.registry import NumberLine
from nexus.agent.reporter import Outbox
from nexus.agent.tls import AgentTls, Trust, UnfitIdentity
from nexus.kit import log
from nexus.protocol.base import Message
from nexus.protocol.hosts import (
    CertificateRequest,
    Heartbeat,
    HeartbeatAnswer,
    HostFacts,
    HostIdentity,
    HostUsage,
    Registered,
    RegisterRequest,
)
from nexus.protocol.machines import MachineSeen
from nexus.protocol.metrics import SampleAnswer, SampleReport
from nexus.protocol.trouble import Retryable

_log = log.get("nexus.agent.manager")
_M = TypeVar("_M", bound=Message)

REQUEST_TIMEOUT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
DEFAULT_INTERVAL_S = 5.0


class NotJoined(Exception):
    """This host cannot introduce itself; the message says what is missing or refused. Final until somebody acts."""


class Unreachable(Exception):
    """The manager did not answer, or not with an answer; try again."""


class ManagerLink:
    """`address`: where the manager reaches this agent. `token`: reads the join token, None without one. `tls`: what is
    to be certified, None on a Unix socket. `found_again`: called when the manager answers after it did not."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        address: str,
        credential_file: Path,
        token: Callable[[], str | None],
        facts: HostFacts,
        usage: Callable[[], HostUsage],
        outbox: Outbox,
        numbers: NumberLine,
        everything: Callable[[], tuple[MachineSeen, ...]],
        discard: Callable[[UUID], Awaitable[object]],
        tls: AgentTls | None = None,
        found_again: Callable[[], None] = lambda: None,
    ) -> None:
        self._http = http
        self._address = address
        self._credential_file = credential_file
        self._token = token
        self._facts = facts
        self._usage = usage
        self._outbox = outbox
        self._numbers = numbers
        self._everything = everything
        self._discard = discard
        self._tls = tls
        self._found_again = found_again
        self._interval_s = DEFAULT_INTERVAL_S
        self._discarding: dict[UUID, asyncio.Task[None]] = {}
        self._joined: asyncio.Future[UUID] = asyncio.get_running_loop().create_future()

    def use(self, credential: Credential) -> None:
        """Authenticate every further request of the shared client as this host."""
        self._http.headers["Authorization"] = f"Bearer {credential.credential}"

    async def run(self) -> None:
        """Until cancelled; it may be run again then."""
        credential = await self._join()
        self.use(credential)
        if not self._joined.done():
            self._joined.set_result(credential.host_id)
        path = f"/v1/hosts/{credential.host_id}/heartbeat"
        is_full = True
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        last_full = loop.time()
        while True:
            changes = self._outbox.take()
            try:
                await self._keep_certified(credential)
                await self._report(path, changes, full=is_full)
            except (Unreachable, NotJoined) as trouble:
                _log.warning("report_failed", why=str(trouble))
                self._outbox.put_back(changes)
                is_full = True
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if pause_s > FIRST_PAUSE_S:
                self._found_again()
            pause_s = FIRST_PAUSE_S
            if is_full:
                last_full = loop.time()
            next_full = last_full + self._interval_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(next_full):
                    await self._outbox.wait()
            is_full = loop.time() >= next_full

    async def tell_samples(self, report: SampleReport) -> SampleAnswer:
        """Deliver what machines and this host use, once the host has joined. Raises Retryable."""
        host_id = await asyncio.shield(self._joined)
        try:
            answer = await self._post(f"/v1/hosts/{host_id}/samples", report.model_dump_json(exclude_none=True))
            return _parse(SampleAnswer, answer)
        except (Unreachable, NotJoined) as trouble:
            raise Retryable(str(trouble)) from trouble

    async def close(self) -> None:
        for task in self._discarding.values():
            task.cancel()
        await asyncio.gather(*self._discarding.values(), return_exceptions=True)

    async def _join(self) -> Credential:
        """The credential on disk, or one for the join token; asks until the manager is there."""
        pause_s = FIRST_PAUSE_S
        while True:
            if known := credentials.load(self._credential_file):
                return known
            try:
                return await self._register()
            except (Unreachable, NotJoined) as trouble:
                _log.warning("not_joined", why=str(trouble))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _register(self) -> Credential:
        token = self._token()
        if token is None:
            raise NotJoined(
                "this host has no credential and no join token; set AGENT_JOIN_TOKEN_FILE or AGENT_JOIN_TOKEN"
            )
        csr = None if self._tls is None else self._tls.request
        request = RegisterRequest(join_token=token, address=self._address, facts=self._facts, csr=csr)
        answer = await self._post("/v1/hosts/register", request.model_dump_json())
        registered = _parse(Registered, answer)
        trust = None if self._tls is None else self._accept(self._tls, registered.identity)
        credential = Credential(host_id=registered.host_id, credential=registered.credential, trust=trust)
        credentials.save(self._credential_file, credential)
        _log.info("joined", host_id=str(credential.host_id))
        return credential

    async def _keep_certified(self, credential: Credential) -> None:
        """Ask for a certificate when it is time, and at every start, which also tells where this agent is now. Reports
        must not end for a renewal that fails while the present one is good."""
        if self._tls is None or not self._tls.is_due:
            return
        request = CertificateRequest(address=self._address, csr=self._tls.request)
        try:
            answer = await self._post(f"/v1/hosts/{credential.host_id}/certificate", request.model_dump_json())
            trust = self._accept(self._tls, _parse(HostIdentity, answer))
        except (Unreachable, NotJoined) as trouble:
            if not self._tls.is_granted:
                raise
            _log.warning("certificate_not_renewed", why=str(trouble))
            return
        if credential.trust is None:
            credentials.save(self._credential_file, credential.model_copy(update={"trust": trust}))
        _log.info("certified", address=self._address)

    def _accept(self, tls: AgentTls, identity: HostIdentity | None) -> Trust:
        if identity is None:
            raise Unreachable("the manager certifies no hosts; it is older than this agent")
        try:
            tls.use(identity)
        except UnfitIdentity as unfit:
            raise NotJoined(
                f"{unfit}; to join it anew, remove {self._credential_file} and give the agent a new join token"
            ) from unfit
        return Trust(ca=identity.ca, manager=identity.manager)

    async def _report(self, path: str, changes: tuple[MachineSeen, ...], *, full: bool) -> None:
        heartbeat = Heartbeat(
            boot_id=self._facts.boot_id,
            seq=self._numbers.next(),
            full=full,
            machines=self._everything() if full else changes,
            facts=self._facts if full else None,
            usage=self._usage() if full else None,
        )
        answer = _parse(HeartbeatAnswer, await self._post(path, heartbeat.model_dump_json()))
        self._interval_s = answer.interval_s
        for machine in answer.gone:
            if machine not in self._discarding:
                task = asyncio.create_task(self._discard_gone(machine))
                self._discarding[machine] = task

    async def _discard_gone(self, machine: UUID) -> None:
        _log.info("discarding_gone_machine", machine_id=str(machine))
        try:
            await self._discard(machine)
        except Exception as refused:  # the supervisor's loop: the next heartbeat names it again
            _log.exception("gone_machine_not_discarded", machine_id=str(machine), why=str(refused))
        finally:
            self._discarding.pop(machine, None)

    async def _post(self, path: str, body: str) -> httpx.Response:
        try:
            answer = await self._http.post(
                path, content=body, headers={"Content-Type": "application/json"}, timeout=REQUEST_TIMEOUT_S
            )
        except httpx.HTTPError as lost:
            hint = "; name its authority with --ca (AGENT_MANAGER_CA)" if "CERTIFICATE_VERIFY" in str(lost) else ""
            raise Unreachable(f"the manager does not answer ({lost or type(lost).__name__}){hint}") from lost
        if answer.status_code in (401, 403):
            raise NotJoined(
                f"the manager refuses this host's credential or join token ({answer.status_code}): it may have been "
                f"removed or given up there; to join it anew, remove {self._credential_file}, give the agent a new "
                "join token and restart it"
            )
        if not answer.is_success:
            raise Unreachable(f"the manager answered {answer.status_code} to {path}: {answer.text[:200]}")
        return answer


def _parse(kind: type[_M], answer: httpx.Response) -> _M:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as unfit:
        raise Unreachable(f"the manager's answer is not a {kind.__name__}") from unfit
