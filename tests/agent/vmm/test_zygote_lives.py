"""What becomes of zygotes, and of machines that begin from them, when something fails or ends at any step: without a
hypervisor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.agent.lab import eventually
from tests.agent.vmm.test_zygote_parts import HOST, MACHINE

from nexus.agent.vmm.cgroup import Cgroups
from nexus.agent.vmm.port import Definition, OwnGuest, VmmState, VmmTrouble
from nexus.agent.vmm.qemu import zygote_channel, zygote_making, zygotes
from nexus.agent.vmm.qemu.config import Accelerator
from nexus.agent.vmm.qemu.driver import QemuVmm
from nexus.agent.vmm.qemu.launcher import Places
from nexus.agent.vmm.qemu.snapshots import Source
from nexus.agent.vmm.qemu.zygote_driver import ZygoteVmm
from nexus.agent.vmm.qemu.zygote_making import MOST_FAILURES, ZygoteMaker
from nexus.agent.vmm.qemu.zygotes import ZygoteStore, shape
from nexus.kit.clock import SystemClock
from nexus.protocol.machines import Power
from nexus.protocol.trouble import Retryable

STEPS = ("room", "start", "wait", "pause", "save", "keep")
NAME = "a" * 32
OTHER = "b" * 32


class Lab(QemuVmm):
    """A driver whose machines are said to run, and which fails, or stands still, at one of the steps of a making."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        places = Places(root / "zygotes/machine", root / "z")
        super().__init__(machines=places.machines, sockets=places.sockets, **driver())
        self.root = root
        self.fails: str | None = None
        self.stands: str | None = None
        self.at: str | None = None
        self.running = False
        self.tries = 0
        self.made: list[str] = []
        self.store = ZygoteStore(root / "zygotes", HOST)
        self.maker = ZygoteMaker(self.store, self, places=places, uid=None)
        keep = self.store.add

        def add(name: str, made: Path) -> None:
            self._now("keep", OSError)
            keep(name, made)
            self.made.append(name)

        def stand_back(_pid: int | None) -> None:
            return None

        patch.setattr(self.store, "require_room", lambda: self._now("room", zygotes.NoRoom))
        patch.setattr(self.store, "add", add)
        patch.setattr(zygote_channel, "wait", self._wait)
        patch.setattr(zygote_making, "stand_back", stand_back)
        patch.setattr(zygote_making, "QUIET_S", 0.01)

    def _now(self, step: str, trouble: type[Exception]) -> None:
        self.at = step
        if self.fails == step:
            raise trouble(f"no {step}")

    async def _async(self, step: str, trouble: type[Exception]) -> None:
        self._now(step, trouble)
        if self.stands == step:
            await asyncio.Event().wait()

    async def start(self, definition: Definition, *, launch: int) -> None:
        assert definition.guest is None
        self.running = True
        await self._async("start", VmmTrouble)

    async def _wait(self, channel: Path, *, within_s: float) -> None:
        await self._async("wait", Retryable)

    async def pause(self, machine: UUID) -> None:
        await self._async("pause", VmmTrouble)

    async def save(self, machine: UUID, into: Path) -> tuple[str, ...]:
        (into / "memory").write_bytes(b"half")
        await self._async("save", OSError)
        (into / "memory").write_bytes(b"memory")
        return ()

    async def observe(self, machine: UUID) -> VmmState:
        return VmmState(Power.ON, 1, pid=1)

    async def discard(self, machine: UUID) -> None:
        if self.stands == "discard":
            self.stands = None
            self.at = "discard"
            await asyncio.Event().wait()
        self.tries += self.running
        self.running = False
        await super().discard(machine)

    def left(self) -> list[Path]:
        """What is there beside zygotes that are kept."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        return [path for path in files if "kept" not in path.parts and path.suffix != ".image"]

    async def make(self, name: str) -> None:
        """One is wanted, and is made."""
        before = len(self.made)
        self.maker.want(name, self.wanted())
        await eventually(lambda: len(self.made) > before and not self.running)

    def wanted(self) -> Definition:
        """A machine's definition, with images that can be read."""
        base = self.root / "initramfs.image"
        base.write_bytes(b"initramfs")
        assert MACHINE.guest is not None
        return replace(MACHINE, guest=OwnGuest(base, MACHINE.guest.config))


def driver() -> dict[str, Any]:
    return {
        "binary": "qemu",
        "version": "7.2",
        "accelerator": Accelerator("tcg", 1),
        "why": "",
        "host_boot_id": "boot",
        "cgroups": Cgroups(),
        "clock": SystemClock(),
    }


