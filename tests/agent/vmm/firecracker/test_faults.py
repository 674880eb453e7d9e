"""Firecracker that fails, at every step and in every way: a clear sentence, a clean host, and a machine that starts
the next time."""

import asyncio
import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.agent.lab import eventually
from tests.agent.vmm.firecracker.lab import IMPATIENT, Place

from nexus.agent.vmm.firecracker import jails as jails_module
from nexus.agent.vmm.firecracker import record
from nexus.agent.vmm.firecracker.driver import FirecrackerVmm
from nexus.agent.vmm.port import Definition, VmmState, VmmTrouble
from nexus.agent.vmm.process import start_ticks
from nexus.kit.ids import new_id
from nexus.protocol.machines import ExitReason, Power

ASKED = re.compile(r'received a (\w+) request on "([^"]+)"')
STEPS = (
    "GET /",
    "PUT /metrics",
    "PUT /serial",
    "PUT /machine-config",
    "PUT /boot-source",
    "PUT /drives/rootfs",
    "PUT /drives/data",
    "PUT /vsock",
    "PUT /balloon",
    "PUT /entropy",
    "PUT /actions",
)
"""Everything that a launch says, in order (held to that by the last test here)."""


async def ended(vmm: FirecrackerVmm, definition: Definition) -> VmmState:
    """Once the driver has told that something changed."""
    told = asyncio.Event()
    vmm.listen(lambda _machine: told.set())
    async with asyncio.timeout(90):
        while (state := await vmm.observe(definition.id)).power is not Power.OFF:
            await told.wait()
            told.clear()
    return state


async def recovers(place: Place, vmm: FirecrackerVmm, definition: Definition) -> None:
    """Nothing is left of what failed, and the next launch succeeds."""
    assert place.leftovers() == set()
    place.play()
    await vmm.start(definition, launch=(await vmm.observe(definition.id)).launch + 1)
    assert (await vmm.observe(definition.id)).power is Power.ON


async def dies(place: Place, step: str) -> None:
    vmm, definition = place.driver(), place.definition()
    place.play(die_at=step)
    with pytest.raises(VmmTrouble, match="Firecracker did not start") as failed:
        await vmm.start(definition, launch=1)
    state = await vmm.observe(definition.id)
    if step != "GET /":
        assert state.exit is not None
        assert (state.launch, state.exit.reason, state.exit.why) == (1, ExitReason.VMM_FAILED, str(failed.value))
    await recovers(place, vmm, definition)
    await vmm.close()


@pytest.mark.parametrize("step", STEPS)
async def test_a_process_that_dies_at_any_step_is_a_launch_that_failed(unjailed_place: Place, step: str) -> None:
    await dies(unjailed_place, step)


@pytest.mark.parametrize("step", ["GET /", "PUT /drives/data", "PUT /actions"])
async def test_a_jailed_one_that_dies_leaves_nothing_of_its_jail_either(jailed_place: Place, step: str) -> None:
    await dies(jailed_place, step)


@pytest.mark.parametrize("step", ["GET /", "PUT /vsock", "PUT /actions"])
async def test_a_process_that_hangs_during_a_launch_is_ended(
    place: Place, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jails_module, "START_DEADLINE_S", 2.0)
    monkeypatch.setattr("nexus.agent.vmm.firecracker.driver.BOOT_PATIENCE_S", 1.0)
    monkeypatch.setattr("nexus.agent.vmm.firecracker.jails.ANSWER_PATIENCE_S", 1.0)
    vmm, definition = place.driver(), place.definition()
    place.play(hang_at=step)
    with pytest.raises(VmmTrouble, match=r"within|no answer"):
        await vmm.start(definition, launch=1)
    monkeypatch.undo()
    await recovers(place, vmm, definition)
    await vmm.close()


@pytest.mark.parametrize("step", ["PUT /machine-config", "PUT /drives/data", "PUT /actions"])
async def test_a_refusal_is_told_in_firecrackers_words(unjailed_place: Place, step: str) -> None:
    place = unjailed_place
    vmm, definition = place.driver(), place.definition()
    place.play(refuse_at=step)
    with pytest.raises(VmmTrouble, match=f"{step} was refused: told to refuse"):
        await vmm.start(definition, launch=1)
    await recovers(place, vmm, definition)
    await vmm.close()


