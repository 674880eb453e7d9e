"""What other slices ask of networks, inside their own transactions."""

from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.networks import repository
from nexus.manager.networks.errors import NoAddressLeft
from nexus.manager.networks.models import Network


async def default(reader: Reader, project_id: UUID) -> Network:
    """The network a NIC hangs on when none is named."""
    return await repository.default(reader, project_id)


async def take_address(tx: Tx, network: Network) -> str:
    """An address that nobody else has. Raises NoAddressLeft."""
    address = await repository.take_address(tx, network.id)
    if address is None:
        raise NoAddressLeft(network.name)
    return address


async def give_back(tx: Tx, machine_id: UUID) -> None:
    """Take back the addresses of a machine's NICs, which are about to go."""
    await repository.give_back(tx, machine_id)
