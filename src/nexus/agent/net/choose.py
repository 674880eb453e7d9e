"""Which network mode this host can serve, found out by trying: being root is neither needed nor enough."""

import asyncio
import os

from nexus.agent.net import links, shaping
from nexus.agent.net.bridge import BridgeNetwork
from nexus.agent.net.port import NetTrouble, Network
from nexus.agent.net.rules import Rules
from nexus.agent.net.user import UserNetwork


async def choose_network(*, wanted: str, restrict: bool, default_bridge: str) -> Network:
    """`wanted`: auto, bridge or user. Raises NetTrouble when bridge is demanded and cannot be had."""
    if wanted == "user":
        return UserNetwork(restrict=restrict, why="The hypervisor's own network stack, as AGENT_NETWORK demands.")
    rules = Rules()
    try:
        await _prove(rules)
    except NetTrouble as refused:
        if wanted == "bridge":
            raise NetTrouble(f"AGENT_NETWORK demands bridge, but {refused}") from refused
        return UserNetwork(restrict=restrict, why=f"The hypervisor's own network stack, because {refused}.")
    why, why_no_limits = "Guests on a bridge of this host: we may make devices and rules.", await _why_no_limits()
    return BridgeNetwork(
        rules,
        default_bridge=default_bridge,
        why=f"{why} Their interfaces cannot be limited: {why_no_limits}." if why_no_limits else why,
        can_limit=why_no_limits is None,
    )


async def _why_no_limits() -> str | None:
    """None where the kernel can shape what interfaces receive and send."""
    try:
        await asyncio.to_thread(shaping.try_out, f"nxtry{os.getpid() % 10_000_000}")
    except NetTrouble as refused:
        return str(refused)
    return None


async def _prove(rules: Rules) -> None:
    await asyncio.to_thread(links.try_tap, f"nxtry{os.getpid() % 10_000_000}")
    await rules.check()
