"""What measuring costs: collecting from so many simulated VMs, keeping it, and telling a week of one of them.

The agent is the real one over the hypervisor that runs nothing, so a guest's answer is a few lines of Python in the
same process, and is counted; what QEMU takes to tell its counters is not. The manager's part is its service on an
embedded PostgreSQL whose processor time is counted as well. A week is written by SQL, for all VMs, and asked of one.

    python -m benchmarks metrics [--vms N] [--rounds N] [--days N]
"""

import argparse
import asyncio
import hashlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psutil
import uvloop

from benchmarks._ending import clean_up_when_asked_to_end
from benchmarks._figures import spread
from benchmarks._fleet import fill
from nexus.agent import wiring as agent_wiring
from nexus.agent.settings import AgentSettings
from nexus.agent.wiring import Agent
from nexus.kit.clock import SystemClock
from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.local import postgres as embedded
from nexus.manager.metrics import partitions, repository
from nexus.manager.metrics.resolution import cut
from nexus.manager.metrics.service import Metrics
from nexus.manager.migrate import migrate
from nexus.protocol.machines import (
    DiskFormat,
    DiskRole,
    DiskSpec,
    GuestPhase,
    GuestSpec,
    MachineSpec,
    Power,
    PowerWish,
)
from nexus.protocol.metrics import MOST_SAMPLES, MachineMinute, SampleReport, Source, UsageSample

