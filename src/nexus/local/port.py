"""Whether the public port is free, and who has it if not."""

import errno
import os
import socket

import psutil

from nexus.local.errors import CannotStart
from nexus.local.programs import split_bind


def require_free(bind: str) -> None:
    """Raise CannotStart if nothing more can listen at `bind`; it says who does, if we may know, and what to do."""
    host, port = split_bind(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger are no listeners
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as refused:
            raise CannotStart(_explain(refused, host, port)) from refused


def _explain(refused: OSError, host: str, port: int) -> str:
    if refused.errno == errno.EADDRINUSE:
        other = f"{host}:{port + 1 if port < 65535 else port - 1}"
        return f"port {port} is taken{_holder(port)}; stop that, or use another: MANAGER_BIND={other} make up"
    if refused.errno == errno.EACCES:
        return f"port {port} is for root alone; use one above 1023: MANAGER_BIND={host}:18080 make up"
    return f"cannot listen on {host}:{port} (MANAGER_BIND): {os.strerror(refused.errno or 0)}"


def _holder(port: int) -> str:
    """` by NAME (pid N)`, as far as this user may see; otherwise empty."""
    for connection in psutil.net_connections("tcp"):
        address: tuple[object, ...] = connection.laddr
        if connection.status == psutil.CONN_LISTEN and address[1:2] == (port,) and connection.pid:
            return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
