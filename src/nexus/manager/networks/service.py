"""What other slices ask of networks, inside their own transactions."""

from ipaddress import IPv4Address
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.networks import repository
from nexus.manager.networks.errors import AddressRefused, NetworkNotFound, NoAddressLeft
from nexus.manager.networks.models import Network


async def choose(reader: Reader, project_id: UUID, named: UUID | str | None = None) -> Network:
    """The network of this id or name, or the default one. Raises NetworkNotFound."""
    network = await repository.find(reader, project_id, named or repository.DEFAULT)
    if network is None:
        raise NetworkNotFound
    return network


async def name_of(reader: Reader, project_id: UUID, network_id: UUID) -> str:
    """Raises NetworkNotFound."""
    return (await choose(reader, project_id, network_id)).name


async def take_address(tx: Tx, network: Network) -> str:
    """An address that nobody else has. Raises NoAddressLeft."""
    address = await repository.take_address(tx, network.id)
    if address is None:
        raise NoAddressLeft(network.name)
    return address


async def claim_address(tx: Tx, network: Network, address: IPv4Address, *, by: UUID) -> None:
    """Take this address for a machine. Raises AddressRefused for one that is not the network's to give, or is taken."""
    whole = network.gateway.network
    if address not in whole or address in (whole.network_address, whole.broadcast_address, network.gateway.ip):
        raise AddressRefused(str(address), f"it is no guest's address in network {network.name} ({whole})")
    if not await repository.claim_address(tx, network.id, str(address), by=by):
        raise AddressRefused(str(address), "somebody has it")


async def give_back_one(tx: Tx, nic_id: UUID, *, boot: int) -> None:
    """Take back the address of a NIC that is about to go. Nobody is given it while this boot of its machine, or one
    before, goes on."""
    await repository.give_back_one(tx, nic_id, boot=boot)


async def give_back(tx: Tx, machine_id: UUID) -> None:
    """Take back the addresses of a machine's NICs, which are about to go."""
    await repository.give_back(tx, machine_id)
