"""An order is carried out by an agent that is killed, or whose host loses its power, before and after each of its
writes: what was begun is taken up again, and nothing that was accepted is lost."""

from pathlib import Path

import pytest
from tests.agent.lab import ImageSet, agent_here, agent_settings, machine_spec
from tests.agent.machines.power import Moment, Watched

from nexus.agent.settings import AgentSettings
from nexus.protocol.machines import ExitReason, GuestPhase, MachineSeen, MachineSpec, Power

MOST_SYNCS = 5
"""A definition with its wish and the boot that is begun is one moment, a disk another; each is a file and a name in a
directory. The name of the machine's directory is the fifth."""


@pytest.fixture
def spec(fake_images: ImageSet) -> MachineSpec:
    return machine_spec(fake_images)


@pytest.fixture
async def moments(
    settings: AgentSettings,
    fake_images: ImageSet,
    spec: MachineSpec,
    short_tmp: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Moment, ...]:
    """Those of one order, with the one after its answer, on a host that has had a machine of the kind before."""
    earlier, watched = machine_spec(fake_images, number=2), Watched(into=short_tmp / "moments")
    async with agent_here(settings) as (agent, _):
        await agent.order(earlier, Power.ON, boot=1)
        await agent.discard(earlier.id)
        with monkeypatch.context() as patching:
            watched.watch(settings.run_dir / "machines", patching)
            await agent.order(spec, Power.ON, boot=1)
            await agent.until(spec.id, is_up)
            watched.keep()
    assert 0 < watched.syncs <= MOST_SYNCS
    return tuple(watched.moments)


async def test_an_agent_that_was_killed_goes_on_with_the_boot_that_was_begun(
    moments: tuple[Moment, ...], spec: MachineSpec, fake_images: ImageSet, short_tmp: Path
) -> None:
    for number, moment in enumerate(moments):
        again = settings_over(moment.killed, short_tmp / f"k{number}", fake_images)
        async with agent_here(again) as (agent, _):
            await agent.order(spec, Power.ON, boot=1)
            seen = await agent.until(spec.id, is_up)
            assert seen.boot == 1, f"killed at moment {number}"
            await agent.discard(spec.id)
        assert list((again.run_dir / "machines").iterdir()) == []


async def test_after_a_power_cut_a_machine_is_as_it_was_accepted_or_was_never_accepted(
    moments: tuple[Moment, ...], spec: MachineSpec, fake_images: ImageSet, short_tmp: Path
) -> None:
    known: list[bool] = []
    for number, moment in enumerate(moments):
        root = short_tmp / f"c{number}"
        again = settings_over(moment.cut, root, fake_images, boot_id_file=another_boot(root))
        async with agent_here(again) as (agent, _):
            known.append((await agent.seen(spec.id)).power is not Power.ABSENT)
            await agent.order(spec, Power.ON, boot=1)
            if known[-1]:
                over = (await agent.until(spec.id, lambda seen: seen.exit is not None)).exit
                assert over is not None
                assert (over.boot, over.reason) == (1, ExitReason.HOST_REBOOTED), f"cut at moment {number}"
            else:
                await agent.until(spec.id, is_up)
            await agent.order(spec, Power.ON, boot=2)
            await agent.until(spec.id, lambda seen: is_up(seen) and seen.boot == 2)
            for disk in (again.run_dir / "machines" / str(spec.id) / "disks").iterdir():
                assert is_ext4(disk), f"cut at moment {number}: half a disk"
    assert known == sorted(known), "it was there and was lost"
    assert known[-1], "it was answered that it runs, and it is lost"


def is_up(seen: MachineSeen) -> bool:
    return (seen.power, seen.guest, seen.stage, seen.fault) == (Power.ON, GuestPhase.READY, None, None)


def is_ext4(disk: Path) -> bool:
    with disk.open("rb") as opened:
        opened.seek(1024 + 0x38)
        return opened.read(2) == b"\x53\xef"


def settings_over(machines: Path, root: Path, images: ImageSet, **other: object) -> AgentSettings:
    """An agent that finds this directory of machines."""
    settings = agent_settings(root, image_seed=images.directory, **other)
    settings.run_dir.mkdir(parents=True)
    machines.rename(settings.run_dir / "machines")
    return settings


def another_boot(root: Path) -> Path:
    """As the kernel names the run of a host that has lost its power."""
    root.mkdir()
    named = root / "boot_id"
    named.write_text("5eb0a7ed-0000-4000-8000-000000000002\n")
    return named
