"""Who may speak to the agent, checked per connection: on the Unix socket processes of its own uid or root, by the
kernel's word; on TCP managers, by their certificates."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, cast

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


class CheckedProtocol(HttpToolsProtocol):
    """Closes a connection before its first byte is read, when it is a stranger's."""

    def stranger(self, transport: asyncio.Transport) -> dict[str, object] | None:
        """What to log of whoever has no business here; None for those who have."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if stranger := self.stranger(transport):
            _log.warning("stranger_refused", **stranger)
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:  # pyright: ignore[reportUnnecessaryComparison]
            super().connection_lost(exc)


class PeerCheckedProtocol(CheckedProtocol):
    """For the Unix socket."""

    def stranger(self, transport: asyncio.Transport) -> dict[str, object] | None:
        uid = peer_uid(cast(socket.socket, transport.get_extra_info("socket")))
        return None if is_trusted(uid) else {"uid": uid}


def manager_checked(is_manager: Callable[[Mapping[str, Any] | None], bool]) -> type[CheckedProtocol]:
    """For TCP, where OpenSSL has verified the peer's certificate already: `is_manager` judges its role."""

    class ManagerCheckedProtocol(CheckedProtocol):
        def stranger(self, transport: asyncio.Transport) -> dict[str, object] | None:
            if is_manager(transport.get_extra_info("peercert")):
                return None
            return {"peer": str(transport.get_extra_info("peername"))}

    return ManagerCheckedProtocol
