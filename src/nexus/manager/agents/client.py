"""Calls to one host's agent, and what its answers mean.

Shapes and addresses are docs/protocol/agent.md. Every call may be repeated. Answers of 404 are Gone; 400, 409 and 422
are Refused, with the agent's own sentence; anything else, and silence, is Retryable. No database connection may be held
while one of these is awaited.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import httpx
from pydantic import ValidationError

from nexus.kit import log
from nexus.manager.agents.dialing import Line
from nexus.manager.agents.pipes import PipeStream, open_pipe
from nexus.manager.agents.sessions import SessionStream, open_session
from nexus.manager.agents.tls import ManagerTls
from nexus.manager.agents.troubles import trouble_of
from nexus.protocol.archives import MEDIA_TYPE
from nexus.protocol.balloons import BalloonSeen
from nexus.protocol.base import Message
from nexus.protocol.guest import Pipe, SessionOpened, SessionRequest, SessionSeen, SessionsSeen
from nexus.protocol.hosts import HostFile
from nexus.protocol.machines import MachineSeen, MachineSpec, PowerWish
from nexus.protocol.metrics import MachineMetrics
from nexus.protocol.snapshots import SnapshotSeen, SnapshotWish
from nexus.protocol.trouble import Gone, Retryable

M = TypeVar("M", bound=Message)

_LONG = httpx.Timeout(4 * 3600, connect=3)
"""For what takes as long as a disk does: a snapshot is read whole before it is sent, and once more when it has come."""


class SignalRequest(Message):
    """What docs/protocol/guest.md wants of POST /v1/sessions/{id}/signal."""

    signal: int


@dataclass(frozen=True)
class ConsoleLog:
    """A part of a log, such as a serial console's: where it starts, how long the log is, and its bytes."""

    offset: int
    size: int
    content: bytes


@dataclass(frozen=True)
class SecureLine:
    """How an agent on another machine is spoken to; it must prove to be `server_name`."""

    tls: ManagerTls
    server_name: str


