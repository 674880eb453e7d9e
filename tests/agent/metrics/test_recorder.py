"""Machines of a running agent, sampled and told: whom, what, and what becomes of it when nobody listens."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.agent.lab import AgentClient, ImageSet, is_off, machine_spec

from nexus.agent import wiring
from nexus.agent.metrics.host import HostMeter
from nexus.agent.metrics.reader import MetricsReader
from nexus.agent.metrics.recorder import Recorder
from nexus.agent.net.port import NetTrouble
from nexus.agent.net.user import UserNetwork
from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.fake import FakeVmm
from nexus.agent.vmm.port import VmmCounters
from nexus.kit.clock import SystemClock
from nexus.protocol.guest import GuestInterface, GuestMetrics
from nexus.protocol.machines import Power
from nexus.protocol.metrics import SampleAnswer, SampleReport, Source
from nexus.protocol.trouble import Retryable

PATIENCE_S = 60


class CountedVmm(FakeVmm):
    """A second hand on the simulated hypervisor, which counts how often it is asked."""

    asked = 0

    async def counters(self, machine: UUID) -> VmmCounters | None:
        self.asked += 1
        return await super().counters(machine)


class Later:
    """A clock that can be moved on."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


class Manager:
    """What it is told; `answers` are given one by one, the last one ever after."""

    def __init__(self, *answers: SampleAnswer | Retryable) -> None:
        self._answers = list(answers)
        self.told: list[SampleReport] = []
        self.heard = asyncio.Event()

    async def __call__(self, report: SampleReport) -> SampleAnswer:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Retryable):
            raise answer
        self.told.append(report)
        self.heard.set()
        return answer


NOW_AND_THEN = SampleAnswer(interval_s=0.05)

BOASTFUL = GuestMetrics.model_construct(
    uptime_s=1.0,
    cpu_percent=0.0,
    cpu_seconds=0.0,
    memory_total_kib=2**70,
    memory_available_kib=0,
    load_1=0.0,
    load_5=0.0,
    load_15=0.0,
    processes=1,
    interfaces=(GuestInterface.model_construct(name="eth0", mac="", received_bytes=2**70, sent_bytes=0),),
    root_total_bytes=2**70,
    root_free_bytes=0,
)
"""Said by somebody who has put themselves in the place of the guest's agent."""


