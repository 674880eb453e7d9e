"""WebSockets to hosts' agents."""

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from nexus.manager.agents.troubles import trouble_of
from nexus.protocol.trouble import Retryable


@dataclass(frozen=True, kw_only=True)
class Line:
    """How to reach an agent: `address` is unix:/path or https://host:port; for the latter `context` is our side of the
    TLS connection, and the agent must prove to be `server_name`."""

    address: str
    headers: Mapping[str, str]
    server_name: str | None = None
    context: ssl.SSLContext | None = None


@asynccontextmanager
async def dialed(line: Line, path: str, *, largest: int) -> AsyncGenerator[ClientConnection]:
    """A connection to `path` of an agent, whose messages have at most `largest` bytes.

    Raises Gone or Refused in the agent's own words, Retryable when it cannot be reached."""
    try:
        connection = await _connect(line, path, largest)
    except InvalidStatus as refused:
        raise trouble_of(refused.response.status_code, bytes(refused.response.body or b"")) from refused
    except (OSError, InvalidHandshake, WebSocketException) as lost:
        raise Retryable(f"the agent at {line.address} cannot be reached: {lost}") from lost
    try:
        yield connection
    finally:
        await connection.close()


def _connect(line: Line, path: str, largest: int) -> connect:
    if line.address.startswith("unix:"):
        socket, uri = line.address.removeprefix("unix:"), f"ws://agent{path}"
        return unix_connect(
            socket, uri, additional_headers=line.headers, max_size=largest, compression=None, proxy=None
        )
    return connect(
        f"wss://{urlsplit(line.address).netloc}{path}",
        additional_headers=line.headers,
        max_size=largest,
        compression=None,
        proxy=None,
        ssl=line.context,
        server_hostname=line.server_name,
    )
