"""The agent of a simulated guest: one HTTP request a stream. It runs no processes and says so."""

import asyncio
import time
from collections.abc import Callable

from nexus.protocol.guest import (
    Capability,
    FrozenSeen,
    GuestHealth,
    GuestMetrics,
    IdentitySeen,
    PowerAction,
    PowerRequest,
    ThawSeen,
)

HEAD_END = b"\r\n\r\n"
STARTED = time.monotonic()


class FakeGuestStream:
    """A `ByteStream` with an HTTP server at its other end."""

    def __init__(self, *, power: Callable[[PowerAction], None]) -> None:
        self._power = power
        self._request = b""
        self._answer = b""
        self._answered = asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        await self._answered.wait()
        part, self._answer = self._answer[:limit], self._answer[limit:]
        return part

    async def write(self, data: bytes) -> None:
        self._request += data
        head, found, body = self._request.partition(HEAD_END)
        if found and not self._answered.is_set() and len(body) >= _content_length(head):
            method, path, _ = head.split(b" ", 2)
            self._answer = self._serve(method.decode(), path.decode(), body)
            self._answered.set()

    def write_eof(self) -> None:
        """The whole request has been written by then."""

    def abort(self) -> None:
        self._answered.set()

    def _serve(self, method: str, path: str, body: bytes) -> bytes:
        match method, path:
            case "GET", "/v1/health":
                able = (Capability.FREEZE, Capability.IDENTITY)
                health = GuestHealth(version="fake", protocol=1, boot_ms=0, capabilities=able)
                return _response(200, health.model_dump_json())
            case "GET", "/v1/metrics":
                return _response(200, _metrics().model_dump_json())
            case "GET", "/v1/sessions":
                return _response(200, '{"items": []}')
            case "PUT", "/v1/time" | "/v1/metadata":
                return _response(200, '{"ok": true}')
            case "POST", "/v1/filesystems/freeze":
                return _response(200, FrozenSeen(frozen=("/",)).model_dump_json())
            case "POST", "/v1/filesystems/thaw":
                return _response(200, ThawSeen(held=True).model_dump_json())
            case "POST", "/v1/identity":
                return _response(200, IdentitySeen().model_dump_json())
            case "POST", "/v1/power":
                asyncio.get_running_loop().call_soon(self._power, PowerRequest.model_validate_json(body).action)
                return _response(200, '{"ok": true}')
            case "POST", "/v1/sessions":
                return _response(409, '{"error": "a simulated guest runs no processes"}')
            case _:
                return _response(404, '{"error": "no such path"}')


def _metrics() -> GuestMetrics:
    return GuestMetrics(
        uptime_s=time.monotonic() - STARTED,
        cpu_percent=0,
        cpu_seconds=0,
        memory_total_kib=0,
        memory_available_kib=0,
        load_1=0,
        load_5=0,
        load_15=0,
        processes=0,
        root_total_bytes=0,
        root_free_bytes=0,
    )


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def _response(status: int, body: str) -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Refused'}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data
