"""What is said to a zygote (docs/protocol/guest.md): over the guest channel, by a greeting that no other guest answers.

So a guest that was restored and never told who it is can at no time be taken for a machine that has booted.
"""

import asyncio
import base64
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from nexus.agent.guest.asking import ask
from nexus.agent.guest.connection import MuxConnection
from nexus.kit.clock import Clock
from nexus.protocol.guest import BeginRequest, GuestConfig, WaitSeen
from nexus.protocol.trouble import Retryable

GREETING: Final = b"zygote: "
"""guest/internal/boot/zygote.go has it too."""
GREETING_PAUSE_S: Final = 0.2
ENTROPY_BYTES: Final = 64
_PATH: Final = "/v1/begin"


async def wait(channel: Path, *, within_s: float) -> None:
    """Until a zygote at the socket `channel` waits. Raises Retryable."""
    async with _session(channel, within_s=within_s) as session:
        await ask(WaitSeen, session.open(), _PATH, timeout_s=within_s)


async def begin(channel: Path, config: GuestConfig, *, clock: Clock, within_s: float) -> None:
    """Tell the zygote who it is, and what time. Raises Retryable, Refused; then it is of no more use."""
    async with _session(channel, within_s=within_s) as session:
        now = config.model_copy(update={"time_unix_ms": int(clock.now().timestamp() * 1000)})
        request = BeginRequest(config=now, entropy=base64.b64encode(os.urandom(ENTROPY_BYTES)).decode())
        await ask(WaitSeen, session.open(), _PATH, timeout_s=within_s, body=request)


@asynccontextmanager
async def _session(channel: Path, *, within_s: float) -> AsyncGenerator[MuxConnection]:
    """A greeting may be lost right after a restore: it is repeated. Raises Retryable."""
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_unix_connection(lambda: MuxConnection(greeting=GREETING), str(channel))
    except OSError as refused:
        raise Retryable("the zygote has no channel") from refused
    try:
        async with asyncio.timeout(within_s):
            while not connection.answered.is_set():
                if connection.is_closed:
                    raise Retryable("the zygote has gone")
                if not connection.has_unread_bytes():
                    connection.hello()
                await _happens(connection.answered, within_s=GREETING_PAUSE_S)
        yield connection
    except (TimeoutError, ConnectionError) as lost:
        raise Retryable("the zygote does not answer") from lost
    finally:
        connection.abort()


async def _happens(event: asyncio.Event, *, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        return
