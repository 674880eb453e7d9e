"""HTTP/1.1 to one Firecracker process: one connection, kept, one request at a time (facts, 7).

Must stay true: whoever broke out of a guest answers in Firecracker's place, so nothing that comes may be longer than
we allow, take longer, or raise anything but an ApiTrouble.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from typing import Final, cast

from nexus.agent.vmm.firecracker.bodies import Body, Fault

MAX_HEAD_BYTES: Final = 16384
MAX_ANSWER_BYTES: Final = 1 << 20
Dial = Callable[[], socket.socket]
"""Gives a connected, non-blocking socket. Raises OSError."""


class ApiTrouble(Exception):
    """A request that was not answered with success; the message says what Firecracker said, or that it said nothing."""


class ApiRefused(ApiTrouble):
    """Firecracker answered, and refused."""


class ApiConnection:
    def __init__(self, dial: Dial, *, patience_s: float = 10.0) -> None:
        """`patience_s`: for a whole request, unless it is given its own."""
        self._dial = dial
        self._patience_s = patience_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._turn.locked()

    async def request(self, method: str, path: str, body: Body | bytes | None, *, patience_s: float | None) -> bytes:
        """The answer's content. Raises ApiRefused for any status but 200 and 204, ApiTrouble when none came."""
        content = body.json_bytes() if isinstance(body, Body) else body
        limit_s = self._patience_s if patience_s is None else patience_s
        try:
            async with asyncio.timeout(limit_s), self._turn:
                status, answer = await self._exchange(method, path, content)
        except TimeoutError as late:
            raise ApiTrouble(f"no answer to {method} {path} within {limit_s:g} s") from late
        except (OSError, EOFError, asyncio.LimitOverrunError) as lost:
            raise ApiTrouble(f"no answer to {method} {path}: {_words(lost)}") from lost
        except ValueError as unfit:
            raise ApiTrouble(f"an answer to {method} {path} that makes no sense") from unfit
        if status in (200, 204):
            return answer
        raise ApiRefused(f"{method} {path} was refused: {_fault(answer) or f'status {status}'}")

    async def close(self) -> None:
        self._drop()

    async def _exchange(self, method: str, path: str, content: bytes | None) -> tuple[int, bytes]:
        try:
            reader, writer = await self._connected()
            writer.write(_head(method, path, content) + (content or b""))
            await writer.drain()
            status, length = _parse(await reader.readuntil(b"\r\n\r\n"))
            if length > MAX_ANSWER_BYTES:
                raise ValueError(f"an answer of {length} bytes")
            return status, await reader.readexactly(length)
        except BaseException:
            self._drop()
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            self._drop()
            self._streams = await asyncio.open_unix_connection(sock=self._dial(), limit=MAX_HEAD_BYTES)
        return self._streams

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def _head(method: str, path: str, content: bytes | None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: application/json"]
    if content is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _parse(head: bytes) -> tuple[int, int]:
    """(status, length of the content). Raises ValueError."""
    first, *rest = head.decode("latin-1").split("\r\n")
    protocol, status, *_ = first.split(" ")
    if not protocol.startswith("HTTP/1."):
        raise ValueError(first)
    length = 0
    for line in rest:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            length = int(value)
    return int(status), length


def _fault(answer: bytes) -> str:
    with contextlib.suppress(ValueError, RecursionError):
        said = cast(object, json.loads(answer))
        return Fault.model_validate(said).fault_message.strip().rpartition("\n")[2][:500]
    return ""


def _words(lost: Exception) -> str:
    return (isinstance(lost, OSError) and lost.strerror) or "it hung up"