async def test_a_program_that_fails_at_once_is_quoted(unjailed_place: Place) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    unjailed_place.play(fail="Kvm(VmSetup): this host has no KVM")
    with pytest.raises(VmmTrouble, match="this host has no KVM"):
        await vmm.start(definition, launch=1)
    await recovers(unjailed_place, vmm, definition)
    await vmm.close()


async def test_a_jailer_that_refuses_is_quoted(jailed_place: Place) -> None:
    vmm, definition = jailed_place.driver(), jailed_place.definition()
    jailed_place.play(jailer_fails="Failed to create cgroup")
    with pytest.raises(VmmTrouble, match="the jailer refused: Error: Failed to create cgroup"):
        await vmm.start(definition, launch=1)
    await recovers(jailed_place, vmm, definition)
    await vmm.discard(definition.id)
    await vmm.close()


async def test_a_guest_whose_vmm_answers_no_more_is_ended_by_the_watchdog(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, definition = place.driver(), place.definition()
    await first.start(definition, launch=1)
    await first.close()
    monkeypatch.setattr(jails_module, "ANSWER_PATIENCE_S", 5.0)
    place.patience = replace(IMPATIENT, misses=1)
    vmm = place.driver()
    pid = (await vmm.adopt(definition.id)).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    state = await ended(vmm, definition)
    assert state.exit is not None
    assert (state.exit.reason, state.exit.why) == (ExitReason.VMM_KILLED, "Its VMM answered no more, and was ended.")
    monkeypatch.undo()
    await recovers(place, vmm, definition)
    await vmm.close()


async def test_a_console_that_only_quotes_a_power_off_ends_nothing(unjailed_place: Place) -> None:
    """The guest's agent still answers."""
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)
    running = vmm._running[definition.id]  # pyright: ignore[reportPrivateUsage] - to know that it has looked
    for words in (b"[    9.000000] reboot: Power down\r\n", b"login: "):
        with vmm.console(definition.id).open("ab") as console:
            console.write(words)
        size = vmm.console(definition.id).stat().st_size
        await eventually(lambda size=size: running.console_judged == size)
    assert running.ending is None
    assert (await vmm.observe(definition.id)).power is Power.ON
    await vmm.close()


async def test_a_socket_that_vanished_leaves_a_machine_that_can_be_stopped(place: Place) -> None:
    vmm, definition = place.driver(), place.definition()
    await vmm.start(definition, launch=1)
    for socket in place.jails.rglob("*.sock"):
        socket.unlink()
    await vmm.close()
    second = place.driver()
    await second.open()
    with pytest.raises(VmmTrouble, match="does not answer"):
        await second.adopt(definition.id)
    assert (await second.observe(definition.id)).power is Power.ON
    await second.stop(definition.id)
    assert (await second.observe(definition.id)).power is Power.OFF
    await recovers(place, second, definition)
    await second.close()


async def test_a_symbolic_link_in_place_of_a_socket_is_not_followed(unjailed_place: Place) -> None:
    """A VMM that was broken into would have us speak to somebody else with root's rights."""
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)
    elsewhere = unjailed_place.root / "elsewhere.sock"
    called = asyncio.Event()
    async with await asyncio.start_unix_server(lambda _reader, _writer: called.set(), str(elsewhere)):
        for socket in unjailed_place.jails.rglob("*.sock"):
            socket.unlink()
            socket.symlink_to(elsewhere)
        await vmm.close()
        second = unjailed_place.driver()
        with pytest.raises(VmmTrouble, match="does not answer"):
            await second.adopt(definition.id)
        await second.discard(definition.id)
        await second.close()
    assert not called.is_set()


