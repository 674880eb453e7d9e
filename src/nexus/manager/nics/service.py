"""NICs of machines, as other slices make and describe them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.ids import new_id
from nexus.manager.networks import service as networks
from nexus.manager.networks.models import Network
from nexus.manager.nics import repository
from nexus.manager.nics.errors import MacTaken
from nexus.manager.nics.models import NewNic
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import NicSpec


async def add(tx: Tx, machine_id: UUID, new: NewNic, *, network: Network, after: UUID | None = None) -> UUID:
    """Give a machine a NIC on `network`, with an address of its own, and a MAC unless it brings one. `after`: one made
    just before, which must come first. Raises NoAddressLeft, or MacTaken."""
    address = await networks.take_address(tx, network)
    while True:
        nic_id = new_id()
        if after is not None and nic_id < after:
            continue
        mac = new.mac or mac_of(nic_id)
        if await repository.add(tx, nic_id, machine_id, new, network_id=network.id, mac=mac, address=address):
            return nic_id
        if new.mac is not None:
            raise MacTaken(new.mac)


def mac_of(nic_id: UUID) -> str:
    """A locally administered unicast address (IEEE 802: second bit of the first byte) from the id's random bits."""
    return ":".join(f"{byte:02x}" for byte in (0x02, *nic_id.bytes[-5:]))


async def described(reader: Reader, machine_id: UUID) -> list[dict[str, Any]]:
    """What there is to a machine's NICs but their MACs and addresses, as JSON."""
    return await repository.described(reader, machine_id)


async def add_described(tx: Tx, machine_id: UUID, described: Sequence[Mapping[str, Any]], *, project_id: UUID) -> None:
    """Give a machine NICs like those, with MACs and addresses of its own. Raises NetworkNotFound, NoAddressLeft."""
    last = None
    for nic in described:
        network = await networks.choose(tx, project_id, UUID(nic["network_id"]))
        new = NewNic(
            iface_id=nic["iface_id"],
            rx_rate_limiter=_limiter(nic["rx_rate_limiter"]),
            tx_rate_limiter=_limiter(nic["tx_rate_limiter"]),
        )
        last = await add(tx, machine_id, new, network=network, after=last)


def _limiter(stored: object) -> RateLimiter | None:
    return None if stored is None else RateLimiter.model_validate(stored)


async def specs(reader: Reader, machine_id: UUID) -> tuple[NicSpec, ...]:
    """A machine's NICs as its host must provide them."""
    return await repository.specs(reader, machine_id)
