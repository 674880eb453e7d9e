"""Runs the agent: its Unix socket served, its manager told, until it is asked to end. Guests run on."""

import asyncio
import contextlib
import os
import signal
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import uvicorn

from nexus.agent import wiring
from nexus.agent.api.peer import PeerCheckedProtocol
from nexus.agent.settings import AgentSettings
from nexus.kit import log

_log = log.get("nexus.agent")

STOP_PATIENCE_S = 3


class SocketTaken(Exception):
    """Another agent listens there; the message says so."""


async def serve(settings: AgentSettings) -> None:
    """Until SIGTERM or SIGINT. Raises what the wiring raises, and SocketTaken."""
    async with AsyncExitStack() as stack:
        agent = await wiring.build(settings, stack)
        listener = listen(settings.socket)
        stack.callback(settings.socket.unlink, missing_ok=True)
        server = _Server(_config(agent.app))
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        linking = asyncio.create_task(agent.link.run()) if agent.link is not None else None
        _log.info("agent_started", socket=str(settings.socket), manager=settings.manager)
        try:
            await _first_of(serving, linking, asyncio.create_task(ended.wait()))
        finally:
            server.should_exit = True
            if linking is not None:
                linking.cancel()
            await asyncio.gather(serving, *([linking] if linking else []), return_exceptions=True)
        _log.info("agent_stopped")


def listen(path: Path) -> socket.socket:
    """A listening socket that only our uid may connect to. Raises SocketTaken when somebody answers there already."""
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        raise SocketTaken(f"an agent is running already: {path} answers")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(256)
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would raise them again after its own end."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[override]
        yield


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType]
        http=PeerCheckedProtocol,
        ws="websockets-sansio",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=STOP_PATIENCE_S,
        ws_max_size=1 << 20,
        ws_ping_interval=None,
    )


async def _first_of(*tasks: asyncio.Task[object] | None) -> None:
    """Until one of them is over; its error, if it has one, is ours."""
    done, _ = await asyncio.wait([task for task in tasks if task is not None], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
