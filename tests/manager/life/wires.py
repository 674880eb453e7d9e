"""The two connections between manager and agent, inside one process, which a test may disturb."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import httpx

Deliver = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Call(StrEnum):
    """What befalls one call of the manager to an agent."""

    BUSY = "busy"
    """Answered with a retryable trouble; nothing is done."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    """This call and the next two find nobody; then the agent is back."""
    ANSWER_LOST = "answer-lost"
    """Done, and the answer never comes."""
    SLOW = "slow"
    """The manager gives up on it; it is done all the same, right after the manager's next call."""
    LATE = "late"
    """As SLOW, when everything has come to rest."""
    POSTHUMOUS = "posthumous"
    """As SLOW, when the VM has been deleted."""
    AGENT_KILLED_BEFORE = "agent-killed-before"
    AGENT_KILLED_AFTER = "agent-killed-after"


class Reports(StrEnum):
    """What befalls the agent's reports of changes; full reports every interval arrive."""

    TWICE = "twice"
    LOST = "lost"
    """The agent knows: it could not connect."""
    SWALLOWED = "swallowed"
    """The agent was told that they arrived."""
    ANSWER_LOST = "answer-lost"
    OUT_OF_ORDER = "out-of-order"
    """Each arrives after the one that follows it."""
    REPLAYED = "replayed"
    """All arrive, and once more when everything is over, the newest first."""


class AgentWire(httpx.AsyncBaseTransport):
    """Manager to agent. `next` befalls the next call; `kill` ends the agent as kill -9 would."""

    def __init__(self, deliver: Deliver, kill: Callable[[], None]) -> None:
        self._deliver = deliver
        self._kill = kill
        self._nobody_for = 0
        self._held: list[tuple[Call, httpx.Request]] = []
        self.next: Call | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request = httpx.Request(
            request.method, request.url, headers=request.headers, content=await request.aread() or None
        )
        fault, self.next = self.next, None
        if fault is None and self._nobody_for:
            self._nobody_for -= 1
            raise httpx.ConnectError("nobody listens")
        if fault is None:
            answer = await self._deliver(request)
            await self.release(Call.SLOW)
            return answer
        return await self._disturbed(fault, request)

    async def _disturbed(self, fault: Call, request: httpx.Request) -> httpx.Response:
        match fault:
            case Call.BUSY:
                return httpx.Response(503, json={"error": "the host is busy"})
            case Call.REFUSED:
                return httpx.Response(409, json={"error": "the host will not have it"})
            case Call.UNREACHABLE:
                self._nobody_for = 2
                raise httpx.ConnectError("nobody listens")
            case Call.SLOW | Call.LATE | Call.POSTHUMOUS:
                self._held.append((fault, request))
                raise httpx.ReadTimeout("no answer in time")
            case Call.ANSWER_LOST:
                await self._deliver(request)
            case Call.AGENT_KILLED_BEFORE:
                self._kill()
            case Call.AGENT_KILLED_AFTER:
                await self._deliver(request)
                self._kill()
        raise httpx.ReadError("the connection was lost")

    async def release(self, kind: Call) -> None:
        """Have the calls of this kind arrive at last."""
        arriving = [request for held, request in self._held if held is kind]
        self._held = [(held, request) for held, request in self._held if held is not kind]
        for request in arriving:
            await self._deliver(request)


class ReportWire(httpx.AsyncBaseTransport):
    """Agent to manager. `mode` befalls every report of changes."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._waiting: list[httpx.Request] = []
        self._arrived: list[httpx.Request] = []
        self.mode: Reports | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        request = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        if self.mode is None or not request.url.path.endswith("/heartbeat"):
            return await self._deliver(request)
        if json.loads(body)["full"] and self.mode not in (Reports.OUT_OF_ORDER, Reports.REPLAYED):
            return await self._deliver(request)
        return await self._disturbed(self.mode, request)

    async def _disturbed(self, mode: Reports, request: httpx.Request) -> httpx.Response:
        match mode:
            case Reports.LOST:
                raise httpx.ConnectError("nobody listens")
            case Reports.SWALLOWED:
                return httpx.Response(200, json={"interval_s": 0.1, "gone": []})
            case Reports.TWICE:
                await self._deliver(request)
                return await self._deliver(request)
            case Reports.REPLAYED:
                self._arrived.append(request)
                return await self._deliver(request)
            case Reports.ANSWER_LOST:
                await self._deliver(request)
                raise httpx.ReadError("the connection was lost")
            case Reports.OUT_OF_ORDER:
                overtaken, self._waiting = self._waiting, [request]
                if not overtaken:
                    return httpx.Response(200, json={"interval_s": 0.1, "gone": []})
                self._waiting = []
                answer = await self._deliver(request)
                for late in overtaken:
                    await self._deliver(late)
                return answer

    async def replay(self) -> None:
        """Have all that arrived while they were REPLAYED arrive again."""
        arrived, self._arrived = self._arrived, []
        for request in reversed(arrived):
            await self._deliver(request)


def over(app: Any) -> Deliver:
    """Calls into an ASGI application in this process, each in a task of its own: a caller that is cut off does not
    take it along."""
    transport = httpx.ASGITransport(app)

    async def deliver(request: httpx.Request) -> httpx.Response:
        answer = await transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

    async def apart(request: httpx.Request) -> httpx.Response:
        return await asyncio.shield(asyncio.ensure_future(deliver(request)))

    return apart
