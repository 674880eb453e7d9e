"""What users do with the NICs of a VM: look, add, limit, remove. Each is a change to the VM's configuration
(`vms.changing`)."""

from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

from nexus.kit.db import Db, Reader, Tx
from nexus.kit.envelopes import item_json
from nexus.kit.ids import read_id
from nexus.kit.versions import ANY, Expected
from nexus.manager import idempotency
from nexus.manager.access import Actor
from nexus.manager.networks import service as networks
from nexus.manager.nics import repository, service
from nexus.manager.nics.errors import IfaceIdTaken, MacRefused, NicNotFound, TooManyNics
from nexus.manager.nics.models import MOST_NICS, NewNic, Nic
from nexus.manager.nics.schemas import CreateNic, NicBody, NicChanged, NicList, PatchNic
from nexus.manager.vms import offering
from nexus.manager.vms.changing import Change, Changed, VmChanges
from nexus.manager.vms.errors import VmNotFound
from nexus.manager.vms.guest import Guests
from nexus.manager.vms.models import Vm
from nexus.protocol.hosts import Offer
from nexus.protocol.limits import RateLimiter
from nexus.protocol.taps import tap_name

NO_MAC = "00:00:00:00:00:00"


@dataclass(frozen=True)
class Edited:
    """A NIC that was added or changed."""

    change: Change
    nic_id: UUID


class Nics:
    def __init__(self, db: Db, guests: Guests, changes: VmChanges) -> None:
        self._db = db
        self._guests = guests
        self._changes = changes

    async def list(self, actor: Actor, vm_id: UUID) -> NicList:
        """Raises VmNotFound."""
        rows = await repository.told(self._db, vm_id, sees_only=actor.sees_only)
        if rows is None:
            raise VmNotFound
        return NicList(items=[_body(row) for row in rows], next_cursor=None)

    async def get(self, actor: Actor, vm_id: UUID, named: str) -> bytes:
        """The answer `{"item": …}`. Raises VmNotFound, NicNotFound."""
        vm = (await self._guests.reach(actor, vm_id)).vm
        nic = await _find(self._db, vm, named)
        return item_json((await _told(self._db, vm, nic.id)).model_dump_json())

    async def add(self, actor: Actor, vm_id: UUID, wanted: CreateNic) -> Edited:
        """Give a VM one more NIC. Raises NetworkNotFound, NoAddressLeft, MacTaken, MacRefused, IfaceIdTaken,
        TooManyNics or NotOffered."""
        if wanted.guest_mac == NO_MAC:
            raise MacRefused(f"guest_mac: {NO_MAC} is no interface's address.")
        new = NewNic(
            iface_id=wanted.iface_id,
            mac=wanted.guest_mac,
            rx_rate_limiter=wanted.rx_rate_limiter.limiter() if wanted.rx_rate_limiter else None,
            tx_rate_limiter=wanted.tx_rate_limiter.limiter() if wanted.tx_rate_limiter else None,
        )
        named = wanted.network_id or (wanted.network and (read_id(wanted.network) or wanted.network)) or None
        async with self._changes.making(actor, vm_id, verb="add-nic") as change:
            tx, vm = change.tx, change.vm
            await _admit(tx, vm, new)
            network = await networks.choose(tx, actor.project_id, named)
            nic_id = await service.add(tx, vm.machine.id, new, network=network)
            change.note(f"nics.{new.iface_id}")
            tx.before_commit(partial(_keep, vm=vm, change=change, nic_id=nic_id))
        return Edited(change, nic_id)

    async def edit(
        self, actor: Actor, vm_id: UUID, named: str, wanted: PatchNic, *, expected: Expected = ANY
    ) -> Edited:
        """Change a NIC's limits. Raises NicNotFound, NotOffered or Stale."""
        async with self._changes.making(actor, vm_id, verb="change-nic") as change:
            nic = await _lock(change, named, expected)
            new = _edited(nic, wanted)
            changed = [limiter for limiter in _limits(new) if limiter not in _limits(nic)]
            _require(change.vm, f"limit NIC {nic.iface_id} of {change.vm.name}", *changed)
            change.note(f"nics.{nic.iface_id}", differs=new != nic)
            if new != nic:
                await repository.limit(change.tx, new)
        return Edited(change, nic.id)

    async def readdress(self, actor: Actor, vm_id: UUID, address: IPv4Address, *, expected: Expected = ANY) -> Change:
        """Give a VM's first NIC another address of its network, from the next start on. Nobody else is given the
        present one while a boot that has it goes on. Raises NotOffered, AddressRefused, NicNotFound."""
        async with self._changes.making(actor, vm_id, verb="change-nic", expected=expected) as change:
            tx, vm = change.tx, change.vm
            offering.require(vm, f"give {vm.name} an address", [Offer.BRIDGE])
            nic = await repository.first(tx, vm.machine.id)
            if nic is None:
                raise NicNotFound(vm.name)
            nic_id, iface_id, network_id, present = nic
            change.note(f"nics.{iface_id}", differs=present != str(address))
            if change.is_one:
                await networks.give_back_one(tx, nic_id, boot=vm.machine.facts.boot)
                network = await networks.choose(tx, actor.project_id, network_id)
                await networks.claim_address(tx, network, address, by=vm.machine.id)
                await repository.move(tx, nic_id, str(address))
        return change

    async def remove(self, actor: Actor, vm_id: UUID, named: str, *, expected: Expected = ANY) -> Change:
        """Take a NIC from a VM. Nobody else is given its address while a boot that has it goes on. Raises NicNotFound
        or Stale."""
        async with self._changes.making(actor, vm_id, verb="remove-nic") as change:
            nic = await _lock(change, named, expected)
            await networks.give_back_one(change.tx, nic.id, boot=change.vm.machine.facts.boot)
            await repository.remove(change.tx, nic.id)
            change.note(f"nics.{nic.iface_id}")
        return change

    async def answer(self, actor: Actor, edited: Edited, *, wait: float | None) -> NicChanged:
        """The NIC as it is then, once its host has said when the change takes effect."""
        changed = await self._changes.answer(actor, edited.change, wait=wait)
        return _answer(changed, await _told(self._db, edited.change.vm, edited.nic_id))


