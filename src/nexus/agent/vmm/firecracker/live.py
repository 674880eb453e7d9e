"""What can be changed while a guest runs: its drives, its balloon, how much of its console is kept."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError

from nexus.agent.vmm.firecracker import bodies
from nexus.agent.vmm.firecracker.config import STATISTICS_INTERVAL_S, Inside, new_limiter
from nexus.agent.vmm.firecracker.connection import ApiTrouble
from nexus.agent.vmm.firecracker.jails import Jails
from nexus.agent.vmm.firecracker.ledger import Ledger
from nexus.agent.vmm.firecracker.overseer import Overseer
from nexus.agent.vmm.firecracker.record import DriveRecord
from nexus.agent.vmm.firecracker.resources import replace_disk
from nexus.agent.vmm.firecracker.running import Running
from nexus.agent.vmm.port import BalloonTarget, Disk, VmmTrouble
from nexus.protocol.balloons import BalloonSeen, BalloonStats
from nexus.protocol.limits import RateLimiter

_T = TypeVar("_T")


class LiveDevices:
    """The part of the driver that speaks to running machines. What it changes it notes, for the next agent."""

    def __init__(self, jails: Jails, ledger: Ledger, overseer: Overseer) -> None:
        self._jails = jails
        self._ledger = ledger
        self._overseer = overseer

    async def limit_drive(self, machine: UUID, drive: UUID, limiter: RateLimiter | None) -> None:
        running, known = self._drive(machine, drive)
        body = bodies.DriveUpdate(drive_id=known.drive_id, rate_limiter=new_limiter(limiter))
        await self._tell(running.jailed.api.patch_drive(body))

    async def ensure_drive(self, machine: UUID, disk: Disk) -> None:
        """Another file in its place; there is no place for one more, and none changes its kind."""
        running, known = self._drive(machine, disk.id)
        if known.read_only != disk.read_only:
            raise VmmTrouble(f"drive {disk.drive_id} can become read-only, or writable, only at a start")
        jailed, root = running.jailed, self._jails.places.root(running.jailed.id)
        try:
            await asyncio.to_thread(replace_disk, disk, root, known.name, uid=jailed.uid)
        except OSError as refused:
            raise VmmTrouble(f"drive {disk.drive_id} cannot be replaced: {refused.strerror or refused}") from refused
        path = Inside.prefix_of(is_jailed=self._jails.is_jailed) + known.name
        limits = new_limiter(disk.rate_limiter)
        body = bodies.DriveUpdate(drive_id=known.drive_id, path_on_host=path, rate_limiter=limits)
        await self._tell(jailed.api.patch_drive(body))
        drives = {**running.record.drives, disk.id: known.model_copy(update={"path": disk.path})}
        self._note(machine, running, drives=drives)

    async def grow_drive(self, machine: UUID, disk: Disk) -> None:
        """Not while it may be mounted: Firecracker's update of a size is not atomic (fact 21)."""
        self._drive(machine, disk.id)
        raise VmmTrouble(f"drive {disk.drive_id} grows at the next start: its guest may have it mounted")

    async def set_balloon(self, machine: UUID, target: BalloonTarget) -> None:
        """Statistics are always on, because they cannot be switched on later (fact 25); only their interval is set."""
        running = self._at(machine)
        api, interval_s = running.jailed.api, target.stats_s or STATISTICS_INTERVAL_S
        await self._tell(api.patch_balloon(bodies.BalloonUpdate(amount_mib=target.amount_mib)))
        await self._tell(api.patch_balloon_statistics(bodies.BalloonStatsUpdate(stats_polling_interval_s=interval_s)))
        self._note(machine, running, wants_statistics=bool(target.stats_s))

    async def balloon(self, machine: UUID) -> BalloonSeen:
        running = self._at(machine)
        seen = await self._tell(running.jailed.api.balloon_statistics())
        told = seen.model_dump(exclude_none=True, exclude={"target_mib", "actual_mib"})
        is_asked = running.record.wants_statistics and bool(told)
        try:
            stats = BalloonStats.model_validate(told) if is_asked else None
            return BalloonSeen(target_mib=seen.target_mib, actual_mib=seen.actual_mib, stats=stats)
        except ValidationError as unfit:
            raise VmmTrouble("Firecracker tells numbers of its balloon that cannot be") from unfit

    async def limit_console(self, machine: UUID, keep_bytes: int | None) -> None:
        self._note(machine, self._at(machine), console_bytes=keep_bytes)

    def _note(self, machine: UUID, running: Running, **changed: Any) -> None:
        running.record = running.record.model_copy(update=changed)
        self._ledger.write(machine, running.record)

    def _drive(self, machine: UUID, drive: UUID) -> tuple[Running, DriveRecord]:
        running = self._at(machine)
        known = running.record.drives.get(drive)
        if known is None:
            raise VmmTrouble("the running machine has no such drive, and Firecracker takes none while a guest runs")
        return running, known

    def _at(self, machine: UUID) -> Running:
        running = self._overseer.running.get(machine)
        if running is None:
            raise VmmTrouble("the machine is off")
        return running

    async def _tell(self, request: Coroutine[None, None, _T]) -> _T:
        try:
            return await request
        except ApiTrouble as refused:
            raise VmmTrouble(f"Firecracker did not do it: {refused}") from refused
