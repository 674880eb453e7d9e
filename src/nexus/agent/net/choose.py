"""Which network mode this host can serve, found out by trying."""

from nexus.agent.net.port import Network
from nexus.agent.net.user import UserNetwork
from nexus.agent.settings import AgentSettings


async def choose_network(settings: AgentSettings) -> Network:
    return UserNetwork(restrict=settings.user_net_restrict, why="x")
