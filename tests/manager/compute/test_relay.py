"""When a relay hangs up on a client whose process has ended."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from starlette.websockets import WebSocket

from nexus.manager.agents.sessions import SessionStream
from nexus.manager.vms.relay import Framing, Relay
from nexus.protocol.guest import Frame


class Ended:
    """A stream of a process that is over, once it was heard (`answered`)."""

    offset = 0

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    async def frames(self) -> AsyncIterator[tuple[Frame, bytes]]:
        await self.answered.wait()
        yield Frame.EXIT, b'{"code": 0}'

    async def send(self, frame: Frame, payload: bytes) -> None:
        self.answered.set()


@pytest.mark.parametrize(
    ("said", "is_waited_for"), [('{"type": "ack", "offset": 0}', True), ('{"type": "eof"}', False)]
)
async def test_who_acknowledges_is_let_leave_first(said: str, is_waited_for: bool) -> None:
    from_client: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    to_client: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    socket = WebSocket({"type": "websocket"}, from_client.get, cast("Any", to_client.put))
    from_client.put_nowait({"type": "websocket.connect"})
    await socket.accept()

    @asynccontextmanager
    async def opening() -> AsyncGenerator[SessionStream]:
        yield cast("SessionStream", Ended())

    relay = Relay(
        socket=socket, opening=opening(), session_id="s", framing=Framing.JSON, tells_streams=False, wish="run"
    )
    from_client.put_nowait({"type": "websocket.receive", "text": said})
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(60):
        told = [await to_client.get() for _ in range(3)]
        assert [json.loads(message["text"])["type"] for message in told[1:]] == ["session", "exit"]
        if is_waited_for:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await to_client.get()
            from_client.put_nowait({"type": "websocket.disconnect", "code": 1000})
        else:
            assert (await to_client.get())["type"] == "websocket.close"
        await running
