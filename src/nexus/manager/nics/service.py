"""NICs of machines, as other slices make and describe them."""

from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.ids import new_id
from nexus.manager.networks import service as networks
from nexus.manager.networks.models import Network
from nexus.manager.nics import repository
from nexus.manager.nics.errors import MacTaken
from nexus.manager.nics.models import NewNic
from nexus.protocol.machines import NicSpec


async def add(tx: Tx, machine_id: UUID, new: NewNic, *, network: Network) -> UUID:
    """Give a machine a NIC on `network`, with an address of its own, and a MAC unless it brings one. Raises
    NoAddressLeft, or MacTaken."""
    address = await networks.take_address(tx, network)
    while True:
        nic_id = new_id()
        mac = new.mac or mac_of(nic_id)
        if await repository.add(tx, nic_id, machine_id, new, network_id=network.id, mac=mac, address=address):
            return nic_id
        if new.mac is not None:
            raise MacTaken(new.mac)


def mac_of(nic_id: UUID) -> str:
    """A locally administered unicast address (IEEE 802: second bit of the first byte) from the id's random bits."""
    return ":".join(f"{byte:02x}" for byte in (0x02, *nic_id.bytes[-5:]))


async def specs(reader: Reader, machine_id: UUID) -> tuple[NicSpec, ...]:
    """A machine's NICs as its host must provide them."""
    return await repository.specs(reader, machine_id)
