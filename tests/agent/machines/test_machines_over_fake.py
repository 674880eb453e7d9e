"""Machines moved by the agent over the hypervisor that runs nothing: wishes, boots, refusals, restarts."""

import asyncio
import errno
from typing import Any, cast

import pytest
from tests.agent.lab import (
    AgentClient,
    ImageSet,
    agent_here,
    eventually,
    is_off,
    is_ready,
    machine_spec,
)

from nexus.agent import wiring
from nexus.agent.machines import machine
from nexus.agent.machines import state as states
from nexus.agent.settings import AgentSettings
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.clock import SystemClock
from nexus.protocol.machines import ExitReason, GuestPhase, MachineSeen, Power, PowerWish


def vmm_of(settings: AgentSettings) -> FakeVmm:
    """A second hand on the same simulated hypervisor."""
    return FakeVmm(machines=settings.run_dir / "machines", clock=SystemClock())


async def test_an_older_generation_is_refused(agent: AgentClient, fake_images: ImageSet) -> None:
    spec = machine_spec(fake_images, generation=3)
    await agent.define(spec)
    refused = await agent.define(spec.model_copy(update={"generation": 2}))
    assert (refused.status_code, refused.json()["code"]) == (409, "stale_generation")
    refused = await agent.power(spec.id, Power.ON, boot=1, generation=2)
    assert (refused.status_code, refused.json()["code"]) == (409, "stale_generation")
    assert (await agent.seen(spec.id)).boot == 0


async def test_the_same_wish_again_starts_nothing_again(agent: AgentClient, fake_images: ImageSet) -> None:
    spec = machine_spec(fake_images)
    seen = await agent.boot(spec)
    for _ in range(3):
        await agent.define(spec)
        await agent.power(spec.id, Power.ON, boot=1)
    again = await agent.until(spec.id, is_ready)
    assert (again.boot, again.started_at) == (1, seen.started_at)


async def test_one_order_defines_boots_and_is_answered_when_the_guest_is_ready(
    running: tuple[AgentClient, wiring.Agent], fake_images: ImageSet
) -> None:
    agent, made = running
    reported = _reports_of(made)
    spec = machine_spec(fake_images)
    seen = await agent.order(spec, Power.ON, boot=1)
    assert (seen.power, seen.boot, seen.guest, seen.stage) == (Power.ON, 1, GuestPhase.READY, None)
    assert reported == [], "what is answered was told besides"
    assert made.machines.list() == (seen,), "something was seen after it that nobody is told"
    assert await agent.order(spec, Power.ON, boot=1) == seen
    off = await agent.order(spec.model_copy(update={"generation": 2}), Power.OFF, boot=1)
    assert (off.power, off.generation) == (Power.OFF, 2)


