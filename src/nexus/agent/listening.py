"""Where the agent listens, and what managers are told of it."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from nexus.agent.settings import WILDCARDS, AgentSettings, split_place

KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
"""After so many seconds of silence ask every so many, and give up after so many questions (tcp(7)): a manager that has
lost its power hangs up on nobody."""


class SocketTaken(Exception):
    """Another agent listens there; the message says so."""


def listen(settings: AgentSettings) -> socket.socket:
    """The agent's socket. One on TCP is bound and not listening yet, so that nobody is answered before the agent knows
    whom to obey. Raises SocketTaken, or OSError for an address this machine does not have."""
    return listen_unix(settings.socket) if settings.tcp is None else bind_tcp(*settings.tcp)


def listen_unix(path: Path) -> socket.socket:
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


def bind_tcp(host: str, port: int) -> socket.socket:
    """A socket that nothing is accepted on yet. Raises SocketTaken, or OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # what is accepted inherits these
        for option, value in KEEPALIVE.items():
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
        listener.bind(address)
    except OSError as refused:
        listener.close()
        raise SocketTaken(f"cannot listen on {host} port {port}: {refused.strerror}") from refused
    listener.setblocking(False)
    return listener


async def address_of(settings: AgentSettings) -> str:
    """Where managers reach this agent: unix:/path or https://host:port. Raises OSError when no route to the manager
    tells which of this machine's addresses that is."""
    if settings.tcp is None:
        return f"unix:{settings.socket}"
    host, port = split_place(settings.advertise) if settings.advertise else settings.tcp
    if host in WILDCARDS and settings.manager is not None:
        host = await asyncio.to_thread(_source_towards, settings.manager)
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _source_towards(url: str) -> str:
    """This machine's address on the way to a URL's host. Nothing is sent: connecting a UDP socket only asks for the
    route."""
    target = urlsplit(url)
    family, kind, protocol, _, address = socket.getaddrinfo(
        target.hostname, target.port or 443, type=socket.SOCK_DGRAM
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])
