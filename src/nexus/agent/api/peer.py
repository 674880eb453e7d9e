"""Who may speak to the agent: processes of its own uid, or root. Checked per connection, by the kernel's word."""

import asyncio
import os
import socket
import struct
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nexus.kit import log

_log = log.get("nexus.agent.api")
UCRED = struct.Struct("3i")


def peer_uid(connection: socket.socket) -> int:
    """The uid of the process that opened the other end of a Unix socket."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    return cast(int, UCRED.unpack(credentials)[1])


def is_trusted(uid: int) -> bool:
    return uid in (0, os.geteuid())


class PeerCheckedProtocol(HttpToolsProtocol):
    """Closes a connection before its first byte is read, when it is somebody else's."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        uid = peer_uid(cast(socket.socket, transport.get_extra_info("socket")))
        if not is_trusted(uid):
            _log.warning("stranger_refused", uid=uid)
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:  # pyright: ignore[reportUnnecessaryComparison]
            super().connection_lost(exc)
