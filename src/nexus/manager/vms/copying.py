"""What a VM is, written down so that it can be made again: with a snapshot, for a new VM or for the same one.

What must stay true: a definition holds what is the same for all that are made from it. Name, password, MACs, addresses
and ids are nobody's but one VM's.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.ids import new_id
from nexus.kit.seal import Seal
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.drives import service as drives
from nexus.manager.flows import Flows
from nexus.manager.hosts.placement import Amounts
from nexus.manager.hosts.service import Hosts
from nexus.manager.machines import service as machines
from nexus.manager.machines.lifecycle import Goal, RestartPolicy
from nexus.manager.machines.models import NewMachine
from nexus.manager.nics import service as nics
from nexus.manager.operations import Operation, Operations
from nexus.manager.subjects import Subject
from nexus.manager.vms import passwords, repository
from nexus.manager.vms.deadlines import CREATE, Timing
from nexus.manager.vms.errors import VmNameTaken
from nexus.manager.vms.models import FLOW, KIND, Vm, password_purpose
from nexus.manager.vms.repository import NewVm
from nexus.protocol.base import Message
from nexus.protocol.hosts import Offer


class Definition(Message):
    """A VM as it can be made again. `settings` are columns of its machine (`machines.models.SETTINGS`); `drives` and
    `nics` are those slices' own (`described`), each with the `id` that it had."""

    settings: dict[str, Any]
    labels: dict[str, Any]
    drives: tuple[dict[str, Any], ...]
    nics: tuple[dict[str, Any], ...]

    @property
    def vcpus(self) -> int:
        return self.settings["vcpus"]

    @property
    def memory_mib(self) -> int:
        return self.settings["memory_mib"]

    @property
    def writable_bytes(self) -> int:
        return sum(drive["size_bytes"] or 0 for drive in self.drives if not drive["is_read_only"])

    @property
    def devices(self) -> set[str]:
        """The drives and NICs that it has, by id; none ever has the id of another."""
        return {str(device["id"]) for device in (*self.drives, *self.nics)}

    @property
    def image_ids(self) -> set[UUID]:
        """The images without which it cannot be made."""
        named = (self.settings["kernel_image_id"], self.settings["initramfs_image_id"])
        return {UUID(str(one)) for one in (*named, *(drive["image_id"] for drive in self.drives)) if one is not None}

    @property
    def columns(self) -> dict[str, Any]:
        """`settings` as the database takes them."""
        images = {name: UUID(str(self.settings[name])) for name in ("kernel_image_id", "initramfs_image_id")}
        return {**self.settings, **images}


async def describe(reader: Reader, vm: Vm) -> Definition:
    """What this VM is now."""
    return Definition(
        settings=await machines.settings(reader, vm.machine.id),
        labels=await repository.labels(reader, vm.id),
        drives=tuple(await drives.described(reader, vm.machine.id)),
        nics=tuple(await nics.described(reader, vm.machine.id)),
    )


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a copy begins from, and where that is."""

    snapshot_id: UUID
    host_id: UUID
    definition: Definition
    cloned_from_id: UUID | None = None
    is_kept: bool = True
    """Whether the snapshot is one that stays, so that the copy can name it."""
    composing_bytes: int = 0
    """What the host needs of its disk, once, until the copies have begun."""


class VmCopies:
    def __init__(self, hosts: Hosts, flows: Flows, operations: Operations, *, seal: Seal, timing: Timing) -> None:
        self._hosts = hosts
        self._flows = flows
        self._operations = operations
        self._seal = seal
        self._timing = timing

    async def reserve(self, tx: Tx, source: Source, *, count: int, wish: str) -> None:
        """Have room for so many copies on the host of the snapshot until `tx` ends. Raises NoRoom."""
        definition = source.definition
        need = Amounts(
            vcpus=count * definition.vcpus,
            memory_mib=count * definition.memory_mib,
            disk_bytes=count * definition.writable_bytes + source.composing_bytes,
        )
        await self._hosts.reserve(tx, need, wish=wish, offers=frozenset({Offer.SNAPSHOT}), on=[source.host_id])

    async def add(self, tx: Tx, actor: Actor, source: Source, *, name: str, description: str | None) -> Operation:
        """A new VM of the actor's that begins from a snapshot, with a promise that it will be there; its room is
        reserved. It has a password, MACs and addresses of its own. Raises VmNameTaken, NetworkNotFound or
        NoAddressLeft."""
        if await repository.is_taken(tx, actor.project_id, name):
            raise VmNameTaken(name)
        subject = Subject(KIND, new_id(), name, actor.project_id)
        machine_id = await self._add_machine(tx, actor, source)
        await repository.add(tx, self._row(actor, source, subject, machine_id, description=description))
        details = {"snapshot": str(source.snapshot_id)}
        await audit.write(tx, actor, verb=CREATE, subject=subject, details=details)
        await events.emit(tx, type="vm.created", subject=subject, owner_user_id=actor.user_id)
        await self._flows.open(tx, flow=FLOW, subject=subject, within=self._timing.queue)
        return await self._operations.open(
            tx, subject, verb=CREATE, generation=1, actor=actor, within=self._timing.queue
        )

    async def _add_machine(self, tx: Tx, actor: Actor, source: Source) -> UUID:
        definition, machine_id = source.definition, new_id()
        settings = definition.columns
        machine = NewMachine(
            id=machine_id,
            project_id=actor.project_id,
            created_by_user_id=actor.user_id,
            kind=KIND,
            host_id=source.host_id,
            vcpus=definition.vcpus,
            memory_mib=definition.memory_mib,
            kernel_image_id=settings["kernel_image_id"],
            initramfs_image_id=settings["initramfs_image_id"],
            boot_args=settings["boot_args"],
            goal=Goal.ON,
            restart_policy=RestartPolicy(definition.labels["restart_policy"]),
            restore_snapshot_id=source.snapshot_id,
        )
        await machines.add(tx, machine)
        await machines.configure(tx, machine_id, settings)
        await drives.add_described(tx, machine_id, definition.drives)
        await nics.add_described(tx, machine_id, definition.nics, project_id=actor.project_id)
        return machine_id

    def _row(
        self, actor: Actor, source: Source, subject: Subject, machine_id: UUID, *, description: str | None
    ) -> NewVm:
        password, labels = passwords.generate(), source.definition.labels
        return NewVm(
            id=subject.id,
            machine_id=machine_id,
            project_id=actor.project_id,
            created_by_user_id=actor.user_id,
            name=subject.name,
            description=labels["description"] if description is None else description,
            tags=labels["tags"],
            environment=labels["environment"],
            owner=labels["owner"],
            username=labels["username"],
            password_sealed=self._seal.seal(password, purpose=password_purpose(subject.id)),
            password_hash=passwords.crypt(password, is_generated=True),
            ssh_authorized_keys=labels["ssh_authorized_keys"],
            source_snapshot_id=source.snapshot_id if source.is_kept else None,
            cloned_from_id=source.cloned_from_id,
        )
