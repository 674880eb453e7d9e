"""WebSockets to the manager: one place where one that does not open becomes one of the client's errors."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from nexus.client.errors import Unreachable
from nexus.client.transport import ANSWER_TIMEOUT_S, Call, Transport, refusal, verification

PING_EVERY_S = 20
_GOODBYE_S = 1
"""How long a manager that still has much to say is given to hear that we are leaving."""


@asynccontextmanager
async def dialed(
    transport: Transport, path: str, query: Mapping[str, object], *, ping_timeout_s: float | None
) -> AsyncGenerator[ClientConnection]:
    """An open WebSocket. `ping_timeout_s`: how long the manager may be silent; None: for ever, as where nobody reads
    what it has to say. Raises ApiError, Unreachable, UnexpectedAnswer."""
    url = f"{transport.url.replace('http', 'ws', 1)}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
    transport.watch(Call(method="GET", url=url, headers=transport.headers))
    try:
        connection = await connect(
            url,
            additional_headers=transport.headers,
            open_timeout=ANSWER_TIMEOUT_S,
            ping_interval=PING_EVERY_S,
            ping_timeout=ping_timeout_s,
            close_timeout=_GOODBYE_S,
            max_size=None,
            proxy=None if transport.is_local else True,
            ssl=verification(transport.url) if url.startswith("wss:") else None,
            compression=None,
        )
    except InvalidStatus as refused:
        raise refusal(transport.url, refused.response.status_code, bytes(refused.response.body or b"")) from refused
    except TimeoutError as late:
        raise Unreachable(transport.url, "no answer in time") from late
    except (OSError, InvalidHandshake) as failed:
        reason = (failed.strerror or str(failed)).lower() if isinstance(failed, OSError) else str(failed)
        raise Unreachable(transport.url, reason) from failed
    try:
        yield connection
    finally:
        await connection.close()
