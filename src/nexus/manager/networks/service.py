"""What other slices ask of networks, inside their own transactions."""

from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.networks import repository
from nexus.manager.networks.errors import NetworkNotFound, NoAddressLeft
from nexus.manager.networks.models import Network


async def choose(reader: Reader, project_id: UUID, named: UUID | str | None = None) -> Network:
    """The network of this id or name, or the default one. Raises NetworkNotFound."""
    network = await repository.find(reader, project_id, named or repository.DEFAULT)
    if network is None:
        raise NetworkNotFound
    return network


async def take_address(tx: Tx, network: Network) -> str:
    """An address that nobody else has. Raises NoAddressLeft."""
    address = await repository.take_address(tx, network.id)
    if address is None:
        raise NoAddressLeft(network.name)
    return address


async def give_back_one(tx: Tx, nic_id: UUID, *, boot: int) -> None:
    """Take back the address of a NIC that is about to go. Nobody is given it while this boot of its machine, or one
    before, goes on."""
    await repository.give_back_one(tx, nic_id, boot=boot)


async def give_back(tx: Tx, machine_id: UUID) -> None:
    """Take back the addresses of a machine's NICs, which are about to go."""
    await repository.give_back(tx, machine_id)
