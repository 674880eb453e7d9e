"""Taking in what hosts measured, and telling it again over time."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from nexus.kit.clock import Clock
from nexus.kit.db import Db
from nexus.manager.access import Actor
from nexus.manager.hosts.errors import HostNotFound
from nexus.manager.metrics import partitions, repository
from nexus.manager.metrics.feed import UsageFeed
from nexus.manager.metrics.models import Cut
from nexus.manager.metrics.resolution import cut
from nexus.manager.platform import Built, Platform
from nexus.manager.sweeps import Sweep
from nexus.manager.vms.errors import VmNotFound
from nexus.protocol.metrics import SampleAnswer, SampleReport

EVERY = timedelta(minutes=5)


def build(platform: Platform) -> Built:
    """This slice over the platform."""
    settings = platform.settings
    metrics = Metrics(
        platform.db,
        clock=platform.clock,
        interval_s=settings.metrics_interval_s,
        is_disabled=settings.metrics_disabled,
        minutes_kept=timedelta(days=settings.metrics_minutes_days),
        kept=timedelta(days=settings.metrics_days),
    )
    feed = UsageFeed(platform.db, platform.listener, is_disabled=settings.metrics_disabled)
    return Built(services=(metrics, feed), sweeps=(Sweep("metrics", EVERY, metrics.tidy),), close=feed.close)


class Metrics:
    """`minutes_kept` is how long minutes are, `kept` how long anything is."""

    def __init__(
        self,
        db: Db,
        *,
        clock: Clock,
        interval_s: float,
        is_disabled: bool,
        minutes_kept: timedelta,
        kept: timedelta,
    ) -> None:
        self._db = db
        self._clock = clock
        self._wanted = SampleAnswer(interval_s=interval_s, is_wanted=not is_disabled)
        self._minutes_kept = minutes_kept
        self._kept = kept

    async def take_in(self, host_id: UUID, report: SampleReport) -> SampleAnswer:
        """Keep what a host has measured, as far as it is about itself and its machines."""
        if not self._wanted.is_wanted:
            return self._wanted
        try:
            await self._take_in(host_id, report)
        except asyncpg.CheckViolationError:  # no partition for it: sweeps may not have run for a while
            await partitions.ensure(self._db)
            await self._take_in(host_id, report)
        return self._wanted

    async def of_vm(self, actor: Actor, vm_id: UUID, wanted: Cut) -> bytes:
        """The history of a VM. Raises VmNotFound."""
        machine_id = await repository.machine_of(self._db, vm_id, actor=actor)
        if machine_id is None:
            raise VmNotFound
        return _answer(wanted, await repository.history(self._db, machine_id, wanted))

    async def of_host(self, host_id: UUID, wanted: Cut) -> bytes:
        """The history of a host. Raises HostNotFound."""
        if not await repository.knows_host(self._db, host_id):
            raise HostNotFound
        return _answer(wanted, await repository.history(self._db, host_id, wanted))

    def cut(self, start: datetime | None, end: datetime | None, step_s: int | None) -> Cut:
        """How to answer what was asked for. Raises NoSuchSpan."""
        return cut(start, end, step_s, now=self._clock.now(), minutes_kept=self._minutes_kept)

    async def tidy(self) -> int:
        """Make partitions ahead, add up minutes, drop what is kept no longer; how many tables and rows that were."""
        through = await repository.rolled_through(self._db)
        touched = await partitions.ensure(self._db, since=through)
        touched += await repository.add_up(self._db)
        now = self._clock.now()
        return touched + await partitions.drop(
            self._db, minutes_before=now - self._minutes_kept, quarters_before=now - self._kept
        )

    async def _take_in(self, host_id: UUID, report: SampleReport) -> None:
        async with self._db.transaction() as tx:
            if report.minutes or report.host_minutes:
                await repository.take_minutes(tx, host_id, report)
            if report.machines:
                await repository.take_usage(tx, host_id, report)


def _answer(wanted: Cut, points: str) -> bytes:
    head = f'{{"from":"{wanted.start.isoformat()}","to":"{wanted.end.isoformat()}","step_s":{wanted.step_s}'
    return f'{head},"points":{points}}}'.encode()
