"""NICs of machines, as other slices make and describe them."""

from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.ids import new_id
from nexus.manager.networks import service as networks
from nexus.manager.networks.models import Network
from nexus.manager.nics import repository
from nexus.protocol.machines import NicSpec


async def add(tx: Tx, machine_id: UUID, *, iface_id: str, network: Network) -> None:
    """Give a machine a NIC on `network`, with a MAC and an address of its own. Raises NoAddressLeft."""
    address = await networks.take_address(tx, network)
    is_added = False
    while not is_added:
        nic_id = new_id()
        is_added = await repository.add(
            tx, nic_id, machine_id, iface_id=iface_id, network_id=network.id, mac=mac_of(nic_id), address=address
        )


def mac_of(nic_id: UUID) -> str:
    """A locally administered unicast address (IEEE 802: second bit of the first byte) from the id's random bits."""
    return ":".join(f"{byte:02x}" for byte in (0x02, *nic_id.bytes[-5:]))


async def specs(reader: Reader, machine_id: UUID) -> tuple[NicSpec, ...]:
    """A machine's NICs as its host must provide them."""
    return await repository.specs(reader, machine_id)
