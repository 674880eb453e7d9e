"""The guest agent's HTTP interface as methods (docs/protocol/guest.md).

Errors are Troubles: `Gone` for 404, `Refused` for 400, 409 and 422 (the message is the guest's own sentence),
`Retryable` for anything else: a guest that is not ready, an answer that did not come in time.

Every request takes a stream of its own: a kept connection may have died with the guest's last session, and a stream
costs half a millisecond.

What must stay true: whoever is root in the guest may answer in the agent's place, so nothing that comes may be longer
than we allow, nor be unpacked, nor raise anything but a Trouble.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from nexus.agent.guest.answers import MAX_HEAD_BYTES, parse_head, trouble_of
from nexus.agent.guest.session import SessionStream
from nexus.protocol.base import Message
from nexus.protocol.guest import (
    FreezeRequest,
    FrozenSeen,
    GuestHealth,
    GuestMetadata,
    GuestMetrics,
    IdentityRequest,
    IdentitySeen,
    MetadataRequest,
    PowerAction,
    PowerRequest,
    SessionOpened,
    SessionRequest,
    SessionSeen,
    SessionsSeen,
    ThawSeen,
    TimeRequest,
)
from nexus.protocol.trouble import Gone, Refused, Retryable

_M = TypeVar("_M", bound=BaseModel)
MAX_ANSWER_BYTES: Final = 4 << 20
"""The longest honest answer is a list of sessions with all their words."""
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Never used on a Unix socket; without it httpx reads the system's authorities for every client, 40 ms."""
_SIGNALS: Final = range(1, 65)