async def test_no_uid_left_is_said_and_one_given_back_serves_again(jailed_place: Place) -> None:
    jailed_place.uids = 1
    vmm, first, second = jailed_place.driver(), jailed_place.definition(), jailed_place.definition()
    await vmm.start(first, launch=1)
    with pytest.raises(VmmTrouble, match="all 1 uids for VMMs are taken"):
        await vmm.start(second, launch=1)
    await vmm.stop(first.id)
    await vmm.start(second, launch=1)
    for each in (first, second):
        await vmm.discard(each.id)
    await vmm.close()
    assert jailed_place.leftovers() == set()


async def test_a_group_for_limits_that_is_gone_is_said(jailed_place: Place) -> None:
    vmm, definition = jailed_place.driver(), jailed_place.definition()
    shutil.rmtree(jailed_place.cgroups / "nexus")
    with pytest.raises(VmmTrouble, match="nexus is gone"):
        await vmm.start(definition, launch=1)
    (jailed_place.cgroups / "nexus").mkdir()
    await recovers(jailed_place, vmm, definition)
    await vmm.discard(definition.id)
    await vmm.close()


async def test_every_machine_has_a_uid_limits_and_files_of_its_own(jailed_place: Place) -> None:
    vmm, one, other = jailed_place.driver(), jailed_place.definition(), jailed_place.definition()
    for each in (one, other):
        await vmm.start(each, launch=1)
    pids = [(await vmm.observe(each.id)).pid for each in (one, other)]
    uids = [Path(f"/proc/{pid}").stat().st_uid for pid in pids]
    assert len({*uids, 0}) == 3
    assert [(each.disks[1].path.stat().st_uid, each.initramfs.stat().st_uid) for each in (one, other)] == [
        (uid, uid) for uid in uids
    ]
    assert one.disks[0].path.stat().st_uid == 0  # shared, and nobody's to write
    groups = sorted((jailed_place.cgroups / "nexus").iterdir())
    groups = [group for group in groups if group.is_dir()]
    assert {(group / "memory.max").read_text() for group in groups} == {str((128 + 384) << 20)}
    assert {(group / "pids.max").read_text() for group in groups} == {"128"}
    limits = Path(f"/proc/{pids[0]}/limits").read_text()
    assert "17592186044416" in limits
    namespaces = {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for pid in pids for kind in ("net", "pid")}
    assert len(namespaces) == 4
    await vmm.stop(one.id)
    assert one.disks[1].path.stat().st_uid == 0, "a uid may be another machine's next"
    for each in (one, other):
        await vmm.discard(each.id)
    await vmm.close()


async def test_what_a_killed_agent_left_behind_is_removed_by_the_next(place: Place) -> None:
    """Spares, and a jail whose record was never written."""
    place.spares = 2
    vmm, definition = place.driver(), place.definition()
    await vmm.open()
    await eventually(lambda: vmm.spares == 2)
    await vmm.start(definition, launch=1)
    await eventually(lambda: vmm.spares == 2)
    assert len(jails_of(place)) == 3
    for running in vmm._running.values():  # pyright: ignore[reportPrivateUsage] - as a killed agent does: nothing
        await running.let_go()
    (place.jails / f"{new_id()}.console").touch()
    place.spares = 0
    second = place.driver()
    await second.open()
    assert len(jails_of(place)) == 1
    assert (await second.adopt(definition.id)).power is Power.ON
    await second.discard(definition.id)
    await second.close()
    assert place.leftovers() == set()
    await vmm.close()


def jails_of(place: Place) -> list[Path]:
    return list((place.jails / "firecracker").iterdir())


