"""Creating a VM: admission answers at once, everything slow is the flow's.

Name, images and room are settled in one transaction with the rows themselves: of two requests for the last room or the
same name one is refused, and what was admitted has its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.ids import new_id, read_id
from nexus.kit.seal import Seal
from nexus.manager import audit, events
from nexus.manager.access import Actor
from nexus.manager.drives import service as drives
from nexus.manager.drives.models import NewDrive, root_drives
from nexus.manager.flows import Flows
from nexus.manager.hosts.errors import NoRoom
from nexus.manager.hosts.placement import Amounts, Placement
from nexus.manager.hosts.service import Hosts
from nexus.manager.images import service as images
from nexus.manager.images.models import Image, ImageKind
from nexus.manager.machines import service as machines
from nexus.manager.machines.lifecycle import Goal
from nexus.manager.machines.models import NewMachine
from nexus.manager.networks import service as networks
from nexus.manager.nics import service as nics
from nexus.manager.nics.models import NewNic
from nexus.manager.operations import Operation, Operations
from nexus.manager.ssh_keys import service as ssh_keys
from nexus.manager.subjects import Subject
from nexus.manager.templates import service as templates
from nexus.manager.templates.models import Template
from nexus.manager.vms import passwords, repository
from nexus.manager.vms.deadlines import CREATE, Timing
from nexus.manager.vms.errors import DiskTooSmall, VmNameTaken
from nexus.manager.vms.models import FLOW, KIND, password_purpose
from nexus.manager.vms.repository import NewVm
from nexus.manager.vms.schemas import CreateVm
from nexus.protocol.machines import DiskFormat


class _TriedOut(Exception):
    """Ends a transaction without its changes."""

    def __init__(self, placement: Placement) -> None:
        super().__init__()
        self.placement = placement


@dataclass(frozen=True)
class _Secret:
    """A new VM's password, and how its guest is told of it."""

    password: str
    crypted: str

    @classmethod
    def of(cls, given: str | None) -> "_Secret":
        password = given or passwords.generate()
        return cls(password, passwords.crypt(password, is_generated=not given))


@dataclass(frozen=True)
class _Admitted:
    """A VM that has its rows. `wanted`: with what its template says."""

    subject: Subject
    wanted: CreateVm
    placement: Placement