EVERY_S = 10
MOST_HISTORY_MS = 100
BOOT_PATIENCE_S = 300
IMAGES = {
    "kernel": b"\x7fELF" + bytes(4092),
    "initramfs": b"070701" + b"0" * 104 + b"TRAILER!!!\0\0\0\0",
    "rootfs": bytes(1080) + b"\x53\xef" + bytes(7110),
}
"""The root is ext4 by its magic, so that a disk is a copy."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks metrics", description=__doc__)
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--days", type=int, default=7)
    options = parser.parse_args()
    clean_up_when_asked_to_end()
    home = Path(tempfile.mkdtemp(prefix="nexus-bench-"))
    home.chmod(0o711)
    try:
        uvloop.run(collecting(home, vms=options.vms, rounds=options.rounds))
        with postgres(home) as (url, server):
            return uvloop.run(keeping(url, server, vms=options.vms, rounds=options.rounds, days=options.days))
    finally:
        shutil.rmtree(home)


async def collecting(home: Path, *, vms: int, rounds: int) -> None:
    """Processor time of the agent for a sample of each machine."""
    images = {name: image(home / "images", content) for name, content in IMAGES.items()}
    settings = AgentSettings.model_validate(
        {
            "run_dir": home / "agent",
            "runtime_dir": home / "run",
            "image_seed": home / "images",
            "manager": "http://127.0.0.1:9",  # nobody is told anything: what was collected is all that is wanted
            "vmm": "fake",
            "network": "user",
        }
    )
    async with AsyncExitStack() as stack:
        agent = await agent_wiring.build(settings, stack)
        assert agent.recorder is not None
        await boot(agent, images, vms)
        spent_ms: list[float] = []
        samples: tuple[UsageSample, ...] = ()
        for _ in range(rounds + 1):
            await asyncio.sleep(1)  # within half a second a reading is shared
            began = time.process_time()
            samples = await agent.recorder.collect(within_s=0)
            spent_ms.append(1000 * (time.process_time() - began) / vms)
        assert len(samples) == vms, f"{len(samples)} of {vms} machines were sampled"
        assert all(one.source is Source.GUEST for one in samples)
    print(f"agent, collecting: {spread(spent_ms[1:], unit='ms of CPU a VM and sample')}")
    part = statistics.median(spent_ms[1:]) * vms / (10 * EVERY_S)
    print(f"  every {EVERY_S} s of {vms:,} VMs on one host: {part:.1f} % of a core", flush=True)


def image(store: Path, content: bytes) -> str:
    store.mkdir(exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()
    (store / digest).write_bytes(content)
    return digest


async def boot(agent: Agent, images: dict[str, str], vms: int) -> None:
    """So many machines, and each of their guests ready."""
    for number in range(vms):
        root = DiskSpec(
            id=new_id(),
            drive_id="rootfs",
            role=DiskRole.ROOT,
            format=DiskFormat.EXT4,
            image_sha256=images["rootfs"],
        )
        spec = MachineSpec(
            id=new_id(),
            generation=1,
            vcpus=1,
            memory_mib=256,
            kernel_sha256=images["kernel"],
            initramfs_sha256=images["initramfs"],
            disks=(root,),
            guest=GuestSpec(hostname=f"guest-{number}"),
        )
        await agent.machines.define(spec)
        await agent.machines.wish(spec.id, PowerWish(generation=1, power=Power.ON, boot=1))
    deadline = time.monotonic() + BOOT_PATIENCE_S
    while any(seen.guest is not GuestPhase.READY for seen in agent.machines.list()):
        assert time.monotonic() < deadline, "the machines did not boot"
        await asyncio.sleep(0.1)


@contextmanager
def postgres(home: Path) -> Generator[tuple[str, psutil.Process]]:
    """An embedded PostgreSQL: the URL of a database, and its first process."""
    cache = home / "cache"
    cache.mkdir(mode=0o711)
    server = embedded.prepare(data=home / "postgres", socket_dir=home / "pg", cache=cache)
    log = home / "postgres.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            server.command(),
            stdout=written,
            stderr=written,
            cwd="/",
            start_new_session=True,
            user=server.run_as,
            group=server.run_as_group,
        )
    try:
        while b"ready to accept connections" not in log.read_bytes():
            assert process.poll() is None, log.read_text(errors="replace")
            time.sleep(0.05)
        yield server.url("postgres"), psutil.Process(process.pid)
    finally:
        process.send_signal(embedded.STOP_SIGNAL)
        process.wait(timeout=60)


async def keeping(url: str, server: psutil.Process, *, vms: int, rounds: int, days: int) -> int:
    """What samples and minutes cost the manager and its database; what history takes to be told."""
    await migrate(url)
    await fill(url, size=vms)
    db = Db(url)
    await db.open()
    try:
        host_id: UUID = await db.fetchval("select id from hosts")
        machines = [row["id"] for row in await db.fetch("select id from machines order by id")]
        await take_in(db, server, host_id, machines, rounds=rounds)
        return await tell(db, machines, rounds=rounds, days=days)
    finally:
        await db.close()


async def take_in(db: Db, server: psutil.Process, host_id: UUID, machines: list[UUID], *, rounds: int) -> None:
    """Reports as hosts send them: last samples each time, minutes in every sixth, from the JSON of a request on."""
    metrics = Metrics(
        db,
        clock=SystemClock(),
        interval_s=EVERY_S,
        is_disabled=False,
        minutes_kept=timedelta(days=2),
        kept=timedelta(days=90),
    )
    await partitions.ensure(db)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    last_ms: list[float] = []
    minute_ms: list[float] = []
    for number in range(rounds + 1):
        parts = [machines[place : place + MOST_SAMPLES] for place in range(0, len(machines), MOST_SAMPLES)]
        lasts = [SampleReport(machines=tuple(sample(one) for one in part)) for part in parts]
        at = now - timedelta(minutes=rounds + 1 - number)
        minutes = [SampleReport(minutes=tuple(minute(one, at) for one in part)) for part in parts]
        for reports, spent_ms in ((lasts, last_ms), (minutes, minute_ms)):
            bodies = [report.model_dump_json(exclude_none=True) for report in reports]
            began = spent(server)
            for body in bodies:
                await metrics.take_in(host_id, SampleReport.model_validate_json(body))
            spent_ms.append(1000 * (spent(server) - began) / len(machines))
    print(f"manager and database, last samples: {spread(last_ms[1:], unit='ms of CPU a VM')}")
    print(f"manager and database, minutes:      {spread(minute_ms[1:], unit='ms of CPU a VM')}")
    an_hour_ms = 3600 / EVERY_S * statistics.median(last_ms[1:]) + 60 * statistics.median(minute_ms[1:])
    print(f"  {len(machines):,} VMs: {an_hour_ms * len(machines) / 36_000:.1f} % of a core", flush=True)
    assert await db.fetchval("select count(*) from machine_usage") == len(machines)


async def tell(db: Db, machines: list[UUID], *, rounds: int, days: int) -> int:
    """Write days of history for all, ask it of some; 1 if that takes too long."""
    begin = await db.fetchval("select date_bin('15 minutes', now(), 'epoch') - make_interval(days => $1)", days)
    await partitions.ensure(db, since=begin)
    through = await db.fetchval(
        "update metric_rollup set through = date_bin('15 minutes', now() - interval '75 minutes', 'epoch') "
        "returning through"
    )
    await db.execute("truncate metric_minutes")
    for table, since, until, every in (
        ("metric_quarters", begin, through, "15 minutes"),
        ("metric_minutes", through, await db.fetchval("select now()"), "1 minute"),
    ):
        rows = int(
            (
                await db.execute(
                    f"""
                    insert into {table}
                    select m.id, at, (random() * 60000)::bigint, 120000, 100000, 500000, 10000, 10000, 10000, 10000,
                           1000000, 4000000, 60000, 60000, 99
                    from generate_series($1::timestamptz, $2::timestamptz - interval '1 second', $3::interval) as at,
                         machines m
                    """,
                    since,
                    until,
                    timedelta(minutes=15 if every == "15 minutes" else 1),
                )
            ).split()[-1]
        )
        size = await db.fetchval(
            "select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = $1::text::regclass", table
        )
        a_day = 96 if table == "metric_quarters" else 1440
        print(
            f"{table}: {rows:,} rows, {size / rows:.0f} bytes each, {a_day * size / rows / 1024:,.0f} KiB a VM and day"
        )
    await db.execute("analyze metric_quarters")
    await db.execute("analyze metric_minutes")
    told_ms: list[float] = []
    points = ""
    now = datetime.now(UTC)
    wanted = cut(now - timedelta(days=days), now, None, now=now, minutes_kept=timedelta(days=2))
    for number in range(rounds + 1):
        began = time.perf_counter()
        points = await repository.history(db, machines[number * 37 % len(machines)], wanted)
        told_ms.append(1000 * (time.perf_counter() - began))
    verdict = "met" if max(told_ms[1:]) <= MOST_HISTORY_MS else "MISSED"
    count = points.count('"at"')
    print(f"{days} days of one VM, {count} points, {len(points):,} bytes: {spread(told_ms[1:], unit='ms', digits=1)}")
    print(f"  at most {MOST_HISTORY_MS} ms: {verdict}")
    return 0 if verdict == "met" else 1


def spent(server: psutil.Process) -> float:
    """Seconds of processor time so far: ours, and PostgreSQL's that is still there."""
    total = time.process_time()
    for process in (server, *server.children(recursive=True)):
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


def sample(machine: UUID) -> UsageSample:
    return UsageSample(
        id=machine,
        span_ms=10_000,
        cpu_percent=12.34,
        memory_used_kib=123_456,
        memory_total_kib=512_000,
        net_in_bytes=12_345,
        net_out_bytes=54_321,
        disk_read_bytes=4096,
        disk_write_bytes=8192,
        source=Source.GUEST,
    )


def minute(machine: UUID, at: datetime) -> MachineMinute:
    return MachineMinute(
        id=machine,
        at=at,
        span_ms=60_000,
        guest_ms=60_000,
        cpu_ms=7_404,
        cpus=1,
        cpu_max_percent=45.6,
        memory_used_kib=123_456,
        memory_total_kib=512_000,
        net_in_bytes=74_070,
        net_out_bytes=325_926,
        disk_read_bytes=24_576,
        disk_write_bytes=49_152,
        storage_used_bytes=1 << 28,
        storage_total_bytes=1 << 32,
    )


if __name__ == "__main__":
    sys.exit(main())
