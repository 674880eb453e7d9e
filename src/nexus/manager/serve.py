"""Serving the manager with granian, inside this process's event loop, until it is told to stop."""

import asyncio
import signal
import socket

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from nexus.kit import log
from nexus.manager.settings import ManagerSettings
from nexus.manager.wiring import running

_log = log.get("serve")

PATIENCE_S = 10


class PortTaken(Exception):
    """Something else listens where the manager was told to."""


async def serve(settings: ManagerSettings) -> None:
    """Run until SIGTERM or SIGINT; requests under way may take PATIENCE_S to finish.

    Raises PortTaken, and what `running` raises."""
    require_free(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as manager:
        server = Server(
            manager.app,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            log_level=LogLevels.error,
        )
        serving = asyncio.create_task(server.serve(), name="http server")
        _log.info("serving", bind=settings.bind)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        _log.info("stopping")
        await manager.tail.close()
        server.stop()
        _, late = await asyncio.wait({serving}, timeout=PATIENCE_S)
        if late:
            _log.warning("connections_cut_off")
        else:
            serving.result()


def require_free(settings: ManagerSettings) -> None:
    """Raise PortTaken if somebody listens there: granian itself would share the port with another of ours."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as taken:
        raise PortTaken(
            f"cannot listen on {settings.bind}: {taken.strerror}. Stop what is there, or set MANAGER_BIND."
        ) from taken
