"""Hosts reporting, and being asked for room; how they join is `joining`'s."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from nexus.kit.db import Db, Reader, Tx
from nexus.kit.paging import Page
from nexus.manager import audit, events
from nexus.manager.hosts import hearing, placement, repository
from nexus.manager.hosts.errors import HostNotFound, NoRoom
from nexus.manager.hosts.hearing import Heard
from nexus.manager.hosts.models import HEARTBEAT_S, KIND, HostRef, HostState
from nexus.manager.hosts.placement import Amounts, Overcommit, Placement
from nexus.manager.hosts.schemas import AmountsBody, HostDetail
from nexus.manager.machines.service import Machines
from nexus.manager.subjects import Subject
from nexus.protocol.hosts import Heartbeat, HeartbeatAnswer, Offer


class Hosts:
    def __init__(self, db: Db, machines: Machines, *, overcommit: Overcommit) -> None:
        self._db = db
        self._machines = machines
        self._overcommit = overcommit

    async def heartbeat(self, host_id: UUID, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """Take in what a host reports, and wake what was waiting for it."""
        async with self._db.transaction() as tx:
            last = await hearing.last_heard(tx, host_id, boot_id=heartbeat.boot_id)
            if last is None:
                raise HostNotFound
            if last.is_past:
                return HeartbeatAnswer(interval_s=HEARTBEAT_S)
            unknown = await self._machines.lock_on(tx, host_id) if last.was_silent else []
            floor = last.seen_seq if last.boot_id == heartbeat.boot_id else 0
            is_stale = heartbeat.full and 0 < heartbeat.seq <= floor
            gone = [] if is_stale else await self._machines.take_in(tx, host_id, heartbeat, floor_seq=floor)
            if heartbeat.full or last.was_silent or not last.was_just_heard:
                heard = await hearing.note_heartbeat(
                    tx,
                    host_id,
                    boot_id=heartbeat.boot_id,
                    full_seq=heartbeat.seq if heartbeat.full else None,
                    facts=heartbeat.facts,
                    usage=heartbeat.usage,
                    ends_silence=last.was_silent,
                )
                if heard is None:
                    raise HostNotFound
                await _tell(tx, Subject(KIND, host_id, last.name), heard)
            await self._machines.look_again(tx, unknown)
        return HeartbeatAnswer(interval_s=HEARTBEAT_S, gone=tuple(gone))

    async def list(self, page: Page, *, state: HostState | None, name: str | None, q: str | None) -> bytes:
        return await repository.list_json(self._db, page, state=state, name=name, q=q)

    async def ref(self, host_id: UUID) -> HostRef:
        """Where a host's agent is. Raises HostNotFound."""
        found = await repository.find_ref(self._db, host_id)
        if found is None:
            raise HostNotFound
        return found

    async def ref_in(self, tx: Tx, host_id: UUID) -> HostRef:
        """Where a host's agent is, within a transaction. Raises HostNotFound."""
        found = await repository.find_ref(tx, host_id)
        if found is None:
            raise HostNotFound
        return found

    async def get(self, host_id: UUID) -> HostDetail:
        item: dict[str, Any] | None = await repository.find_json(self._db, host_id)
        if item is None:
            raise HostNotFound
        rooms = await repository.rooms(self._db, of=[host_id])
        if not rooms:
            raise HostNotFound
        [room] = rooms
        most = placement.capacity(room, self._overcommit)
        return HostDetail.model_validate(
            item | {"capacity": _body(most), "reserved": _body(room.reserved)},
        )

    async def with_vmm(self, reader: Reader, *, name: str, version: str, acceleration: str) -> Sequence[UUID]:
        """Those that have this hypervisor."""
        return await repository.with_vmm(reader, name=name, version=version, acceleration=acceleration)

    async def reserve(
        self,
        tx: Tx,
        need: Amounts,
        *,
        wish: str,
        offers: frozenset[Offer] = frozenset(),
        on: Sequence[UUID] | None = None,
        besides: UUID | None = None,
        adds_machine: bool = True,
    ) -> Placement:
        """Choose a host for `need` (of those in `on`), one that can do all of `offers`, and keep others from taking
        that room until `tx` ends, when the machine's own row reserves it. The answer has one `chosen`.

        `besides`: the machine whose room this is to be, so that it is not counted twice. Raises NoRoom with the reason
        of each host; `wish` completes its sentence "Cannot …". `adds_machine`: False for what a machine that is there
        already needs besides, which a cordon does not keep out.
        """
        await repository.lock_rooms(tx)
        rooms = await repository.rooms(tx, of=on, besides=besides)
        if not adds_machine:
            rooms = [replace(room, is_cordoned=False) for room in rooms]
        found = placement.place(rooms, need, self._overcommit, offers)
        if found.chosen is None:
            raise NoRoom(wish, found)
        return found


async def _tell(tx: Tx, subject: Subject, heard: Heard) -> None:
    """Say what has befallen the host itself; that of its machines is told for each of them."""
    for has_happened, verb, type_ in (
        (heard.has_restarted, "restart", "host.restarted"),
        (heard.has_returned, "return", "host.online"),
    ):
        if has_happened:
            await audit.write_as(tx, None, f"host {subject.name}", verb=verb, subject=subject)
            await events.emit(tx, type=type_, subject=subject, owner_user_id=None)


def _body(amounts: Amounts) -> AmountsBody:
    return AmountsBody(vcpus=amounts.vcpus, memory_mib=amounts.memory_mib, disk_bytes=amounts.disk_bytes)
