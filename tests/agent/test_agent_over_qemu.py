"""The whole agent with real guests: what it must keep when it, its guests or their VMMs are killed."""

import asyncio
import json
import os
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from tests.agent.lab import AgentClient, AgentProcess, ImageSet, built, eventually, is_off, is_ready, machine_spec
from websockets.asyncio.client import unix_connect

from nexus.local import images
from nexus.protocol.guest import FRAME_TYPES, Frame
from nexus.protocol.machines import ExitReason, GuestPhase, MachineSeen, Power
from nexus.protocol.metrics import MachineMetrics

pytestmark = pytest.mark.vm


@pytest.fixture
def using(built_images: images.Store) -> ImageSet:
    return built(built_images)


@pytest.fixture
async def process(short_tmp: Path, using: ImageSet) -> AsyncIterator[AgentProcess]:
    """Killed at the end, once nothing of its machines is left."""
    made = AgentProcess(short_tmp, AGENT_IMAGE_SEED=str(using.directory))
    yield made
    if made.has_ended():
        await made.start()
    for seen in (await made.client.http.get("/v1/machines")).json()["items"]:
        assert (await made.client.discard(UUID(seen["id"]))).power is Power.ABSENT
    made.kill()


@pytest.fixture
async def agent(process: AgentProcess) -> AgentClient:
    return await process.start()


async def run_in_guest(process: AgentProcess, agent: AgentClient, machine: UUID, *argv: str) -> tuple[int, str]:
    """Exit code and output of a command, through the agent's WebSocket."""
    session = await agent.run(machine, *argv)
    path = f"ws://agent/v1/machines/{machine}/guest/sessions/{session}/stream?offset=0"
    output = b""
    async with unix_connect(str(process.socket), path) as stream:
        async for message in stream:
            assert isinstance(message, bytes)
            if message[0] == FRAME_TYPES[Frame.EXIT]:
                return json.loads(message[1:])["code"], output.decode()
            output += message[1:]
    raise AssertionError(f"the stream ended without an exit frame, after {output!r}")


def vmm_pid(process: AgentProcess, machine: UUID) -> int:
    record = process.root / "agent/machines" / str(machine) / "vmm.json"
    return json.loads(record.read_bytes())["pid"]


async def test_a_guest_boots_answers_and_is_deleted_without_a_trace(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.boot(spec)
    assert await run_in_guest(process, agent, spec.id, "hostname") == (0, "guest-1\n")
    assert await run_in_guest(process, agent, spec.id, "sh", "-c", "exit 7") == (7, "")
    metrics = MachineMetrics.model_validate_json((await agent.http.get(f"/v1/machines/{spec.id}/metrics")).content)
    assert metrics.host.cpu_seconds > 0
    assert metrics.host.disk_read_bytes > 0
    assert metrics.guest is not None
    assert metrics.guest.memory_total_kib < 256 * 1024
    console = await agent.http.get(f"/v1/machines/{spec.id}/console?offset=0")
    assert int(console.headers["Nexus-Size"]) == len(console.content) > 0
    pid = vmm_pid(process, spec.id)
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)) == ("1", "2", 0)
    if os.geteuid() == 0:
        assert int(status["Uid"].split()[0]) >= 64_000_000
    assert (await agent.discard(spec.id)).power is Power.ABSENT
    assert not Path(f"/proc/{pid}").exists()
    assert list((process.root / "agent/machines").iterdir()) == []
    assert list((process.root / "rt/m").iterdir()) == []