async def test_what_comes_after_the_answer_to_an_order_is_reported(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    async with agent_here(settings.model_copy(update={"fake_boot_s": 3600})) as (agent, made):
        reported = _reports_of(made)
        spec = machine_spec(fake_images)
        seen = await agent.order(spec, Power.ON, boot=1, patience_ms=1)
        assert (seen.generation, seen.guest is GuestPhase.READY) == (1, False)
        await eventually(lambda: made.machines.seen(spec.id).power is Power.ON)
        assert reported
        assert reported[-1] == made.machines.seen(spec.id)


async def test_what_is_seen_while_somebody_waits_is_reported_when_they_go_without_an_answer(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    async with agent_here(settings.model_copy(update={"fake_boot_s": 3600})) as (_, made):
        reported = _reports_of(made)
        spec = machine_spec(fake_images)
        wish = PowerWish(generation=1, power=Power.ON, boot=1)
        asking = asyncio.create_task(made.machines.define(spec, wish, patience_s=3600))
        await eventually(lambda: made.machines.seen(spec.id).power is Power.ON)
        assert reported == []
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert reported == [made.machines.seen(spec.id)]


def _reports_of(made: wiring.Agent) -> list[MachineSeen]:
    """What its machines report from now on."""
    reported: list[MachineSeen] = []
    cast(Any, made.machines)._reported = reported.append
    return reported


async def test_a_boot_that_ended_by_itself_stays_off_until_the_next_is_wished(
    agent: AgentClient, fake_images: ImageSet
) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    await agent.http.post(f"/v1/machines/{spec.id}/guest/power", content='{"action": "poweroff"}')
    off = await agent.until(spec.id, lambda seen: seen.exit is not None and is_off(seen))
    assert off.exit is not None
    assert (off.exit.reason, off.exit.boot) == (ExitReason.GUEST_SHUTDOWN, 1)
    await agent.power(spec.id, Power.ON, boot=1)
    assert is_off(await agent.seen(spec.id))
    await agent.power(spec.id, Power.ON, boot=2)
    assert (await agent.until(spec.id, is_ready)).boot == 2


async def test_a_further_boot_of_a_running_machine_shuts_it_down_first(
    agent: AgentClient, fake_images: ImageSet
) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    await agent.power(spec.id, Power.ON, boot=2)
    seen = await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
    assert seen.exit is not None
    assert (seen.exit.boot, seen.exit.reason) == (1, ExitReason.ASKED)


async def test_off_is_asked_for_and_reported_as_asked(agent: AgentClient, fake_images: ImageSet) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    await agent.power(spec.id, Power.OFF, boot=1)
    off = await agent.until(spec.id, lambda seen: seen.exit is not None and is_off(seen))
    assert off.exit is not None
    assert off.exit.reason is ExitReason.ASKED
    assert off.guest is GuestPhase.ABSENT


async def test_pause_and_resume(agent: AgentClient, fake_images: ImageSet) -> None:
    spec = machine_spec(fake_images)
    await agent.boot(spec)
    await agent.power(spec.id, Power.PAUSED, boot=1)
    await agent.until(spec.id, lambda seen: seen.power is Power.PAUSED)
    await agent.power(spec.id, Power.ON, boot=1)
    assert (await agent.until(spec.id, lambda seen: seen.power is Power.ON)).boot == 1


async def test_a_machine_is_deleted_from_any_state_and_leaves_no_file(
    agent: AgentClient, fake_images: ImageSet, settings: AgentSettings
) -> None:
    defined, started = machine_spec(fake_images), machine_spec(fake_images, number=2)
    await agent.define(defined)
    await agent.boot(started)
    for spec in (defined, started, machine_spec(fake_images, number=3)):
        assert (await agent.discard(spec.id)).power is Power.ABSENT
        assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert list((settings.run_dir / "machines").iterdir()) == []
    assert list((settings.runtime_dir / "m").iterdir()) == []


async def test_a_machine_being_deleted_takes_no_orders(
    running: tuple[AgentClient, wiring.Agent], fake_images: ImageSet
) -> None:
    agent, inside = running
    spec = machine_spec(fake_images)
    await agent.define(spec)
    machine = inside.machines.get(spec.id)
    await machine.close()
    await machine.change(lambda state: state.model_copy(update={"discarding": True}))
    refused = await agent.power(spec.id, Power.ON, boot=1)
    assert refused.status_code == 409


async def test_a_restarted_agent_goes_on_from_what_was_recorded(settings: AgentSettings, fake_images: ImageSet) -> None:
    up, ended, begun = (machine_spec(fake_images, number=number) for number in (1, 2, 3))
    async with agent_here(settings) as (agent, _):
        await agent.boot(up)
        await agent.boot(ended)
        await agent.define(begun)
        before = await agent.seen(up.id)
    vmm_of(settings).end(ended.id, ExitReason.VMM_KILLED, "Its VMM process is gone.")
    home = settings.run_dir / "machines" / str(begun.id)
    state = states.load(home)
    wish = states.load(settings.run_dir / "machines" / str(up.id)).wish
    states.save(home, state.model_copy(update={"wish": wish, "boot": 1, "launch": 1, "attempt": 1}))
    async with agent_here(settings) as (agent, _):
        after = await agent.until(up.id, is_ready)
        assert (after.boot, after.started_at) == (1, before.started_at)
        assert after.seq > before.seq
        off = await agent.until(ended.id, lambda seen: seen.exit is not None)
        assert off.exit is not None
        assert off.exit.reason is ExitReason.VMM_KILLED
        assert (await agent.until(begun.id, is_ready)).boot == 1


async def test_after_a_restart_of_the_host_boots_are_over(settings: AgentSettings, fake_images: ImageSet) -> None:
    spec = machine_spec(fake_images)
    async with agent_here(settings) as (agent, _):
        await agent.boot(spec)
    home = settings.run_dir / "machines" / str(spec.id)
    (home / "vmm.json").unlink()
    states.save(home, states.load(home).model_copy(update={"host_boot_id": "another"}))
    async with agent_here(settings) as (agent, _):
        off = await agent.until(spec.id, lambda seen: seen.exit is not None)
        assert off.exit is not None
        assert off.exit.reason is ExitReason.HOST_REBOOTED


async def test_a_guest_that_never_answers_is_given_up_after_three_attempts(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    impatient = settings.model_copy(update={"boot_deadline_s": 0.05, "fake_boot_s": 3600})
    spec = machine_spec(fake_images)
    async with agent_here(impatient) as (agent, inside):
        await agent.define(spec)
        await agent.power(spec.id, Power.ON, boot=1)
        off = await agent.until(spec.id, lambda seen: seen.exit is not None)
        assert off.exit is not None
        assert (off.exit.reason, off.boot) == (ExitReason.BOOT_TIMEOUT, 1)
        assert inside.machines.get(spec.id).state.attempt == 3


async def test_what_lacks_is_a_fault_until_it_is_there(settings: AgentSettings, fake_images: ImageSet) -> None:
    kernel = fake_images.directory / fake_images.kernel
    data = kernel.read_bytes()
    kernel.unlink()
    spec = machine_spec(fake_images)
    async with agent_here(settings) as (agent, _):
        await agent.define(spec)
        await agent.power(spec.id, Power.ON, boot=1)
        seen = await agent.until(spec.id, lambda seen: seen.fault is not None)
        assert "no manager to fetch it from" in (seen.fault or "")
        kernel.write_bytes(data)
        ready = await agent.until(spec.id, lambda seen: seen.guest is GuestPhase.READY)
        assert ready.boot == 1


async def test_what_failed_is_tried_at_once_when_it_is_told_to(
    settings: AgentSettings, fake_images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pauses grow to half a minute; a manager that is back after that long would take the fault for a lasting one."""
    monkeypatch.setattr(machine, "FIRST_PAUSE_S", 3600.0)
    kernel = fake_images.directory / fake_images.kernel
    data = kernel.read_bytes()
    kernel.unlink()
    spec = machine_spec(fake_images)
    async with agent_here(settings) as (agent, inside):
        await agent.define(spec)
        await agent.power(spec.id, Power.ON, boot=1)
        await agent.until(spec.id, lambda seen: seen.fault is not None)
        kernel.write_bytes(data)
        inside.machines.retry()
        await agent.until(spec.id, lambda seen: seen.guest is GuestPhase.READY)


async def test_a_machine_with_a_fault_can_be_deleted(settings: AgentSettings, fake_images: ImageSet) -> None:
    (fake_images.directory / fake_images.kernel).unlink()
    spec = machine_spec(fake_images)
    async with agent_here(settings) as (agent, _):
        await agent.define(spec)
        await agent.power(spec.id, Power.ON, boot=1)
        await agent.until(spec.id, lambda seen: seen.fault is not None)
        assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert list((settings.run_dir / "machines").iterdir()) == []


async def test_a_machine_is_deleted_although_nothing_can_be_written(
    settings: AgentSettings, fake_images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = machine_spec(fake_images)

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with agent_here(settings) as (agent, _):
        await agent.boot(spec)
        monkeypatch.setattr(states, "save", full)
        refused = await agent.power(spec.id, Power.OFF, boot=1)
        assert (refused.status_code, refused.json()["error"].split(": ")[1]) == (503, "No space left on device")
        assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert list((settings.run_dir / "machines").iterdir()) == []


async def test_a_machine_whose_readiness_cannot_be_written_can_be_deleted(
    settings: AgentSettings, fake_images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = machine_spec(fake_images)

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with agent_here(settings.model_copy(update={"fake_boot_s": 0.5})) as (agent, _):
        await agent.define(spec)
        await agent.power(spec.id, Power.ON, boot=1)
        await agent.until(spec.id, lambda seen: seen.power is Power.ON)
        monkeypatch.setattr(states, "save", full)
        monkeypatch.setattr(states, "note_ready", full)
        await agent.until(spec.id, lambda seen: seen.fault is not None)
        assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert list((settings.run_dir / "machines").iterdir()) == []


async def test_only_so_many_boot_at_once(settings: AgentSettings, fake_images: ImageSet) -> None:
    one_by_one = settings.model_copy(update={"max_boots": 1, "fake_boot_s": 3600})
    first, second = machine_spec(fake_images), machine_spec(fake_images, number=2)
    async with agent_here(one_by_one) as (agent, _):
        await agent.define(first)
        await agent.power(first.id, Power.ON, boot=1)
        await agent.until(first.id, lambda seen: seen.stage == "booting")
        await agent.define(second)
        await agent.power(second.id, Power.ON, boot=1)
        waiting = await agent.until(second.id, lambda seen: seen.stage == "waiting for a free boot slot")
        assert waiting.power is Power.OFF
        await agent.discard(first.id)
        await agent.until(second.id, lambda seen: seen.stage == "booting")


async def test_twenty_machines_at_once_become_ready(settings: AgentSettings, fake_images: ImageSet) -> None:
    specs = [machine_spec(fake_images, number=number) for number in range(1, 21)]
    async with agent_here(settings) as (agent, _):
        seen = await asyncio.gather(*(agent.boot(spec) for spec in specs))
        assert len({each.seq for each in seen}) == len(specs)


async def test_a_running_boot_keeps_its_definition_and_tells_what_it_lacks_of_the_accepted_one(
    settings: AgentSettings, fake_images: ImageSet
) -> None:
    spec = machine_spec(fake_images)
    bigger = spec.model_copy(update={"generation": 2, "vcpus": 2, "memory_mib": 300})
    async with agent_here(settings) as (agent, _):
        assert (await agent.boot(spec)).pending == ()
        seen = MachineSeen.model_validate_json((await agent.define(bigger)).content)
        assert (seen.generation, set(seen.pending), seen.is_applying) == (2, {"vcpus", "memory_mib"}, False)
        assert (seen.vcpus, seen.memory_mib) == (1, 256)
    async with agent_here(settings) as (agent, _):
        again = await agent.until(spec.id, is_ready)
        assert set(again.pending) == {"vcpus", "memory_mib"}, "another agent knows it too"
        await agent.power(spec.id, Power.OFF, boot=1, generation=2, grace_s=0)
        off = await agent.until(spec.id, is_off)
        assert (off.pending, off.vcpus, off.memory_mib) == ((), None, None)
        await agent.power(spec.id, Power.ON, boot=2, generation=2)
        booted = await agent.until(spec.id, lambda seen: seen.boot == 2 and is_ready(seen))
        assert (booted.pending, booted.vcpus, booted.memory_mib) == ((), 2, 300)
