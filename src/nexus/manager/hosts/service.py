"""Hosts joining, reporting, and being asked for room."""

import asyncio
import hmac
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from nexus.kit.clock import Clock
from nexus.kit.db import Db, Tx
from nexus.kit.paging import Page
from nexus.manager import audit
from nexus.manager.access import Access, Actor
from nexus.manager.access.tokens import HOST, JOIN, digest, mint
from nexus.manager.hosts import placement, repository
from nexus.manager.hosts.errors import HostNotFound, JoinTokenInvalid, NoRoom
from nexus.manager.hosts.models import HEARTBEAT_S
from nexus.manager.hosts.placement import Amounts, Overcommit
from nexus.manager.hosts.schemas import AmountsBody, HostDetail, JoinTokenBody
from nexus.manager.machines.service import Machines
from nexus.manager.subjects import Subject
from nexus.protocol.hosts import Heartbeat, HeartbeatAnswer, Registered, RegisterRequest

KIND = "host"
_SHORTEST_LOCAL_TOKEN = 32


class Hosts:
    def __init__(
        self,
        db: Db,
        access: Access,
        machines: Machines,
        *,
        clock: Clock,
        overcommit: Overcommit,
        local_token_file: Path | None,
    ) -> None:
        self._db = db
        self._access = access
        self._machines = machines
        self._clock = clock
        self._overcommit = overcommit
        self._local_token_file = local_token_file

    async def make_join_token(self, actor: Actor, *, life: timedelta) -> JoinTokenBody:
        """A token that lets one host register. It is in the answer and nowhere else."""
        token = mint(JOIN)
        async with self._db.transaction() as tx:
            token_id = await repository.add_join_token(tx, digest(token), created_by=actor.user_id, life=life)
            await audit.write(tx, actor, verb="create", subject=Subject("join_token", token_id))
        return JoinTokenBody(id=token_id, token=token, expires_at=self._clock.now() + life)

    async def register(self, request: RegisterRequest) -> Registered:
        """Let a host in. One that comes again under its name with a new token gets a new credential for its old one."""
        credential = mint(HOST)
        is_local = await asyncio.to_thread(self._is_local_token, request.join_token)
        async with self._db.transaction() as tx:
            token_id = None if is_local else await repository.use_join_token(tx, digest(request.join_token))
            if token_id is None and not is_local:
                raise JoinTokenInvalid
            host_id = await repository.register(tx, request, credential_sha256=digest(credential))
            if token_id is not None:
                await repository.note_join(tx, token_id, host_id)
            self._access.revoke(tx)
            name = request.facts.name
            subject = Subject(KIND, host_id, name)
            await audit.write_as(
                tx, None, f"host {name}", verb="register", subject=subject, details={"address": request.address}
            )
        return Registered(host_id=host_id, credential=credential)

    def _is_local_token(self, token: str) -> bool:
        """Whether this is the token that this machine's own agent finds in a file; good as long as that is there."""
        try:
            kept = self._local_token_file.read_text().strip() if self._local_token_file else ""
        except OSError:
            return False
        return len(kept) >= _SHORTEST_LOCAL_TOKEN and hmac.compare_digest(kept.encode(), token.encode())

    async def heartbeat(self, host_id: UUID, heartbeat: Heartbeat) -> HeartbeatAnswer:
        """Take in what a host reports, and wake what was waiting for it."""
        async with self._db.transaction() as tx:
            last = await repository.last_heard(tx, host_id)
            if last is None:
                raise HostNotFound
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

    async def list(self, page: Page) -> bytes:
        return await repository.list_json(self._db, page)

    async def get(self, host_id: UUID) -> HostDetail:
        item: dict[str, Any] | None = await repository.find_json(self._db, host_id)
        if item is None:
            raise HostNotFound
        [room] = await repository.rooms(self._db, of=[host_id])
        most = placement.capacity(room, self._overcommit)
        return HostDetail.model_validate(
            item | {"capacity": _body(most), "reserved": _body(room.reserved)},
        )

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
