"""Changing a VM's size, what it boots, and its devices; its metadata is `metadata`'s.

Every change goes through `VmChanges`: compare with what is there, refuse what the host cannot, store, and say what of
the definition it is about.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from nexus.kit.db import Db, Record
from nexus.kit.ids import read_id
from nexus.kit.versions import ANY, Expected
from nexus.manager.access import Actor
from nexus.manager.configuration import repository
from nexus.manager.configuration.errors import BalloonTooBig
from nexus.manager.configuration.schemas import BootSource
from nexus.manager.hosts.placement import Amounts
from nexus.manager.hosts.service import Hosts
from nexus.manager.images import service as images
from nexus.manager.images.models import Image, ImageKind
from nexus.manager.machines import service as machines
from nexus.manager.machines.lifecycle import Goal
from nexus.manager.vms import offering
from nexus.manager.vms.changing import Change, VmChanges
from nexus.protocol.hosts import Offer

PENDING_NAMES: Mapping[str, str] = {
    "vcpus": "vcpus",
    "memory_mib": "memory_mib",
    "kernel_image_id": "kernel",
    "initramfs_image_id": "initramfs",
    "has_guest_agent": "initramfs",
    "boot_args": "boot_args",
    "balloon_mib": "balloon",
    "balloon_deflates_on_oom": "balloon_deflate_on_oom",
    "balloon_stats_s": "balloon_statistics",
    "entropy_limit": "entropy",
    "console_bytes": "serial",
    "log_level": "logger",
    "cpu_config": "cpu_config",
    "vsock_cid": "vsock",
    "metadata": "metadata",
    "user_data": "user_data",
}
"""What hosts call each setting when a running boot lacks it (`agent.machines.pending`; a test compares the two)."""


class Configuration:
    def __init__(self, db: Db, hosts: Hosts, changes: VmChanges) -> None:
        self._db = db
        self._hosts = hosts
        self._changes = changes

    async def get(self, actor: Actor, vm_id: UUID) -> Record:
        """All settings, as `machines` has them. Raises VmNotFound."""
        return await repository.get(self._db, vm_id, sees_only=actor.sees_only)

    async def resize(
        self, actor: Actor, vm_id: UUID, *, vcpus: int | None, memory_mib: int | None, expected: Expected = ANY
    ) -> Change:
        """Give a VM another size (None: as it is) from its next start on.

        Raises NoRoom where its host has not that much left, BalloonTooBig."""
        async with self._changes.making(actor, vm_id, expected=expected) as change:
            given = {"vcpus": vcpus, "memory_mib": memory_mib}
            settings = {name: value for name, value in given.items() if value is not None}
            await self._reserve(change, **settings)
            change.details |= settings
            await self._store(change, actor, settings)
        return change

    async def boot_from(
        self, actor: Actor, vm_id: UUID, wanted: BootSource, *, is_whole: bool, expected: Expected = ANY
    ) -> Change:
        """Have a VM boot something else from its next start on. `is_whole`: what is left out is the default.

        Raises ImageNotFound, NoDefaultImage."""
        async with self._changes.making(actor, vm_id, expected=expected) as change:
            settings: dict[str, Any] = {}
            given = BootSource.model_fields.keys() if is_whole else wanted.model_fields_set
            if given & {"kernel", "kernel_image_id"}:
                named = wanted.kernel_image_id or wanted.kernel
                settings["kernel_image_id"] = (await _choose(change, actor, ImageKind.KERNEL, named)).id
            if given & {"initrd", "initrd_image_id"}:
                settings |= await _initramfs(change, actor, wanted)
            if "boot_args" in given:
                settings["boot_args"] = wanted.boot_args
            await self._store(change, actor, settings)
        return change

    async def set_balloon(
        self, actor: Actor, vm_id: UUID, settings: Mapping[str, Any], *, expected: Expected = ANY
    ) -> Change:
        """Set what of a balloon is given: balloon_mib, balloon_deflates_on_oom, balloon_stats_s. Raises NotOffered,
        BalloonTooBig."""
        return await self.set_device(actor, vm_id, settings, needs=[Offer.BALLOON], expected=expected)

    async def set_device(
        self,
        actor: Actor,
        vm_id: UUID,
        settings: Mapping[str, Any],
        *,
        needs: Iterable[Offer],
        expected: Expected = ANY,
    ) -> Change:
        """Set devices' settings, which take what `needs` of the VM's host; to have nothing set takes nothing. Raises
        NotOffered."""
        async with self._changes.making(actor, vm_id, expected=expected) as change:
            if any(value is not None for value in settings.values()):
                offering.require(change.vm, f"change a device of {change.vm.name}", needs)
            await self._store(change, actor, settings)
        return change

    async def _store(self, change: Change, actor: Actor, settings: Mapping[str, Any]) -> None:
        present = await repository.get(change.tx, change.vm.id, sees_only=actor.sees_only)
        wanted = {**present, **settings}
        if 0 < wanted["balloon_mib"] >= wanted["memory_mib"]:
            raise BalloonTooBig(amount_mib=wanted["balloon_mib"], memory_mib=wanted["memory_mib"])
        for name, value in settings.items():
            change.note(PENDING_NAMES[name], differs=value != present[name])
        if change.is_one:
            await machines.configure(change.tx, change.vm.machine.id, settings)

    async def _reserve(self, change: Change, *, vcpus: int = 0, memory_mib: int = 0) -> None:
        """Take what a VM that runs, or is meant to, needs more than before. One that is off is given room by its
        start."""
        vm, machine = change.vm, change.vm.machine
        if machine.facts.goal not in (Goal.ON, Goal.PAUSED):
            return
        need = Amounts(
            vcpus=vcpus if vcpus > machine.vcpus else 0,
            memory_mib=memory_mib if memory_mib > machine.memory_mib else 0,
        )
        if need != Amounts():
            await self._hosts.reserve(change.tx, need, wish=f"enlarge {vm.name}", on=[vm.host.id], besides=machine.id)


async def _initramfs(change: Change, actor: Actor, wanted: BootSource) -> dict[str, Any]:
    """The initramfs, and whether it brings our agent. Of the platform's own that is known; any other has none, unless
    the request says so."""
    own = await _choose(change, actor, ImageKind.INITRAMFS, None)
    named = wanted.initrd_image_id or wanted.initrd
    image = await _choose(change, actor, ImageKind.INITRAMFS, named) if named is not None else own
    has_agent = image.id == own.id if wanted.guest_agent is None else wanted.guest_agent
    return {"initramfs_image_id": image.id, "has_guest_agent": has_agent}


async def _choose(change: Change, actor: Actor, kind: ImageKind, named: str | UUID | None) -> Image:
    meant = read_id(named) or named if isinstance(named, str) else named
    return await images.choose(change.tx, project_id=actor.project_id, kind=kind, named=meant)
