"""One HTTP client per agent, kept open: a call to a local agent then costs a millisecond, not a handshake."""

import httpx

from nexus.manager.agents.client import Agent, SecureLine
from nexus.manager.agents.tls import ManagerTls
from nexus.manager.authority.certificates import host_name
from nexus.manager.hosts.models import HostRef

_TIMEOUT = httpx.Timeout(10, connect=3)
"""Agents answer from memory; ten seconds of silence mean that something is wrong."""
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=60)


class Agents:
    """Hands out agents by host. Close it when the process ends."""

    def __init__(self, tls: ManagerTls) -> None:
        self._tls = tls
        self._clients: dict[tuple[str, str | None], httpx.AsyncClient] = {}

    def of(self, host: HostRef) -> Agent:
        """The agent of this host; does not connect yet."""
        line = None if _is_local(host.address) else SecureLine(self._tls, host_name(host.id, host.joining))
        place = (host.address, line and line.server_name)
        if place not in self._clients:
            self._clients[place] = self._client(host.address)
        return Agent(self._clients[place], host.address, line)

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    def _client(self, address: str) -> httpx.AsyncClient:
        if _is_local(address):
            transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"), limits=_LIMITS)
            return httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=_TIMEOUT, trust_env=False)
        return httpx.AsyncClient(
            base_url=address, verify=self._tls.context, timeout=_TIMEOUT, limits=_LIMITS, trust_env=False
        )


def _is_local(address: str) -> bool:
    return address.startswith("unix:")