@pytest.fixture
async def lab(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    made = Lab(short_tmp, monkeypatch)
    yield made
    await made.maker.close()


async def test_one_is_made_and_nothing_else_is_left(lab: Lab) -> None:
    lab.maker.want(NAME, lab.wanted())
    await eventually(lambda: lab.store.find(NAME) is not None)
    await eventually(lambda: not lab.running)
    assert lab.left() == []
    assert zygotes.taken(lab.root).count == 1


@pytest.mark.parametrize("step", STEPS)
async def test_what_fails_at_a_step_leaves_nothing_and_is_tried_again(lab: Lab, step: str) -> None:
    lab.fails = step
    lab.maker.want(NAME, lab.wanted())
    await eventually(lambda: lab.at == step and not lab.running)
    assert lab.store.find(NAME) is None
    assert lab.left() == []
    lab.fails = None
    await eventually(lambda: lab.store.find(NAME) is not None)


@pytest.mark.parametrize("step", ["start", "wait", "pause", "save"])
async def test_an_agent_that_ends_while_one_is_made_leaves_nothing(lab: Lab, step: str) -> None:
    lab.stands = step
    lab.maker.want(NAME, lab.wanted())
    await eventually(lambda: lab.at == step)
    await lab.maker.close()
    assert not lab.running
    assert lab.left() == []
    assert lab.store.find(NAME) is None


async def test_an_agent_that_ends_while_it_clears_up_after_one_leaves_nothing(lab: Lab) -> None:
    lab.fails, lab.stands = "save", "discard"
    lab.maker.want(NAME, lab.wanted())
    await eventually(lambda: lab.at == "discard")
    await lab.maker.close()
    assert not lab.running
    assert lab.left() == []


@pytest.mark.parametrize("step", ["start", "wait", "pause", "save"])
async def test_what_a_killed_agent_was_making_is_gone_after_the_next_ones_tidying(lab: Lab, step: str) -> None:
    lab.store.draft.mkdir(parents=True)
    (lab.store.draft / "memory").write_bytes(b"half")
    home = lab.root / "zygotes/machine" / str(lab.maker.machine)
    home.mkdir(parents=True)
    (home / "initramfs").write_bytes(step.encode())
    lab.running = True
    await lab.maker.tidy()
    assert not lab.running
    assert lab.left() == []


async def test_a_shape_that_fails_again_and_again_is_left_alone(lab: Lab) -> None:
    lab.fails = "wait"
    lab.maker.want(NAME, lab.wanted())
    await eventually(lambda: lab.tries == MOST_FAILURES)
    lab.maker.want(NAME, lab.wanted())
    lab.fails = None
    lab.maker.want(OTHER, lab.wanted())
    await eventually(lambda: lab.store.find(OTHER) is not None)
    assert lab.store.find(NAME) is None
    assert lab.tries == MOST_FAILURES + 1


async def test_a_zygote_that_was_of_no_use_to_many_at_once_counts_once(lab: Lab) -> None:
    await lab.make(NAME)
    for _ in range(2 * MOST_FAILURES):
        lab.maker.give_up(NAME)
    await lab.make(NAME)
    assert lab.made == [NAME, NAME]


async def test_a_shape_that_waits_after_failures_keeps_no_other_waiting(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(MOST_FAILURES - 1):
        await lab.make(NAME)
        lab.maker.give_up(NAME)
    lab.made.clear()
    monkeypatch.setattr(zygote_making, "QUIET_S", 0.5)
    lab.maker.want(NAME, lab.wanted())
    await asyncio.sleep(0)  # it waits
    lab.maker.want(OTHER, lab.wanted())
    await eventually(lambda: bool(lab.made))
    assert lab.made == [OTHER]


@pytest.mark.parametrize(
    "trouble", [VmmTrouble("it died"), OSError(28, "No space left on device"), Retryable("it says nothing")]
)
@pytest.mark.parametrize("step", ["open", "launch", "tell"])
async def test_a_machine_whose_zygote_fails_at_a_step_boots_from_its_kernel(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, step: str, trouble: Exception
) -> None:
    began: list[bool] = []
    stopped: list[UUID] = []

    def fails_at(now: str) -> None:
        if step == now:
            raise trouble

    async def begin(
        _vmm: QemuVmm, definition: Definition, *, launch: int, source: Source | None = None, is_linked: bool = True
    ) -> None:
        began.append(source is not None)
        if source is not None:
            fails_at("launch")

    async def tell(channel: Path, config: object, *, clock: object, within_s: float) -> None:
        fails_at("tell")

    async def stop(_vmm: QemuVmm, machine: UUID) -> None:
        stopped.append(machine)

    def opened(directory: Path, *, spare: int) -> object:
        fails_at("open")
        return Opened()

    monkeypatch.setattr(QemuVmm, "_begin", begin)
    monkeypatch.setattr(QemuVmm, "stop", stop)
    monkeypatch.setattr(Source, "open", opened)
    monkeypatch.setattr(zygote_channel, "begin", tell)
    monkeypatch.setattr(zygote_making, "QUIET_S", 600.0)
    vmm = ZygoteVmm(store=lab.store, maker=lab.maker, machines=lab.root / "m", sockets=lab.root / "s", **driver())
    definition = lab.wanted()
    name = shape(definition, lab.store.host)
    lab.store.draft.mkdir(parents=True)
    lab.store.add(name, lab.store.draft)
    await vmm.start(definition, launch=1)
    assert began == ([False] if step == "open" else [True, False])
    assert stopped == [definition.id]
    assert lab.store.find(name) is None
    with suppress(asyncio.CancelledError):
        await vmm.close()


class Opened:
    """Stands for a zygote's open files."""

    async def __aenter__(self) -> "Opened":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None
