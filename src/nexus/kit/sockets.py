"""Speaking on WebSockets under granian, and hanging up, where it differs from other servers.

To a client that is gone it refuses a message with a RuntimeError (starlette knows only OSError), and a close is not
sent while a `receive` waits. So: first let whoever listens to the client end, then close. Granian may also tell a
`send` after a cancelled `receive` that it was cancelled itself, although it was carried out; that must not look like
our own cancellation.
"""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

ABNORMAL = 1006
"""RFC 6455: no close was received."""


async def say(socket: WebSocket, message: str | bytes) -> None:
    """Send one message, as text or binary. Raises WebSocketDisconnect when the client is gone."""
    try:
        await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
    except RuntimeError as gone:
        raise WebSocketDisconnect(ABNORMAL) from gone


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
    error = None if closing.cancelled() else closing.exception()
    if error is not None and not isinstance(error, RuntimeError | WebSocketDisconnect):
        raise error


async def until_closed(socket: WebSocket) -> None:
    """Read (and ignore) what the client says, to notice when it goes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