class Agent:
    """One host's agent. Cheap to make; the connections belong to the pool (`agents.pool`)."""

    def __init__(self, http: httpx.AsyncClient, address: str, line: SecureLine | None) -> None:
        self._http = http
        self._line = line
        self.address = address

    @asynccontextmanager
    async def session(self, machine_id: UUID, session_id: str, *, offset: int) -> AsyncGenerator[SessionStream]:
        """The frames of a guest session, its output from byte `offset` on. Raises as `sessions.open_session` does."""
        path = f"/v1/machines/{machine_id}/guest/sessions/{session_id}/stream?offset={offset}"
        async with open_session(await self._dialable(), path) as stream:
            yield stream

    @asynccontextmanager
    async def pipe(self, machine_id: UUID, pipe: Pipe, asked: Mapping[str, str]) -> AsyncGenerator[PipeStream]:
        """Bytes to and from something in a guest; `asked` is what docs/protocol/guest.md has for this pipe.

        Raises Refused when there is no such thing."""
        path = f"/v1/machines/{machine_id}/guest/pipes/{pipe}?{urlencode(asked)}"
        async with open_pipe(await self._dialable(), path) as stream:
            yield stream

    async def _dialable(self) -> Line:
        if self._line is None:
            return Line(address=self.address, headers=correlation())
        await self._line.tls.prepare()
        return Line(
            address=self.address,
            headers=correlation(),
            server_name=self._line.server_name,
            context=self._line.tls.context,
        )

    async def find_file(self, path: str) -> HostFile:
        """What the host has at `path`, if a drive may be there."""
        return await self._send(HostFile, "GET", "/v1/host/files", params={"path": path})

    async def ensure_file(self, path: str, *, size_bytes: int) -> HostFile:
        """Have an empty file for a drive at a place where none is."""
        return await self._send(HostFile, "PUT", "/v1/host/files", body=HostFile(path=path, size_bytes=size_bytes))

    async def ensure_machine(self, spec: MachineSpec) -> MachineSeen:
        """Have the host know this definition; does not start it."""
        return await self._send(MachineSeen, "PUT", f"/v1/machines/{spec.id}", body=spec)

    async def ensure_power(self, machine_id: UUID, wish: PowerWish) -> MachineSeen:
        """Have the hypervisor do this; the answer is what is now, progress comes as reports."""
        return await self._send(MachineSeen, "PUT", f"/v1/machines/{machine_id}/power", body=wish)

    async def observe_machine(self, machine_id: UUID) -> MachineSeen:
        return await self._send(MachineSeen, "GET", f"/v1/machines/{machine_id}")

    async def discard_machine(self, machine_id: UUID) -> MachineSeen:
        """Have nothing of the machine left; `power: absent` once that is so."""
        return await self._send(MachineSeen, "DELETE", f"/v1/machines/{machine_id}")

    async def ensure_snapshot(self, machine_id: UUID, snapshot_id: UUID, wish: SnapshotWish) -> SnapshotSeen:
        """Have the host take this snapshot of the machine; the answer is how far it is."""
        return await self._send(SnapshotSeen, "PUT", f"/v1/machines/{machine_id}/snapshots/{snapshot_id}", body=wish)

    async def observe_snapshot(self, snapshot_id: UUID) -> SnapshotSeen:
        """What the host has of it."""
        return await self._send(SnapshotSeen, "GET", f"/v1/snapshots/{snapshot_id}")

    @asynccontextmanager
    async def export_snapshot(self, snapshot_id: UUID) -> AsyncGenerator["AgentStream"]:
        """The host's part of the snapshot's archive. Raises Trouble, also while it is read."""
        request = self._http.build_request(
            "GET",
            f"/v1/snapshots/{snapshot_id}/export",
            headers=correlation(),
            extensions=await self._extensions(),
            timeout=_LONG,
        )
        try:
            answer = await self._http.send(request, stream=True)
        except httpx.HTTPError as lost:
            raise self._unreachable(lost) from lost
        try:
            if not answer.is_success:
                raise trouble_of(answer.status_code, await answer.aread())
            yield AgentStream(self, answer)
        finally:
            await answer.aclose()

    async def import_snapshot(self, snapshot_id: UUID, pieces: AsyncIterator[bytes]) -> SnapshotSeen:
        """Have the host take in such a part, with a wish before it. Raises Trouble, and what `pieces` raises: then the
        host is cut off before the end, and keeps nothing."""
        request = self._http.build_request(
            "PUT",
            f"/v1/snapshots/{snapshot_id}",
            content=pieces,
            headers=correlation() | {"Content-Type": MEDIA_TYPE},
            extensions=await self._extensions(),
            timeout=_LONG,
        )
        try:
            answer = await self._http.send(request)
        except httpx.HTTPError as lost:
            raise self._unreachable(lost) from lost
        if not answer.is_success:
            raise trouble_of(answer.status_code, answer.content)
        return SnapshotSeen.model_validate_json(answer.content)

    async def discard_snapshot(self, snapshot_id: UUID) -> None:
        """Have nothing of it left on the host. Refused while a machine there has yet to begin from it."""
        try:
            await self._request("DELETE", f"/v1/snapshots/{snapshot_id}")
        except Gone:
            return

    async def send_ctrl_alt_del(self, machine_id: UUID) -> None:
        await self._request("POST", f"/v1/machines/{machine_id}/ctrl-alt-del")

    async def observe_metrics(self, machine_id: UUID) -> MachineMetrics:
        return await self._send(MachineMetrics, "GET", f"/v1/machines/{machine_id}/metrics")

    async def observe_balloon(self, machine_id: UUID) -> BalloonSeen:
        return await self._send(BalloonSeen, "GET", f"/v1/machines/{machine_id}/balloon")

    def console_log(self, machine_id: UUID) -> "AgentLog":
        """The serial console's log."""
        return AgentLog(self, f"/v1/machines/{machine_id}/console")

    def vmm_log(self, machine_id: UUID) -> "AgentLog":
        """What the machine's hypervisor says."""
        return AgentLog(self, f"/v1/machines/{machine_id}/vmm-log")

    def own_log(self) -> "AgentLog":
        """The agent's own log; it may refuse, where it is kept in no file."""
        return AgentLog(self, "/v1/host/log")

    @asynccontextmanager
    async def console(self, machine_id: UUID, *, offset: int) -> AsyncGenerator[SessionStream]:
        """The serial console as if it were a session: its output from byte `offset` of the log on, its input."""
        path = f"/v1/machines/{machine_id}/console/stream?offset={offset}"
        async with open_session(await self._dialable(), path) as stream:
            yield stream

    async def read_log(self, path: str, *, offset: int) -> ConsoleLog:
        """A part of the log at `path` of the agent."""
        answer = await self._request("GET", path, params={"offset": offset})
        try:
            start, size = int(answer.headers["Nexus-Offset"]), int(answer.headers["Nexus-Size"])
        except (KeyError, ValueError) as unusable:
            raise Retryable(f"the agent at {self.address} did not say where the log starts") from unusable
        return ConsoleLog(offset=start, size=size, content=answer.content)

    async def follow_log(self, path: str, *, offset: int) -> AsyncGenerator[bytes]:
        """The log at `path` from a byte on, and then what comes, until the agent ends it or is out of reach."""
        extensions = await self._extensions()
        request = self._http.build_request(
            "GET",
            path,
            params={"offset": offset, "follow": 1},
            headers=correlation(),
            extensions=extensions,
            timeout=httpx.Timeout(10, read=None),
        )
        try:
            answer = await self._http.send(request, stream=True)
            try:
                if not answer.is_success:
                    raise trouble_of(answer.status_code, await answer.aread())
                async for chunk in answer.aiter_raw():
                    yield chunk
            finally:
                await answer.aclose()
        except httpx.HTTPError as lost:
            raise Retryable(f"the agent at {self.address} cannot be reached: {_say(lost)}") from lost

    async def start_session(self, machine_id: UUID, request: SessionRequest) -> str:
        """Start a process in the guest; answers the session's id."""
        path = f"/v1/machines/{machine_id}/guest/sessions"
        return (await self._send(SessionOpened, "POST", path, body=request)).id

    async def list_sessions(self, machine_id: UUID) -> tuple[SessionSeen, ...]:
        """The processes that were started in the guest, and those that have ended and are still kept."""
        return (await self._send(SessionsSeen, "GET", f"/v1/machines/{machine_id}/guest/sessions")).items

    async def discard_session(self, machine_id: UUID, session_id: str) -> None:
        """Kill a session's processes and forget it; one that is gone already is fine."""
        try:
            await self._request("DELETE", f"/v1/machines/{machine_id}/guest/sessions/{session_id}")
        except Gone:
            return

    async def signal_session(self, machine_id: UUID, session_id: str, signal: int) -> None:
        """Send a signal to a session's processes. Refused once they have ended."""
        path = f"/v1/machines/{machine_id}/guest/sessions/{session_id}/signal"
        await self._request("POST", path, body=SignalRequest(signal=signal))

    async def _send(
        self,
        kind: type[M],
        method: str,
        path: str,
        *,
        body: Message | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> M:
        answer = await self._request(method, path, body=body, params=params)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as unusable:
            raise Retryable(f"the agent at {self.address} gave an answer that is no {kind.__name__}") from unusable

    def _unreachable(self, lost: httpx.HTTPError) -> Retryable:
        return Retryable(f"the agent at {self.address} cannot be reached: {_say(lost)}")

    async def _extensions(self) -> dict[str, Any]:
        if self._line is None:
            return {}
        await self._line.tls.prepare()
        return {"sni_hostname": self._line.server_name}

    async def _request(
        self, method: str, path: str, *, body: Message | None = None, params: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        content = None if body is None else body.model_dump_json().encode()
        extensions = await self._extensions()
        try:
            answer = await self._http.request(
                method, path, content=content, params=params, headers=correlation(), extensions=extensions
            )
        except httpx.HTTPError as lost:
            raise Retryable(f"the agent at {self.address} cannot be reached: {_say(lost)}") from lost
        if answer.is_success:
            return answer
        raise trouble_of(answer.status_code, answer.content)


class AgentStream:
    """A long answer of an agent's, of `length` bytes."""

    def __init__(self, agent: Agent, answer: httpx.Response) -> None:
        self._agent = agent
        self._answer = answer
        self.length = int(answer.headers.get("content-length", 0))

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Raises Retryable when the agent is lost in the middle."""
        try:
            async for piece in self._answer.aiter_bytes():
                yield piece
        except httpx.HTTPError as lost:
            raise Retryable(f"the agent at {self._agent.address} was lost: {_say(lost)}") from lost


class AgentLog:
    """A log that a host's agent keeps."""

    def __init__(self, agent: Agent, path: str) -> None:
        self._agent = agent
        self._path = path

    async def read(self, offset: int) -> ConsoleLog:
        """A part of it from byte `offset` on, or from the oldest kept. Raises Trouble."""
        return await self._agent.read_log(self._path, offset=offset)

    def follow(self, offset: int) -> AsyncGenerator[bytes]:
        """All of it from byte `offset` on, and then what comes, for at most an hour. Raises Trouble."""
        return self._agent.follow_log(self._path, offset=offset)


def correlation() -> dict[str, str]:
    """Headers by which the logs of both processes can be read together."""
    request_id = log.bound("request_id")
    headers = {"Content-Type": "application/json"}
    return headers | {"X-Request-ID": str(request_id)} if request_id else headers


def _say(lost: httpx.HTTPError) -> str:
    return str(lost) or type(lost).__name__