async def test_killing_the_agent_harms_no_guest_and_its_successor_adopts_it(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    before = await agent.boot(spec)
    pid = vmm_pid(process, spec.id)
    session = await agent.run(spec.id, "sh", "-c", "echo begun; sleep 600")
    process.kill()
    assert Path(f"/proc/{pid}").exists()
    agent = await process.start()
    after = await agent.until(spec.id, is_ready)
    assert (after.boot, after.started_at, vmm_pid(process, spec.id)) == (1, before.started_at, pid)
    assert after.seq > before.seq
    assert (await run_in_guest(process, agent, spec.id, "true"))[0] == 0
    sessions = (await agent.http.get(f"/v1/machines/{spec.id}/guest/sessions")).json()["items"]
    assert session in {each["id"] for each in sessions}


async def test_a_killed_vmm_is_reported_within_two_seconds_and_the_next_boot_works(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.boot(spec)
    os.kill(vmm_pid(process, spec.id), signal.SIGKILL)
    off = await agent.until(spec.id, is_off, within_s=2)
    assert off.exit is not None
    assert (off.exit.reason, off.exit.boot, off.guest) == (ExitReason.VMM_KILLED, 1, GuestPhase.ABSENT)
    await agent.power(spec.id, Power.ON, boot=2)
    assert (await agent.until(spec.id, is_ready)).boot == 2


async def test_what_happened_while_the_agent_was_dead_is_reported_afterwards(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    powered_off, killed = machine_spec(using), machine_spec(using, number=2)
    await asyncio.gather(agent.boot(powered_off), agent.boot(killed))
    console = process.root / "agent/machines" / str(powered_off.id) / "console.log"
    await agent.run(powered_off.id, "sh", "-c", "sleep 1; poweroff -f")
    process.kill()
    os.kill(vmm_pid(process, killed.id), signal.SIGKILL)
    await eventually(lambda: b"reboot: Power down" in console.read_bytes())
    agent = await process.start()
    for spec, reason in ((powered_off, ExitReason.GUEST_SHUTDOWN), (killed, ExitReason.VMM_KILLED)):
        off = await agent.until(spec.id, lambda seen: seen.exit is not None and is_off(seen))
        assert off.exit is not None
        assert off.exit.reason is reason


async def test_an_agent_killed_while_a_guest_boots_leaves_it_to_its_successor(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.define(spec)
    await agent.power(spec.id, Power.ON, boot=1)
    await agent.until(spec.id, lambda seen: seen.power is Power.ON)
    pid = vmm_pid(process, spec.id)
    process.kill()
    agent = await process.start()
    assert (await agent.until(spec.id, is_ready)).boot == 1
    assert vmm_pid(process, spec.id) == pid


async def test_shutdown_is_orderly_and_power_is_cut_when_grace_ends(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.boot(spec)
    await run_in_guest(process, agent, spec.id, "sh", "-c", "echo kept > /root/kept")
    await agent.power(spec.id, Power.OFF, boot=1, grace_s=20)
    off = await agent.until(spec.id, is_off)
    assert off.exit is not None
    assert off.exit.why == "The guest shut down as asked."
    await agent.power(spec.id, Power.ON, boot=2)
    await agent.until(spec.id, is_ready)
    assert await run_in_guest(process, agent, spec.id, "cat", "/root/kept") == (0, "kept\n")
    await agent.power(spec.id, Power.OFF, boot=2, grace_s=0)
    off = await agent.until(spec.id, is_off, within_s=60)
    assert off.exit is not None
    assert off.exit.why == "Its power was cut."


async def test_a_paused_guest_has_the_right_time_again_once_it_runs(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.boot(spec)
    await agent.power(spec.id, Power.PAUSED, boot=1)
    await agent.until(spec.id, lambda seen: seen.power is Power.PAUSED)
    await agent.power(spec.id, Power.ON, boot=1)
    await agent.until(spec.id, lambda seen: seen.power is Power.ON and is_ready(seen))
    code, said = await run_in_guest(process, agent, spec.id, "date", "+%s")
    assert code == 0
    now = int(subprocess.run(["date", "+%s"], capture_output=True, check=True).stdout)
    assert abs(int(said) - now) <= 2


async def test_ctrl_alt_del_reaches_the_guest_and_a_panic_is_told_from_a_restart(
    agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using)
    await agent.boot(spec)
    assert (await agent.http.post(f"/v1/machines/{spec.id}/ctrl-alt-del")).json() == {"ok": True}
    off = await agent.until(spec.id, is_off)
    assert off.exit is not None
    assert off.exit.reason is ExitReason.GUEST_REBOOT
    await agent.power(spec.id, Power.ON, boot=2)
    await agent.until(spec.id, is_ready)
    await agent.run(spec.id, "sh", "-c", "sleep 1; echo c > /proc/sysrq-trigger")
    off = await agent.until(spec.id, is_off)
    assert off.exit is not None
    assert off.exit.reason is ExitReason.GUEST_PANIC
    assert "sysrq triggered crash" in off.exit.why


async def test_a_vmm_that_cannot_start_ends_the_boot_with_its_own_words(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    spec = machine_spec(using, kernel_sha256=using.rootfs)
    await agent.define(spec)
    await agent.power(spec.id, Power.ON, boot=1)
    off = await agent.until(spec.id, lambda seen: seen.exit is not None)
    assert off.exit is not None
    assert off.exit.reason is ExitReason.VMM_FAILED
    assert "QEMU did not start: " in off.exit.why
    await agent.power(spec.id, Power.OFF, boot=1)
    assert (await agent.define(spec.model_copy(update={"kernel_sha256": using.kernel}))).status_code == 200
    await agent.power(spec.id, Power.ON, boot=2)
    assert (await agent.until(spec.id, is_ready)).boot == 2


async def test_a_vmm_that_hangs_is_deleted_all_the_same_even_by_an_agent_it_never_answered(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    watched, found = machine_spec(using), machine_spec(using, number=2)
    for spec in (watched, found):
        await agent.define(spec)
        await agent.power(spec.id, Power.ON, boot=1)
        await agent.until(spec.id, lambda seen: seen.power is Power.ON)
        os.kill(vmm_pid(process, spec.id), signal.SIGSTOP)
    pids = [vmm_pid(process, spec.id) for spec in (watched, found)]
    await agent.discard(watched.id)
    await agent.until(watched.id, lambda seen: seen.power is Power.ABSENT, within_s=90)
    process.kill()
    agent = await process.start()
    await agent.discard(found.id)
    await agent.until(found.id, lambda seen: seen.power is Power.ABSENT, within_s=90)
    await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), within_s=60)
    assert list((process.root / "agent/machines").iterdir()) == []


async def test_four_guests_booted_at_once_are_all_ready(
    process: AgentProcess, agent: AgentClient, using: ImageSet
) -> None:
    specs = [machine_spec(using, number=number) for number in range(1, 5)]
    seen: list[MachineSeen] = await asyncio.gather(*(agent.boot(spec) for spec in specs))
    assert [each.boot for each in seen] == [1, 1, 1, 1]


async def test_the_socket_is_private_a_second_agent_refuses_to_start_and_the_first_ends_in_order(
    process: AgentProcess, agent: AgentClient
) -> None:
    assert stat.S_IMODE(process.socket.stat().st_mode) == 0o600
    assert (await agent.http.get("/v1/host")).json()["vmm"] == "qemu"
    second = AgentProcess(process.root, AGENT_IMAGE_SEED="/nowhere")
    second.start_only()
    await eventually(second.has_ended, within_s=60)
    assert "an agent is running already" in second.log()
    assert process.process is not None
    process.process.terminate()
    await eventually(process.has_ended, within_s=60)
    assert process.process.returncode == 0
    assert not process.socket.exists()
