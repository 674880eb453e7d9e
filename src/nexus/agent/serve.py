"""Runs the agent: its socket served, its manager told, until it is asked to end. Guests run on."""

import asyncio
import contextlib
import signal
import socket
from contextlib import AsyncExitStack

import uvicorn

from nexus.agent import wiring
from nexus.agent.api.peer import PeerCheckedProtocol, manager_checked
from nexus.agent.listening import listen
from nexus.agent.settings import AgentSettings
from nexus.agent.tls import AgentTls
from nexus.agent.wiring import Agent
from nexus.kit import log
from nexus.kit.clock import Clock

_log = log.get("nexus.agent")

STOP_PATIENCE_S = 3


async def serve(settings: AgentSettings, *, clock: Clock | None = None) -> None:
    """Until SIGTERM or SIGINT. Raises what the wiring raises, and SocketTaken."""
    async with AsyncExitStack() as stack:
        agent = await wiring.build(settings, stack, clock=clock)
        listener = listen(settings)
        if settings.tcp is None:
            stack.callback(settings.socket.unlink, missing_ok=True)
        server = server_of(agent)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        serving = asyncio.create_task(serve_on(listener, server, agent.tls))
        linking = asyncio.create_task(agent.link.run()) if agent.link is not None else None
        recording = asyncio.create_task(agent.recorder.run()) if agent.recorder is not None else None
        _log.info("agent_started", address=agent.address, manager=settings.manager)
        try:
            await _first_of(serving, linking, recording, asyncio.create_task(ended.wait()))
        finally:
            server.should_exit = True
            if not server.started:
                serving.cancel()
            background = [task for task in (linking, recording) if task is not None]
            for task in background:
                task.cancel()
            await asyncio.gather(serving, *background, return_exceptions=True)
        _log.info("agent_stopped")


async def serve_on(listener: socket.socket, server: uvicorn.Server, tls: AgentTls | None) -> None:
    """Serve, on TCP not before there is a certificate, and with it the knowledge of whom to obey."""
    if tls is not None:
        await tls.granted()
    await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would raise them again after its own end."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[override]
        yield


def server_of(agent: Agent) -> uvicorn.Server:
    """The server of an agent's application, letting in only whom it should."""
    tls = agent.tls
    config = uvicorn.Config(
        agent.app,  # pyright: ignore[reportArgumentType]
        http=PeerCheckedProtocol if tls is None else manager_checked(tls.is_manager),
        ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
        ws="websockets-sansio",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=STOP_PATIENCE_S,
        ws_max_size=1 << 20,
        ws_ping_interval=None,
    )
    return _Server(config)


async def _first_of(*tasks: asyncio.Task[object] | None) -> None:
    """Until one of them is over; its error, if it has one, is ours."""
    done, _ = await asyncio.wait([task for task in tasks if task is not None], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
