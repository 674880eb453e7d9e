"""Hanging up on WebSockets under granian, whose close is not sent while a `receive` waits.

So: first let whoever listens to the client end, then close. Granian may also tell a `send` after a cancelled `receive`
that it was cancelled itself, although it was carried out; that must not look like our own cancellation.
"""

import asyncio

from starlette.websockets import WebSocket


async def hang_up(
    socket: WebSocket, *, hearing: asyncio.Task[None] | None = None, code: int = 1000, reason: str = ""
) -> None:
    """Close `socket`; `hearing` is the task that waits for messages of the client, if there is one.

    A client that is gone already is fine."""
    if hearing is not None:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
    closing = asyncio.create_task(socket.close(code, reason[:120]))
    await asyncio.wait({closing})
    if not closing.cancelled() and isinstance(error := closing.exception(), Exception):
        _forgive(error)


def _forgive(error: Exception) -> None:
    """A socket that is closed already says so with a RuntimeError; anything else is ours to know."""
    if not isinstance(error, RuntimeError):
        raise error


async def until_closed(socket: WebSocket) -> None:
    """Read (and ignore) what the client says, to notice when it goes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
