"""Long answers, made while they are sent, and long requests, taken as they come.

Must stay true: whoever reads one can tell its end from a break (an answer's length is told first, and one that cannot
be made to its end is cut off before it); and an answer that nobody takes any more holds nothing open.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nexus.kit import log
from nexus.kit.incoming import EndedEarly

_log = log.get("http")

STALLED_S = 600.0
"""How long whoever reads may take nothing, and whoever sends may send nothing."""


class StreamBroken(Exception):
    """What is being sent cannot be made to its end; the message says why, for the log."""


class ByteStream(Response):
    """`pieces` as an answer of `length` bytes. `close` is called when it is over, however it ended."""

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        *,
        length: int,
        close: Callable[[], Awaitable[None]],
        media_type: str,
        headers: Mapping[str, str] | None = None,
        stalled_s: float = STALLED_S,
    ) -> None:
        super().__init__(media_type=media_type, headers={"Content-Length": str(length), **(headers or {})})
        self._pieces = pieces
        self._close = close
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except (StreamBroken, TimeoutError) as broken:
            _log.warning("answer_cut_off", path=scope["path"], why=str(broken) or "nobody takes it")
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._pieces.aclose()
            await self._close()

    async def _send(self, send: Send) -> None:
        async with asyncio.timeout(self._stalled_s):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._pieces:
            if piece:
                async with asyncio.timeout(self._stalled_s):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def arriving(request: Request, *, stalled_s: float = STALLED_S) -> AsyncGenerator[bytes]:
    """The body of a request, as it comes. Raises EndedEarly when whoever sends it is gone, or sends nothing."""
    taken, pieces = 0, aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(stalled_s):
                piece = await anext(pieces, None)
        except (ClientDisconnect, TimeoutError) as gone:
            raise EndedEarly(taken) from gone
        if piece is None:
            return
        taken += len(piece)
        yield piece
