"""`bridge` mode: guests have addresses of their own on a bridge of the host, and reach the world by NAT.

One change at a time: the last guest of a bridge takes the bridge and its rules with it, and must not meet a newcomer.
"""

import asyncio
from pathlib import Path
from uuid import UUID

from nexus.agent.net import links, shaping
from nexus.agent.net.port import Attachment, NetCounters, NetTrouble, refuse_limits
from nexus.agent.net.resolvers import host_resolvers
from nexus.agent.net.rules import Rules
from nexus.agent.net.shaping import Shape
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import NetworkSpec, NicSpec
from nexus.protocol.taps import tap_name

DEFAULT_BRIDGE = str(NetworkSpec.model_fields["bridge"].default)
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


class BridgeNetwork:
    """`attachment` gives what the manager chose: addresses are its business in this mode. Only where it names no name
    servers the guest gets the host's own."""

    mode = "bridge"

    def __init__(self, rules: Rules, *, default_bridge: str, why: str, can_limit: bool) -> None:
        """`default_bridge`: this host's name for the bridge that networks call `fcbr0` unless told otherwise.
        `can_limit`: its kernel can shape what interfaces receive and send."""
        self.why = why
        self.offers = frozenset({Offer.BRIDGE, Offer.NIC_LIMITS} if can_limit else {Offer.BRIDGE})
        self._changing = asyncio.Lock()
        self._rules = rules
        self._default_bridge = default_bridge

    def attachment(self, nic: NicSpec, position: int) -> Attachment:
        return Attachment(tap_name(nic.id), False, nic.address, nic.network.gateway.ip, nic.dns or host_resolvers())

    async def ensure(self, nic: NicSpec, *, uid: int | None) -> None:
        network, tap = nic.network, tap_name(nic.id)
        bridge = self._default_bridge if network.bridge == DEFAULT_BRIDGE else network.bridge
        async with self._changing:
            await self._rules.allow(
                bridge=bridge,
                masquerade=network.gateway.network if network.nat else None,
                tap=tap,
                guest=(nic.mac, str(nic.address.ip) if nic.address else None),
            )
            await asyncio.to_thread(links.ensure_tap, tap, bridge=bridge, gateway=network.gateway, uid=uid)
            await self._limit(nic)
            if network.nat:
                await asyncio.to_thread(_forward_packets)

    async def limit(self, nic: NicSpec) -> None:
        async with self._changing:
            await self._limit(nic)

    async def _limit(self, nic: NicSpec) -> None:
        if Offer.NIC_LIMITS in self.offers:
            await asyncio.to_thread(shaping.ensure, tap_name(nic.id), shape_of(nic))
        else:
            refuse_limits(nic)

    async def discard(self, nic: UUID) -> None:
        tap = tap_name(nic)
        async with self._changing:
            await asyncio.to_thread(links.discard, tap)
            await asyncio.to_thread(shaping.discard, tap)
            await self._rules.forget_tap(tap)
            for bridge in await asyncio.to_thread(links.idle_bridges):
                await self._rules.forget_bridge(bridge.name, {address.network for address in bridge.addresses})
                await asyncio.to_thread(links.discard, bridge.name)

    async def counters(self, nic: UUID) -> NetCounters | None:
        found = await asyncio.to_thread(links.counters, tap_name(nic))
        return NetCounters(*found) if found is not None else None


def _forward_packets() -> None:
    try:
        if IP_FORWARD.read_text().strip() != "1":
            IP_FORWARD.write_text("1")
    except OSError as refused:
        raise NetTrouble(f"packets cannot be forwarded (net.ipv4.ip_forward): {refused.strerror}") from refused


def shape_of(nic: NicSpec) -> Shape:
    """The limits of an interface, as far as there are any of bandwidth."""
    rx, tx = nic.rx_rate_limiter, nic.tx_rate_limiter
    return Shape(receives=rx.bandwidth if rx else None, sends=tx.bandwidth if tx else None)
