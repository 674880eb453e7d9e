"""One HTTP client per agent, kept open: a call to a local agent then costs a millisecond, not a handshake."""

import httpx

from nexus.manager.agents.client import Agent

_TIMEOUT = httpx.Timeout(10, connect=3)
"""Agents answer from memory; ten seconds of silence mean that something is wrong."""
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=60)


class Agents:
    """Hands out agents by address (unix:/path or https://host:port). Close it when the process ends."""

    def __init__(self) -> None:
        self._clients: dict[str, httpx.AsyncClient] = {}

    def at(self, address: str) -> Agent:
        """The agent that listens at `address`; does not connect yet."""
        if address not in self._clients:
            self._clients[address] = _client(address)
        return Agent(self._clients[address], address)

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()


def _client(address: str) -> httpx.AsyncClient:
    if address.startswith("unix:"):
        transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"), limits=_LIMITS)
        return httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=_TIMEOUT, trust_env=False)
    return httpx.AsyncClient(base_url=address, timeout=_TIMEOUT, limits=_LIMITS, trust_env=False)
