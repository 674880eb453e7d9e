"""Serving the manager with granian, inside this process's event loop, until it is told to stop."""

import asyncio
import signal
import socket
import ssl

from fastapi import FastAPI
from granian.constants import Interfaces, SSLProtocols
from granian.log import LogLevels
from granian.server.embed import Server

from nexus.kit import log
from nexus.kit.clock import Clock
from nexus.manager.settings import ManagerSettings, split_bind
from nexus.manager.wiring import running

_log = log.get("serve")

PATIENCE_S = 10


class PortTaken(Exception):
    """Something else listens where the manager was told to."""


class TlsUnusable(Exception):
    """The certificate or key to serve https with cannot be used."""


async def serve(settings: ManagerSettings, *, clock: Clock | None = None) -> None:
    """Run until SIGTERM or SIGINT; requests under way may take PATIENCE_S to finish.

    Raises PortTaken, TlsUnusable, and what `running` raises."""
    _require_usable(settings)
    for bind in (settings.bind, settings.local_bind):
        if bind is not None:
            require_free(bind)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings, clock=clock) as manager:
        servers = servers_of(manager.app, settings)
        serving = {asyncio.create_task(server.serve(), name="http server") for server in servers}
        _tell(settings)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({*serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        _log.info("stopping")
        await manager.tail.close()
        manager.platform.operations.close()
        for server in servers:
            server.stop()
        ended, late = await asyncio.wait(serving, timeout=PATIENCE_S)
        if late:
            _log.warning("connections_cut_off")
        for task in ended:
            task.result()


def servers_of(app: FastAPI, settings: ManagerSettings) -> list[Server]:
    """The servers of the public port and, where wanted, of the one for this machine's programs."""
    public = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        log_level=LogLevels.error,
        ssl_cert=settings.tls_cert,
        ssl_key=settings.tls_key,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    if settings.local_bind is None:
        return [public]
    host, port = split_bind(settings.local_bind)
    return [public, Server(app, address=host, port=port, interface=Interfaces.ASGINL, log_level=LogLevels.error)]


def _tell(settings: ManagerSettings) -> None:
    _log.info("serving", bind=settings.bind, tls=settings.tls_cert is not None, local_bind=settings.local_bind)
    if settings.tls_cert is None and not settings.is_loopback:
        _log.warning(
            "passwords_and_credentials_unprotected",
            why=f"{settings.bind} can be reached over the network and serves plain http",
            fix="set MANAGER_TLS_CERT and MANAGER_TLS_KEY, or end TLS in a proxy in front of a loopback address",
        )


def _require_usable(settings: ManagerSettings) -> None:
    """Raise TlsUnusable where granian could not say what is wrong in words."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    try:
        for path in (settings.tls_cert, settings.tls_key):
            path.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except ssl.SSLError as wrong:
        raise TlsUnusable(
            f"{settings.tls_cert} and {settings.tls_key} cannot be used as certificate and key "
            f"({wrong.reason or wrong}): they must be PEM, belong together, and the key must have no passphrase."
        ) from wrong
    except OSError as unreadable:
        raise TlsUnusable(f"cannot read {unreadable.filename}: {unreadable.strerror}") from unreadable


def require_free(bind: str) -> None:
    """Raise PortTaken if somebody listens there: granian itself would share the port with another of ours."""
    host, port = split_bind(bind)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as taken:
        raise PortTaken(
            f"cannot listen on {bind}: {taken.strerror}. Stop what is there, or set MANAGER_BIND."
        ) from taken
