"""Load on one HTTP/1.1 address: so many connections, each asking again as soon as it is answered.

Bare sockets, because the processor time of the asker is taken from what it measures.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


@dataclass
class Load:
    """What came back in `seconds`: one latency an answer, and the bytes of one of them."""

    seconds: float
    latencies: list[float] = field(default_factory=list[float])
    answer_bytes: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


async def load(url: str, *, token: str, connections: int, seconds: float) -> Load:
    """Ask for `url` for so long. Raises RuntimeError for any answer but 200."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    request = (
        f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\nAccept: */*\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    found = Load(seconds)
    askers = [_Asker(request, found, begun + seconds) for _ in range(connections)]
    for asker in askers:
        await loop.create_connection(lambda asker=asker: asker, parts.hostname, parts.port)
    await asyncio.gather(*(asker.ended for asker in askers))
    found.seconds = time.perf_counter() - begun
    return found


class _Asker(asyncio.Protocol):
    def __init__(self, request: bytes, found: Load, until: float) -> None:
        self._request, self._found, self._until = request, found, until
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head = b""
        self._missing: int | None = None
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one without saying so
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._missing is None:
            self._head += data
            end = self._head.find(_HEAD_END)
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end + 2)
            if not self._head.startswith(b"HTTP/1.1 200") or length is None:
                self._fail(self._head[:500].decode(errors="replace"))
                return
            self._found.answer_bytes = int(length[1])
            self._missing = int(length[1]) - (len(self._head) - end - len(_HEAD_END))
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed")

    def _answered(self) -> None:
        now = time.perf_counter()
        self._found.latencies.append(now - self._asked_at)
        if now < self._until:
            self._ask()
        elif not self.ended.done():
            self.ended.set_result(None)
            self._transport.close()

    def _ask(self) -> None:
        self._head, self._missing = b"", None
        self._asked_at = time.perf_counter()
        self._transport.write(self._request)

    def _fail(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(RuntimeError(why))