class Lab:
    def __init__(self, settings: AgentSettings, agent: wiring.Agent, *answers: SampleAnswer | Retryable) -> None:
        self.clock = Later()
        self.vmm = CountedVmm(machines=settings.run_dir / "machines", clock=SystemClock())
        self.reader = MetricsReader(self.vmm, UserNetwork(restrict=True, why="For a test."), clock=self.clock)
        self.manager = Manager(*(answers or (NOW_AND_THEN,)))
        host = HostMeter(settings.run_dir, clock=self.clock)
        self.recorder = Recorder(agent.machines.all, self.reader, host, self.manager, clock=self.clock)

    async def until(self, condition: Callable[[list[SampleReport]], bool]) -> None:
        """Record until what was told fulfils the condition."""
        recording = asyncio.create_task(self.recorder.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition(self.manager.told):
                    self.manager.heard.clear()
                    await self.manager.heard.wait()
        finally:
            recording.cancel()
            with suppress(asyncio.CancelledError):
                await recording


async def test_what_runs_is_sampled_and_what_is_off_is_not(
    running: tuple[AgentClient, wiring.Agent], settings: AgentSettings, fake_images: ImageSet
) -> None:
    client, agent = running
    on, off = machine_spec(fake_images, number=1), machine_spec(fake_images, number=2)
    await client.boot(on)
    await client.boot(off)
    await client.power(off.id, Power.OFF, boot=1)
    await client.until(off.id, is_off)
    lab = Lab(settings, agent)
    await lab.until(lambda told: any(report.machines for report in told))
    assert {sample.id for report in lab.manager.told for sample in report.machines} == {on.id}


async def test_readers_that_come_together_share_a_reading(
    running: tuple[AgentClient, wiring.Agent], settings: AgentSettings, fake_images: ImageSet
) -> None:
    client, agent = running
    spec = machine_spec(fake_images)
    await client.boot(spec)
    lab = Lab(settings, agent)
    machine = agent.machines.get(spec.id)
    samples = await asyncio.gather(*(lab.reader.live(machine) for _ in range(20)))
    assert lab.vmm.asked == 1
    assert len({sample.at for sample in samples}) == 1
    assert samples[0].guest is not None


async def test_minutes_wait_for_a_manager_that_is_away(
    running: tuple[AgentClient, wiring.Agent], settings: AgentSettings, fake_images: ImageSet
) -> None:
    client, agent = running
    spec = machine_spec(fake_images)
    await client.boot(spec)
    lab = Lab(settings, agent, NOW_AND_THEN, Retryable("away"), Retryable("away"), NOW_AND_THEN)
    began = datetime.now(UTC)
    await lab.recorder.collect(within_s=0)
    lab.clock.by = timedelta(minutes=5)
    await lab.until(lambda told: any(report.minutes for report in told))
    delivered = [minute for report in lab.manager.told for minute in report.minutes]
    assert {minute.id for minute in delivered} == {spec.id}
    assert len({(minute.id, minute.at) for minute in delivered}) == len(delivered), "each arrived once"
    assert abs(delivered[0].at - began) < timedelta(minutes=2)


async def test_a_manager_that_wants_nothing_has_nobody_asked(
    running: tuple[AgentClient, wiring.Agent], settings: AgentSettings, fake_images: ImageSet
) -> None:
    client, agent = running
    await client.boot(machine_spec(fake_images))
    lab = Lab(settings, agent, SampleAnswer(interval_s=0.01, is_wanted=False))
    await lab.until(lambda told: len(told) >= 5)
    assert (lab.vmm.asked, [report for report in lab.manager.told if report.machines]) == (0, [])


async def test_a_machine_that_ends_while_it_is_asked_harms_nothing(
    running: tuple[AgentClient, wiring.Agent], settings: AgentSettings, fake_images: ImageSet
) -> None:
    client, agent = running
    specs = [machine_spec(fake_images, number=number) for number in (1, 2)]
    for spec in specs:
        await client.boot(spec)
    lab = Lab(settings, agent)

    async def ended(machine: UUID) -> VmmCounters | None:
        return None if machine == specs[0].id else await CountedVmm.counters(lab.vmm, machine)

    lab.vmm.counters = ended  # pyright: ignore[reportAttributeAccessIssue]
    assert {sample.id for sample in await lab.recorder.collect(within_s=0)} == {specs[1].id}


async def test_a_guest_that_says_what_no_machine_has_is_measured_by_its_host(
    running: tuple[AgentClient, wiring.Agent],
    settings: AgentSettings,
    fake_images: ImageSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, agent = running
    spec = machine_spec(fake_images)
    await client.boot(spec)
    lab = Lab(settings, agent)
    monkeypatch.setattr("nexus.agent.vmm.fake_guest._metrics", lambda: BOASTFUL)
    (sample,) = await lab.recorder.collect(within_s=0)
    assert (sample.source, sample.memory_total_kib, sample.net_in_bytes) == (Source.HOST, spec.memory_mib * 1024, None)


async def test_a_bug_with_one_machine_takes_nobody_elses_samples_away(
    running: tuple[AgentClient, wiring.Agent], settings: AgentSettings, fake_images: ImageSet
) -> None:
    client, agent = running
    specs = [machine_spec(fake_images, number=number) for number in (1, 2)]
    for spec in specs:
        await client.boot(spec)
    lab = Lab(settings, agent)

    async def broken(machine: UUID) -> VmmCounters | None:
        if machine == specs[0].id:
            raise KeyError("a bug")
        return await CountedVmm.counters(lab.vmm, machine)

    lab.vmm.counters = broken  # pyright: ignore[reportAttributeAccessIssue]
    await lab.until(lambda told: sum(len(report.machines) for report in told) >= 2)
    assert {sample.id for report in lab.manager.told for sample in report.machines} == {specs[1].id}


async def test_an_interface_that_cannot_be_read_costs_its_figures_and_no_more(
    running: tuple[AgentClient, wiring.Agent],
    settings: AgentSettings,
    fake_images: ImageSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, agent = running
    spec = machine_spec(fake_images)
    await client.boot(spec)

    async def refuse(_network: UserNetwork, _nic: UUID) -> None:
        raise NetTrouble("network device nx0 cannot be read")

    monkeypatch.setattr(UserNetwork, "counters", refuse)
    lab = Lab(settings, agent)
    (sample,) = await lab.recorder.collect(within_s=0)
    assert (sample.id, sample.net_in_bytes) == (spec.id, 0), "the guest's own count"