async def test_a_launch_that_was_broken_off_has_never_been(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.agent.vmm.firecracker.driver.BOOT_PATIENCE_S", 60.0)
    vmm, definition = place.driver(), place.definition()
    place.play(hang_at="PUT /actions")
    starting = asyncio.create_task(vmm.start(definition, launch=1))
    await eventually(lambda: any(place.jails.rglob("v.sock")))
    starting.cancel()
    await asyncio.wait({starting})
    assert starting.cancelled()
    assert (await vmm.observe(definition.id)).launch == 0
    assert place.leftovers() == set()
    place.play()
    await vmm.start(definition, launch=1)
    assert (await vmm.observe(definition.id)).power is Power.ON
    await vmm.close()


async def test_a_launch_during_which_the_agent_was_killed_has_never_been(place: Place) -> None:
    vmm, definition = place.driver(), place.definition()
    await vmm.start(definition, launch=1)
    path = place.root / "machines" / str(definition.id) / "vmm.json"
    known = record.load(path)
    assert known is not None
    await vmm.close()
    place.play()
    vmm = place.driver()
    waiting = await vmm._jails.make(ports=0)  # pyright: ignore[reportPrivateUsage]
    half = known.model_copy(
        update={
            "launch": 2,
            "jail": waiting.id,
            "uid": waiting.uid,
            "pid": waiting.process.pid,
            "start_ticks": waiting.process.start_ticks,
            "is_booted": False,
        }
    )
    record.save(path, half)
    await waiting.let_go()
    state = await place.driver().adopt(definition.id)
    assert (state.power, state.launch) == (Power.OFF, 0)
    assert not waiting.process.is_alive()
    record.save(path, known)
    await vmm.discard(definition.id)
    await vmm.close()


async def test_a_full_disk_holds_up_neither_stop_nor_discard(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)

    def full(path: Path, _known: record.VmmRecord) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(record, "save", full)
    await asyncio.wait_for(vmm.stop(definition.id), 60)
    state = await vmm.observe(definition.id)
    assert state.exit is not None
    assert (state.power, state.launch, state.exit.reason) == (Power.OFF, 1, ExitReason.ASKED)
    await vmm.discard(definition.id)
    assert (await vmm.observe(definition.id)).launch == 0
    await vmm.close()


async def test_a_pipe_in_place_of_its_metrics_holds_nothing_up(unjailed_place: Place) -> None:
    """Nor does anything else that a VMM puts into its directory: what is no plain file is not read."""
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)
    assert await vmm.counters(definition.id) is not None
    for name in ("metrics", "vmm.log"):
        path = next(unjailed_place.jails.rglob(name))
        path.unlink()
        os.mkfifo(path)
    assert await asyncio.wait_for(vmm.counters(definition.id), 30) is None
    await asyncio.wait_for(vmm.stop(definition.id), 60)
    assert (await vmm.observe(definition.id)).power is Power.OFF
    await vmm.close()


async def test_counters_add_up_and_outlive_the_agent(unjailed_place: Place) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)
    for expected in (4096, 8192):
        counted = await vmm.counters(definition.id)
        assert counted is not None
        assert counted.disk_read_bytes == expected
    await vmm.close()
    second = unjailed_place.driver()
    await second.adopt(definition.id)
    counted = await second.counters(definition.id)
    assert counted is not None
    assert (counted.disk_read_bytes, counted.disk_written_bytes) == (3 * 4096, 3 * 512)
    await second.close()


async def test_the_console_goes_on_where_the_launch_before_ended(unjailed_place: Place) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    said: list[bytes] = []
    for launch in (1, 2):
        await vmm.start(definition, launch=launch)
        await vmm.stop(definition.id)
        said.append(vmm.console(definition.id).read_bytes())
    assert said[0]
    assert said[1] == said[0] * 2
    await vmm.close()


async def test_a_machine_that_another_driver_runs_is_not_touched(unjailed_place: Place) -> None:
    definition = unjailed_place.definition()
    path = unjailed_place.root / "machines" / str(definition.id) / "vmm.json"
    vmm = unjailed_place.driver()
    ours = record.VmmRecord(
        launch=3, host_boot_id=vmm.host_boot_id, pid=os.getpid(), start_ticks=start_ticks(os.getpid())
    )
    record.save(path, ours)
    with pytest.raises(VmmTrouble, match="another driver"):
        await vmm.adopt(definition.id)
    path.unlink()
    await vmm.close()


async def test_the_steps_tried_here_are_the_ones_that_a_launch_takes(unjailed_place: Place) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)
    log = next(unjailed_place.jails.rglob("vmm.log")).read_text()
    steps = [f"{verb.upper()} {path}" for verb, path in ASKED.findall(log)]
    assert list(dict.fromkeys(steps)) == list(STEPS)
    await vmm.close()
