"""What befalls the platform, as planned; and making it whole again."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from tests.chaos.clock import SkewedClock
from tests.chaos.model import GuestEnd
from tests.chaos.plan import POSTGRES, Blow, Fault
from tests.chaos.site import Site

from nexus.agent.machines import state as states
from nexus.agent.vmm.fake import FakeVmm
from nexus.protocol.machines import ExitReason, Power

ENDS = {
    ExitReason.VMM_KILLED: "Its VMM was killed.",
    ExitReason.GUEST_SHUTDOWN: "The guest powered itself off.",
    ExitReason.GUEST_PANIC: "The guest's kernel panicked.",
    ExitReason.GUEST_REBOOT: "The guest restarted itself.",
}


class Blows:
    """`turn`: waits until a fault may come. `crashes` counts the processes and guests that really were ended."""

    def __init__(self, site: Site, *, turn: Callable[[], Awaitable[None]]) -> None:
        self.crashes: Counter[str] = Counter()
        self.breaks = 0
        self.stalls = 0
        self.guest_ends: list[GuestEnd] = []
        self.done = 0
        self._site = site
        self._turn = turn
        self._mending: set[asyncio.Task[None]] = set()

    async def strike(self, faults: tuple[Fault, ...]) -> None:
        """All of them, one after another; each is mended while the next ones come."""
        for fault in faults:
            await self._turn()
            await asyncio.sleep(fault.after_s)
            await self._strike(fault)
            self.done += 1

    async def heal(self) -> None:
        """Everything runs and is connected when this returns."""
        await asyncio.gather(*self._mending)
        for wire in self._site.wires.values():
            wire.mend(loses=False)
        await self._site.database.start()
        for name in self._site.nursery.members:
            await self._site.nursery.start(name)

    async def _strike(self, fault: Fault) -> None:
        match fault.blow:
            case Blow.KILL if fault.target != POSTGRES:
                await self._kill(fault)
            case Blow.KILL | Blow.RESTART:
                await self._hit_database(fault)
            case Blow.CUT | Blow.FREEZE:
                self._break(fault)
            case Blow.STALL:
                self._stall(fault)
            case Blow.END_GUEST:
                await self._end_guest(fault)
            case Blow.REBOOT:
                await self._reboot(fault)

    async def _kill(self, fault: Fault) -> None:
        await self._site.nursery.until_runs(fault.target)
        member = self._site.nursery.members[fault.target]
        member.down += 1
        self.crashes[member.kind] += await self._site.nursery.kill(fault.target)
        self._mend(self._revive(fault))

    async def _revive(self, fault: Fault) -> None:
        await asyncio.sleep(fault.lasts_s)
        member = self._site.nursery.members[fault.target]
        member.down -= 1
        member.skew_s = fault.skew_s
        await self._site.nursery.start(fault.target)

    async def _hit_database(self, fault: Fault) -> None:
        database = self._site.database
        await database.until_runs()
        database.down += 1
        hit = await (database.kill() if fault.blow is Blow.KILL else database.stop())
        self.crashes[POSTGRES] += hit
        self._mend(self._revive_database(fault))

    async def _revive_database(self, fault: Fault) -> None:
        await asyncio.sleep(min(fault.lasts_s, 2.0))
        self._site.database.down -= 1
        await self._site.database.start()

    def _break(self, fault: Fault) -> None:
        agent, way = fault.target.split("/")
        for one in ("up", "down") if way == "both" else (way,):
            wire = self._site.wires[f"{agent}/{one}"]
            if fault.blow is Blow.CUT:
                wire.cut()
            else:
                wire.freeze()
            self._mend(self._mend_wire(f"{agent}/{one}", fault))
        self.breaks += 1

    async def _mend_wire(self, name: str, fault: Fault) -> None:
        await asyncio.sleep(fault.lasts_s)
        self._site.wires[name].mend(loses=fault.loses)

    def _stall(self, fault: Fault) -> None:
        self.stalls += self._site.nursery.signal(fault.target, signal.SIGSTOP)
        self._mend(self._let_go_on(fault))

    async def _let_go_on(self, fault: Fault) -> None:
        await asyncio.sleep(fault.lasts_s)
        self._site.nursery.signal(fault.target, signal.SIGCONT)

    async def _end_guest(self, fault: Fault) -> None:
        if self._site.driver == "fake":
            await self._end_fake_guest(fault)
            return
        vmms = sorted(self._site.vmms(fault.target).items())
        if not vmms:
            return
        machine, pid = random.Random(fault.number).choice(vmms)
        self._note_end(fault.target, machine)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.crashes["vmm"] += 1

    async def _end_fake_guest(self, fault: Fault) -> None:
        """While its agent is down, for its VMM is a file that the agent writes."""
        await self._site.nursery.until_runs(fault.target)
        member = self._site.nursery.members[fault.target]
        member.down += 1
        self.crashes["agent"] += await self._site.nursery.kill(fault.target)
        home = self._site.agent_home(fault.target) / "machines"
        choose = random.Random(fault.number)
        machines = sorted(path.parent.name for path in home.glob("*/vmm.json"))
        if machines:
            machine = choose.choice(machines)
            vmm = _fake_vmm(home, fault.skew_s)
            is_paused = (await vmm.observe(UUID(machine))).power is Power.PAUSED  # who stands still does nothing
            reason = ExitReason.VMM_KILLED if is_paused else choose.choice(list(ENDS))
            self._note_end(fault.target, machine)
            vmm.end(UUID(machine), reason, ENDS[reason])
            self.crashes["vmm"] += 1
        self._mend(self._revive(fault))

    async def _reboot(self, fault: Fault) -> None:
        site = self._site
        await site.nursery.until_runs(fault.target)
        member = site.nursery.members[fault.target]
        member.down += 1
        self.crashes["host"] += await site.nursery.kill(fault.target)
        home = site.agent_home(fault.target) / "machines"
        for directory in home.glob("*/machine.json"):
            self._note_end(fault.target, directory.parent.name)
        for pid in (*site.vmms(fault.target).values(), *site.zygotes(fault.target)):
            os.kill(pid, signal.SIGKILL)
        if site.driver == "fake":
            for record in home.glob("*/vmm.json"):
                record.unlink()
        site.change_boot_id(fault.target)
        self._mend(self._revive(fault))

    def _note_end(self, agent: str, machine: str) -> None:
        """The VM's name is its guest's host name."""
        spec = states.load(self._site.agent_home(agent) / "machines" / machine).spec
        self.guest_ends.append(GuestEnd(spec.guest.hostname, asyncio.get_running_loop().time()))

    def _mend(self, mending: Awaitable[None]) -> None:
        task = asyncio.ensure_future(mending)
        self._mending.add(task)
        task.add_done_callback(self._mending.discard)


def _fake_vmm(machines: Path, skew_s: float) -> FakeVmm:
    return FakeVmm(machines=machines, clock=SkewedClock(timedelta(seconds=skew_s)))