async def _admit(tx: Tx, vm: Vm, new: NewNic) -> None:
    """Raises IfaceIdTaken, TooManyNics or NotOffered."""
    taken = await repository.names(tx, vm.machine.id)
    if new.iface_id in taken:
        raise IfaceIdTaken(new.iface_id, vm.name)
    if len(taken) >= MOST_NICS:
        raise TooManyNics(vm.name, MOST_NICS)
    _require(vm, f"add NIC {new.iface_id} to {vm.name}", new.rx_rate_limiter, new.tx_rate_limiter)


def _require(vm: Vm, wish: str, *limiters: RateLimiter | None) -> None:
    """Raises NotOffered for limits that the VM's host cannot keep."""
    buckets = [limiter.bandwidth for limiter in limiters if limiter is not None and limiter.bandwidth is not None]
    needed = [Offer.NIC_LIMITS] if buckets else []
    needed += [Offer.ONE_TIME_BURST] if any(bucket.one_time_burst for bucket in buckets) else []
    offering.require(vm, wish, needed)


def _limits(nic: Nic) -> list[RateLimiter | None]:
    return [nic.rx_rate_limiter, nic.tx_rate_limiter]


def _edited(nic: Nic, wanted: PatchNic) -> Nic:
    given = wanted.model_fields_set
    rx = wanted.rx_rate_limiter.limiter() if wanted.rx_rate_limiter else None
    tx = wanted.tx_rate_limiter.limiter() if wanted.tx_rate_limiter else None
    return replace(
        nic,
        rx_rate_limiter=rx if "rx_rate_limiter" in given else nic.rx_rate_limiter,
        tx_rate_limiter=tx if "tx_rate_limiter" in given else nic.tx_rate_limiter,
    )


async def _find(reader: Reader, vm: Vm, named: str) -> Nic:
    """The VM's NIC of this id or iface_id. Raises NicNotFound."""
    nic = await repository.find(reader, vm.machine.id, read_id(named) or named)
    if nic is None:
        raise NicNotFound(vm.name)
    return nic


async def _lock(change: Change, named: str, expected: Expected) -> Nic:
    """The NIC, to be changed: its machine is locked. Raises NicNotFound, or Stale when it is not as expected."""
    nic = await _find(change.tx, change.vm, named)

    async def now() -> str:
        return (await _told(change.tx, change.vm, nic.id)).model_dump_json()

    await expected.require(now)
    return nic


async def _told(reader: Reader, vm: Vm, nic_id: UUID) -> NicBody:
    """Raises NicNotFound for one that is gone meanwhile."""
    row = await repository.told_of(reader, nic_id)
    if row is None:
        raise NicNotFound(vm.name)
    return _body(row)


def _body(row: dict[str, Any]) -> NicBody:
    return NicBody.model_validate(row | {"host_dev_name": tap_name(row["id"]) if row["has_device"] else None})


async def _keep(tx: Tx, *, vm: Vm, change: Change, nic_id: UUID) -> None:
    """Keep the answer of an addition for whoever sends that request again."""
    operation_id = change.operation.id if change.operation else None
    await idempotency.keep(tx, _answer(Changed(operation_id=operation_id), await _told(tx, vm, nic_id)))


def _answer(changed: Changed, body: NicBody) -> NicChanged:
    return NicChanged(**dict(changed), **dict(body))