@dataclass(frozen=True)
class GuestAnswer:
    """What the guest said, not unpacked and not believed."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class GuestClient:
    """Talks to one guest through its `guest.sock`; cheap to make, `close` it (or use `async with`)."""

    def __init__(self, socket: Path, *, timeout_s: float = 5) -> None:
        """`timeout_s`: for each whole request, the opening of a session's stream included."""
        self._socket = socket
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                uds=str(socket),
                verify=_NO_TLS,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            ),
            base_url="http://guest",
            headers={"Accept-Encoding": "identity"},
            timeout=timeout_s,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exit: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def health(self) -> GuestHealth:
        return await self._ask(GuestHealth, "GET", "/v1/health")

    async def metrics(self) -> GuestMetrics:
        return await self._ask(GuestMetrics, "GET", "/v1/metrics")

    async def set_time(self, time_unix_ms: int) -> None:
        """Set the guest's clock; milliseconds since 1970, UTC."""
        await self._send("PUT", "/v1/time", TimeRequest(time_unix_ms=time_unix_ms))

    async def set_metadata(self, metadata: GuestMetadata | None) -> None:
        """Have the guest serve this, and nothing else, as its metadata; None: no such service."""
        await self._send("PUT", "/v1/metadata", MetadataRequest(metadata=metadata))

    async def freeze(self, *, hold_ms: int) -> FrozenSeen:
        """Have the guest write everything out and then nothing more, for at most so long. Asked again: from then on."""
        return await self._ask(FrozenSeen, "POST", "/v1/filesystems/freeze", FreezeRequest(hold_ms=hold_ms))

    async def thaw(self) -> bool:
        """Have it write again. False: it had begun by itself, or was never frozen."""
        return (await self._ask(ThawSeen, "POST", "/v1/filesystems/thaw")).held

    async def become(self, request: IdentityRequest) -> IdentitySeen:
        """Tell a restored guest who it is. May be repeated: every step of it is ensured, only hooks run again."""
        return await self._ask(IdentitySeen, "POST", "/v1/identity", request)

    async def power(self, action: PowerAction, *, force_after_ms: int | None = None) -> None:
        """Have the guest's init power it off or reboot it. Returns before that has happened.

        `force_after_ms`: when the guest's agent does it over the head of an init that has not finished."""
        await self._send("POST", "/v1/power", PowerRequest(action=action, force_after_ms=force_after_ms))

    async def open_session(self, request: SessionRequest) -> str:
        """Start a process in the guest; the answer is the session's id."""
        return (await self._ask(SessionOpened, "POST", "/v1/sessions", request)).id

    async def sessions(self) -> tuple[SessionSeen, ...]:
        return (await self._ask(SessionsSeen, "GET", "/v1/sessions")).items

    async def signal(self, session_id: str, signal: int) -> None:
        """Send a signal (1 to 64) to the session's process group. Refused once the process has ended."""
        if signal not in _SIGNALS:
            raise Refused(f"there is no signal {signal}")
        await self._answer("POST", f"{_session(session_id)}/signal", content=b'{"signal":%d}' % signal)

    async def delete_session(self, session_id: str) -> None:
        """Kill the process group and forget the session."""
        await self._answer("DELETE", _session(session_id))

    @asynccontextmanager
    async def stream(self, session_id: str, *, offset: int = 0) -> AsyncGenerator[SessionStream]:
        """Watch a session from output byte `offset` on, in place of whoever watched it before.

        Raises Gone for an unknown session, Refused for an offset beyond what was written."""
        try:
            async with asyncio.timeout(self._timeout_s):
                stream = await self._upgrade(f"{_session(session_id)}/stream?offset={offset:d}")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as lost:
            raise _unreachable(lost) from lost
        except (ValueError, LookupError) as unfit:
            raise Retryable("the guest's agent answered with a head that makes no sense") from unfit
        try:
            yield stream
        finally:
            stream.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> GuestAnswer:
        """Any request, for whoever passes it on; `path` begins with a slash.

        Raises Retryable when no answer came, or one of more than MAX_ANSWER_BYTES."""
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        asked = self._http.build_request(method, path, content=content, headers=headers, timeout=limit_s)
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._http.send(asked, stream=True)
                try:
                    return GuestAnswer(answer.status_code, answer.headers, await _content(answer))
                finally:
                    await answer.aclose()
        except (httpx.HTTPError, TimeoutError) as lost:
            raise _unreachable(lost) from lost

    async def _ask(self, kind: type[_M], method: str, path: str, body: Message | None = None) -> _M:
        answer = await self._send(method, path, body)
        try:
            return TypeAdapter(kind).validate_json(answer)
        except ValidationError as unfit:
            raise Retryable(f"the guest's agent answered {path} with something else") from unfit

    async def _send(self, method: str, path: str, body: Message | None) -> bytes:
        return await self._answer(method, path, content=body.model_dump_json().encode() if body else b"")

    async def _answer(self, method: str, path: str, *, content: bytes = b"") -> bytes:
        answer = await self.request(method, path, content=content)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.content
        raise trouble_of(answer.status, answer.content)

    async def _upgrade(self, path: str) -> SessionStream:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: guest\r\nConnection: Upgrade\r\nUpgrade: nexus-session\r\n\r\n".encode()
            )
            status, headers = parse_head(await reader.readuntil(b"\r\n\r\n"))
            if status != HTTPStatus.SWITCHING_PROTOCOLS:
                length = min(int(headers.get("content-length", "0")), MAX_HEAD_BYTES)
                raise trouble_of(status, await reader.readexactly(length))
            return SessionStream(reader, writer, offset=int(headers["nexus-offset"]))
        except BaseException:
            writer.transport.abort()
            raise


async def _content(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise Retryable(f"the guest's agent answered with more than {MAX_ANSWER_BYTES >> 20} MiB")
    return bytes(content)


def _session(session_id: str) -> str:
    if not session_id.isalnum() or not session_id.isascii():
        raise Gone("there is no such session")
    return f"/v1/sessions/{session_id}"


def _unreachable(lost: Exception) -> Retryable:
    if isinstance(lost, TimeoutError | httpx.TimeoutException):
        return Retryable("the guest's agent did not answer in time")
    return Retryable("the guest's agent is not there")
