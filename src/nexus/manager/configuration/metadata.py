"""What a guest can find out about itself: the tree of its metadata service, and what cloud-init is to do.

Both are the work of the platform's agent in the guest, on every hypervisor. They may hold secrets: they are in no list,
event or audit row, and only who may change the VM reads them.
"""

from typing import Any
from uuid import UUID

from pydantic import ValidationError

from nexus.kit.db import Db
from nexus.kit.problems import InvalidField
from nexus.kit.versions import ANY, Expected
from nexus.manager.access import Actor
from nexus.manager.configuration import repository
from nexus.manager.configuration.errors import NoGuestAgent
from nexus.manager.configuration.metadata_schemas import MetadataBody, MetadataConfig, Tree, UserDataBody
from nexus.manager.machines import service as machines
from nexus.manager.vms.changing import Change, VmChanges
from nexus.protocol.machines import MetadataSpec


class Metadata:
    def __init__(self, db: Db, changes: VmChanges) -> None:
        self._db = db
        self._changes = changes

    async def get(self, actor: Actor, vm_id: UUID) -> MetadataBody:
        """Raises VmNotFound."""
        spec = _spec(await repository.get(self._db, vm_id, sees_only=actor.sees_only))
        return MetadataBody(data=None if spec is None else spec.data, config=_config(spec))

    async def user_data(self, actor: Actor, vm_id: UUID) -> UserDataBody:
        """Raises VmNotFound."""
        row = await repository.get(self._db, vm_id, sees_only=actor.sees_only)
        return UserDataBody(user_data=row["user_data"])

    async def set_data(self, actor: Actor, vm_id: UUID, data: dict[str, Any], *, expected: Expected = ANY) -> Change:
        """Serve this tree in the guest. Raises NoGuestAgent."""
        return await self._change(actor, vm_id, expected, data=data)

    async def merge_data(self, actor: Actor, vm_id: UUID, data: dict[str, Any], *, expected: Expected = ANY) -> Change:
        """Merge into the tree, as RFC 7396 says: null removes. Raises NoGuestAgent, InvalidField for a tree that has
        become too big."""
        return await self._change(actor, vm_id, expected, data=data, merges=True)

    async def configure(self, actor: Actor, vm_id: UUID, config: MetadataConfig, *, expected: Expected = ANY) -> Change:
        """Change how the service answers; there is one from then on. Raises NoGuestAgent."""
        return await self._change(actor, vm_id, expected, config=config)

    async def remove(self, actor: Actor, vm_id: UUID, *, expected: Expected = ANY) -> Change:
        """Have no metadata service."""
        async with self._changes.making(actor, vm_id, expected=expected) as change:
            present = await repository.get(change.tx, vm_id, sees_only=actor.sees_only)
            await _store(change, "metadata", present["metadata"], None)
        return change

    async def set_user_data(
        self, actor: Actor, vm_id: UUID, user_data: str | None, *, expected: Expected = ANY
    ) -> Change:
        """What cloud-init finds at the next start. Raises NoGuestAgent."""
        async with self._changes.making(actor, vm_id, expected=expected) as change:
            present = await repository.get(change.tx, vm_id, sees_only=actor.sees_only)
            if user_data is not None and not present["has_guest_agent"]:
                raise NoGuestAgent("give user-data to", change.vm)
            await _store(change, "user_data", present["user_data"], user_data)
        return change

    async def _change(
        self,
        actor: Actor,
        vm_id: UUID,
        expected: Expected,
        *,
        data: dict[str, Any] | None = None,
        merges: bool = False,
        config: MetadataConfig | None = None,
    ) -> Change:
        async with self._changes.making(actor, vm_id, expected=expected) as change:
            present = await repository.get(change.tx, vm_id, sees_only=actor.sees_only)
            if not present["has_guest_agent"]:
                raise NoGuestAgent("serve metadata in", change.vm)
            spec = _spec(present)
            tree = spec.data if spec is not None else {}
            if data is not None:
                tree = _checked(_merge_patch(tree, data)) if merges else data
            how = config or _config(spec)
            wanted = MetadataSpec(
                data=tree, address=how.ipv4_address, needs_token=how.version == "V2", is_plain=how.imds_compat
            )
            await _store(change, "metadata", present["metadata"], wanted.model_dump(mode="json"))
        return change


async def _store(change: Change, name: str, present: object, wanted: object) -> None:
    change.note(name, differs=present != wanted)
    if change.is_one:
        await machines.configure(change.tx, change.vm.machine.id, {name: wanted})


def _checked(tree: dict[str, Any]) -> dict[str, Any]:
    try:
        return Tree.model_validate(tree).root
    except ValidationError as refused:
        raise InvalidField(f"The merged tree {refused.errors()[0]['msg'].removeprefix('Value error, ')}.") from refused


def _spec(row: Any) -> MetadataSpec | None:
    return None if row["metadata"] is None else MetadataSpec.model_validate(row["metadata"])


def _config(spec: MetadataSpec | None) -> MetadataConfig:
    if spec is None:
        return MetadataConfig()
    return MetadataConfig(
        version="V2" if spec.needs_token else "V1", ipv4_address=spec.address, imds_compat=spec.is_plain
    )


def _merge_patch(tree: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    merged = {**tree}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            below: Any = merged.get(name)
            merged[name] = _merge_patch(below if isinstance(below, dict) else {}, value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            merged[name] = value
    return merged
