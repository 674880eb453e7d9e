"""Hosts reporting, and being asked for room; how they join is `joining`'s."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.paging import Page
from nexus.manager import audit
from nexus.manager.access import Actor
from nexus.manager.hosts import placement, repository
from nexus.manager.hosts.errors import HostNotFound, NoRoom
from nexus.manager.hosts.models import HEARTBEAT_S, KIND, HostState
from nexus.manager.hosts.placement import Amounts, Overcommit
from nexus.manager.hosts.schemas import AmountsBody, HostDetail
from nexus.manager.machines.service import Machines
from nexus.manager.subjects import Subject
from nexus.protocol.hosts import Heartbeat, HeartbeatAnswer


class Hosts:
    def __init__(self, db: Db, machines: Machines, *, overcommit: Overcommit) -> None:
        self._db = db
        self._machines = machines
        self._overcommit = overcommit

    async def heartbeat(self, host_id: UUID, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """Take in what a host reports, and wake what was waiting for it."""
        async with self._db.transaction() as tx:
            last = await repository.last_heard(tx, host_id, boot_id=heartbeat.boot_id)
            if last is None:
                raise HostNotFound
            if last.is_past:
                return HeartbeatAnswer(interval_s=HEARTBEAT_S)
            floor = last.seen_seq if last.boot_id == heartbeat.boot_id else 0
            is_stale = heartbeat.full and 0 < heartbeat.seq <= floor
            gone = [] if is_stale else await self._machines.take_in(tx, host_id, heartbeat, floor_seq=floor)
            await repository.note_heartbeat(
                tx,
                host_id,
                boot_id=heartbeat.boot_id,
                full_seq=heartbeat.seq if heartbeat.full else None,
                facts=heartbeat.facts,
                usage=heartbeat.usage,
            )
            if last.was_silent:
                await self._machines.look_again(tx, [host_id])
        return HeartbeatAnswer(interval_s=HEARTBEAT_S, gone=tuple(gone))

    async def list(self, page: Page, *, state: HostState | None, name: str | None, q: str | None) -> bytes:
        return await repository.list_json(self._db, page, state=state, name=name, q=q)

    async def get(self, host_id: UUID) -> HostDetail:
        item: dict[str, Any] | None = await repository.find_json(self._db, host_id)
        if item is None:
            raise HostNotFound
        [room] = await repository.rooms(self._db, of=[host_id])
        most = placement.capacity(room, self._overcommit)
        return HostDetail.model_validate(
            item | {"capacity": _body(most), "reserved": _body(room.reserved)},
        )

    async def cordon(self, actor: Actor, host_id: UUID, *, is_cordoned: bool) -> None:
        """Let the host take no more machines, or take them again; what is on it runs on. Raises HostNotFound."""
        async with self._db.transaction() as tx:
            await repository.lock_rooms(tx)
            name = await repository.name_of(tx, host_id)
            if name is None:
                raise HostNotFound
            await repository.set_cordoned(tx, host_id, is_cordoned=is_cordoned)
            verb = "cordon" if is_cordoned else "uncordon"
            await audit.write(tx, actor, verb=verb, subject=Subject(KIND, host_id, name))

    async def reserve(
        self, tx: Tx, need: Amounts, *, wish: str, on: Sequence[UUID] | None = None, besides: UUID | None = None
    ) -> UUID:
        """Choose a host for `need` (of those in `on`) and keep others from taking that room until `tx` ends, when the
        machine's own row reserves it.

        `besides`: the machine whose room this is to be, so that it is not counted twice. Raises NoRoom with the reason
        of each host; `wish` completes its sentence "Cannot …".
        """
        await repository.lock_rooms(tx)
        rooms = await repository.rooms(tx, of=on, besides=besides)
        fitting = placement.rank(rooms, need, self._overcommit)
        if not fitting:
            raise NoRoom(wish, placement.explain(rooms, need, self._overcommit))
        return fitting[0].host_id


def _body(amounts: Amounts) -> AmountsBody:
    return AmountsBody(vcpus=amounts.vcpus, memory_mib=amounts.memory_mib, disk_bytes=amounts.disk_bytes)