class VmCreation:
    def __init__(
        self, db: Db, hosts: Hosts, flows: Flows, operations: Operations, *, seal: Seal, timing: Timing
    ) -> None:
        self._db = db
        self._hosts = hosts
        self._flows = flows
        self._operations = operations
        self._seal = seal
        self._timing = timing

    async def create(self, actor: Actor, wanted: CreateVm) -> tuple[UUID, Operation]:
        """Admit a VM and promise that it will be there.

        Raises TemplateNotFound, VmNameTaken, PublicKeyRefused, SshKeyNotFound, ImageNotFound, NoDefaultImage,
        DiskTooSmall, NoRoom or NoAddressLeft.
        """
        secret = _Secret.of(wanted.password)  # before anything is locked
        async with self._db.transaction() as tx:
            admitted = await self._admit(tx, actor, wanted, secret)
            return admitted.subject.id, await self._promise(tx, actor, admitted)

    async def try_out(self, actor: Actor, wanted: CreateVm) -> Placement:
        """Where the VM would go, and why not elsewhere; or, without a host that is chosen, why nowhere. Everything is
        done that creating it takes, and taken back. Raises what `create` does, but for NoRoom."""
        secret = _Secret.of(wanted.password)
        try:
            async with self._db.transaction() as tx:
                raise _TriedOut((await self._admit(tx, actor, wanted, secret)).placement)
        except _TriedOut as tried:
            return tried.placement
        except NoRoom as nowhere:
            return nowhere.placement

    async def _admit(self, tx: Tx, actor: Actor, wanted: CreateVm, secret: _Secret) -> "_Admitted":
        """Write down the VM and all that belongs to it; nothing is promised yet."""
        template = await templates.take(tx, actor, wanted.template) if wanted.template is not None else None
        if template is not None:
            wanted = _from_template(template, wanted)
        if await repository.is_taken(tx, actor.project_id, wanted.name):
            raise VmNameTaken(wanted.name)
        subject = Subject(KIND, new_id(), wanted.name, actor.project_id)
        keys = await ssh_keys.authorize(tx, actor, given=wanted.ssh_authorized_keys, named=wanted.ssh_keys)
        machine_id, placement = await self._add_machine(tx, actor, wanted)
        new = self._row(actor, wanted, subject.id, machine_id, secret=secret, ssh_authorized_keys=keys)
        await repository.add(tx, replace(new, template_id=template.id if template else None))
        return _Admitted(subject, wanted, placement)

    async def _add_machine(self, tx: Tx, actor: Actor, wanted: CreateVm) -> tuple[UUID, Placement]:
        chosen = await _choose(
            tx,
            actor,
            {
                ImageKind.KERNEL: wanted.kernel_image_id or wanted.kernel,
                ImageKind.INITRAMFS: None,
                ImageKind.ROOTFS: wanted.rootfs_image_id or wanted.image,
            },
        )
        rootfs = chosen[ImageKind.ROOTFS]
        disks = _disks(rootfs, wanted.disk_size_bytes)
        stored = sum(disk.size_bytes or 0 for disk in disks if not disk.is_read_only)
        need = Amounts(
            vcpus=wanted.vcpu if wanted.start else 0,
            memory_mib=wanted.mem_mib if wanted.start else 0,
            disk_bytes=stored,
        )
        placement = await self._hosts.reserve(tx, need, wish=f"create {wanted.name}", offers=frozenset(wanted.needs))
        machine = NewMachine(
            id=new_id(),
            project_id=actor.project_id,
            created_by_user_id=actor.user_id,
            kind=KIND,
            host_id=placement.host_id,
            vcpus=wanted.vcpu,
            memory_mib=wanted.mem_mib,
            kernel_image_id=chosen[ImageKind.KERNEL].id,
            initramfs_image_id=chosen[ImageKind.INITRAMFS].id,
            boot_args=wanted.boot_args,
            goal=Goal.ON if wanted.start else Goal.OFF,
            restart_policy=wanted.restart_policy,
        )
        await machines.add(tx, machine)
        await drives.add(tx, machine.id, disks)
        await nics.add(tx, machine.id, NewNic(iface_id="eth0"), network=await networks.choose(tx, actor.project_id))
        return machine.id, placement

    def _row(
        self,
        actor: Actor,
        wanted: CreateVm,
        vm_id: UUID,
        machine_id: UUID,
        *,
        secret: _Secret,
        ssh_authorized_keys: list[str],
    ) -> NewVm:
        return NewVm(
            id=vm_id,
            machine_id=machine_id,
            project_id=actor.project_id,
            created_by_user_id=actor.user_id,
            name=wanted.name,
            description=wanted.description,
            tags=wanted.tags,
            environment=wanted.environment,
            owner=wanted.owner,
            username=wanted.username,
            password_sealed=self._seal.seal(secret.password, purpose=password_purpose(vm_id)),
            password_hash=secret.crypted,
            ssh_authorized_keys=ssh_authorized_keys,
        )

    async def _promise(self, tx: Tx, actor: Actor, admitted: "_Admitted") -> Operation:
        subject, wanted = admitted.subject, admitted.wanted
        details = {"vcpu": wanted.vcpu, "mem_mib": wanted.mem_mib, "start": wanted.start}
        await audit.write(tx, actor, verb="create", subject=subject, details=details)
        await events.emit(tx, type="vm.created", subject=subject, owner_user_id=actor.user_id)
        await self._flows.open(tx, flow=FLOW, subject=subject, within=self._timing.queue)
        return await self._operations.open(
            tx, subject, verb=CREATE, generation=1, actor=actor, within=self._timing.queue, replaces=False
        )


def _from_template(template: Template, wanted: CreateVm) -> CreateVm:
    """What the request says, and for the rest what the template does."""
    given, saved = wanted.model_dump(exclude_unset=True), template.fields
    if wanted.kernel is not None:
        del saved["kernel_image_id"]
    if wanted.image is not None:
        del saved["rootfs_image_id"]
    return CreateVm.model_validate(saved | given)


async def _choose(tx: Tx, actor: Actor, wanted: Mapping[ImageKind, str | UUID | None]) -> Mapping[ImageKind, Image]:
    """The image of each kind that is named, by name or id, or else the default one."""
    found: dict[ImageKind, Image] = {}
    for kind, named in wanted.items():
        if named is not None:
            meant = read_id(named) or named if isinstance(named, str) else named
            found[kind] = await images.choose(tx, project_id=actor.project_id, kind=kind, named=meant)
    rest = [kind for kind in wanted if kind not in found]
    return found | dict(await images.choose_defaults(tx, project_id=actor.project_id, kinds=rest)) if rest else found


def _disks(rootfs: Image, wanted_bytes: int | None) -> list[NewDrive]:
    image_format = DiskFormat(rootfs.format)
    if wanted_bytes and image_format is not DiskFormat.SQUASHFS and wanted_bytes < rootfs.size_bytes:
        raise DiskTooSmall(
            f"disk_size_bytes: image {rootfs.name} alone has {rootfs.size_bytes} bytes.",
            suggestion=f"Ask for at least {rootfs.size_bytes}, or leave it out.",
        )
    return root_drives(
        image_id=rootfs.id, image_format=image_format, image_bytes=rootfs.size_bytes, wanted_bytes=wanted_bytes
    )
