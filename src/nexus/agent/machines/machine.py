"""One machine: its worker moves it to the last accepted definition and wish, whatever state it finds.

Must stay true: what is wished and what is begun is on disk before anything is done about it; every move may be broken
off at any await and taken up again, also by another process; and a boot number is begun at most once.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from nexus.agent.machines import asking, boots
from nexus.agent.machines import state as states
from nexus.agent.machines.applying import Applier
from nexus.agent.machines.awaking import awake
from nexus.agent.machines.decide import Facts, Move, decide
from nexus.agent.machines.guest_config import SpecTrouble
from nexus.agent.machines.guest_link import GuestLink
from nexus.agent.machines.host import BOOT_ATTEMPTS, Host
from nexus.agent.machines.launching import NotLaunched, launch
from nexus.agent.machines.live_parts import LIVE_PARTS
from nexus.agent.machines.observing import Glance
from nexus.agent.machines.preparing import fetch_images, reclaim, remove_files, tidy
from nexus.agent.machines.state import MachineState
from nexus.agent.net.port import NetTrouble
from nexus.agent.snapshots import layout
from nexus.agent.snapshots.taking import Subject, Takings
from nexus.agent.storage.trouble import StorageTrouble
from nexus.agent.vmm.port import VmmState, VmmTrouble
from nexus.kit import log
from nexus.protocol.machines import Exit, ExitReason, MachineSeen, Power, PowerWish
from nexus.protocol.trouble import Trouble

_log = log.get("nexus.agent.machines")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
ADOPTION_PATIENCE_S = 2.0
Change = Callable[[MachineState], MachineState]
"""Makes the next state from the present one."""
Publish = Callable[[MachineSeen], None]
"""Given each new observation, with seq 0: the publisher numbers it."""


class Machine:
    """`state` is what is on disk; `seen` what was last published."""

    def __init__(self, host: Host, state: MachineState, *, publish: Publish) -> None:
        self.state = state
        socket = host.guest_socket(state.spec.id)
        self.link = GuestLink(socket, changed=self._wake, is_awaking=lambda: self.state.is_awaking)
        self.takings = Takings(changed=self._wake)
        self.gone = asyncio.Event()
        self._host = host
        self._publish = publish
        self._applier = Applier(host, self.link, LIVE_PARTS)
        self._vmm = VmmState(Power.OFF)
        self._changed = asyncio.Event()
        self._observed = asyncio.Event()
        self._recording = asyncio.Lock()
        self._stage: str | None = None
        self._fault: str | None = None
        self._held: Power | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> UUID:
        return self.state.spec.id

    async def look(self) -> None:
        """See what is there, once, before the worker starts; a guest that was ready has a moment to answer."""
        try:
            self._vmm = await self._host.vmm.adopt(self.id)
            if self._vmm.power is not Power.OFF:
                reclaim(self._host, self.state.running)
            await self._follow_guest()
            if self._vmm.power is Power.ON and self.state.was_ready:
                await self.link.wait_ready(ADOPTION_PATIENCE_S)
        except (VmmTrouble, StorageTrouble, OSError) as trouble:
            self._fault = str(trouble)
        self.tell()

    def run(self) -> None:
        """Start the worker."""
        self._task = asyncio.create_task(self._work())

    async def change(self, change: Change) -> None:
        """Take over a new definition or wish, recorded before this returns. Raises what `change` raises, or OSError
        when it cannot be recorded."""
        await self._record(change)
        self._fault = None
        self.tell()
        self._wake()

    async def discard(self) -> None:
        """Leave nothing of the machine. A full disk does not hold that up: whoever asked asks again after a crash."""
        try:
            await self.change(lambda state: state.model_copy(update={"discarding": True}))
        except OSError as refused:
            _log.warning("discard_not_recorded", machine_id=str(self.id), why=str(refused))
            self.state = self.state.model_copy(update={"discarding": True})
            self._wake()

    def notice(self) -> None:
        """Something about its VMM may have changed."""
        self._wake()

    async def close(self) -> None:
        """Stop working; a running guest stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.link.close()

    def seen(self) -> MachineSeen:
        """The present observation, not numbered."""
        first = next((self._host.network.attachment(nic, 0).address for nic in self.state.running.nics), None)
        glance = Glance(
            state=self.state,
            vmm=self._vmm if self._held is None else replace(self._vmm, power=self._held),
            is_gone=self.gone.is_set(),
            is_ready=self.link.is_ready and not self.state.is_awaking,
            is_missed=self.link.is_away,
            address=first.ip if first is not None else None,
            stage=self._stage,
            fault=self._fault,
            warnings=self.link.warnings,
            is_applying=self.state.was_ready and self._applier.due(self.state, self._vmm.power) is not None,
        )
        return glance.seen()

    def why_no_snapshot(self) -> str | None:
        """Why none can be taken of it as it runs."""
        is_off = self._vmm.power is Power.OFF
        return None if is_off else layout.why_not_now(self.state.running, self.state.spec)

    def tell(self) -> None:
        """Publish, if there is something new."""
        self._publish(self.seen())

    # the worker

    async def _work(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self.gone.is_set():
            try:
                await self._step()
                pause_s = FIRST_PAUSE_S
                continue
            except (StorageTrouble, NetTrouble, VmmTrouble, SpecTrouble, Trouble) as trouble:
                self._fault = str(trouble)
            except OSError as refused:
                self._fault = f"{refused.strerror or refused}{f': {refused.filename}' if refused.filename else ''}"
            except Exception as bug:  # the supervisor's loop: one machine's bug must not take its worker away
                _log.exception("machine_step_failed", machine_id=str(self.id))
                self._fault = f"internal error: {type(bug).__name__}"
            self._say(None)
            _log.warning("machine_fault", machine_id=str(self.id), fault=self._fault)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _step(self) -> None:
        self._changed.clear()
        await self._find_vmm()
        await self._follow_guest()
        move = self._next()
        if move is Move.REST:
            await tidy(self._host, self.state, self._vmm.power)
            self._fault = None
            self._say(None)
            await self._changed.wait()
            return
        self.tell()
        await self._perform(move)

    async def _find_vmm(self) -> None:
        """Raises VmmTrouble for a VMM that cannot be spoken to, unless it is to end: that needs no words."""
        try:
            self._vmm = await self._host.vmm.adopt(self.id)
        except VmmTrouble:
            self._vmm = await self._host.vmm.observe(self.id)
            if self._next() not in (Move.SHUT_DOWN, Move.DISCARD):
                raise

    def _next(self) -> Move:
        state, vmm = self.state, self._vmm
        wish = state.wish
        return decide(
            Facts(
                goal=Power.ABSENT if state.discarding else wish.power if wish else Power.OFF,
                wished_boot=wish.boot if wish else 0,
                boot=state.boot,
                has_ended=state.has_ended,
                is_launched=state.is_launched(vmm.launch),
                power=vmm.power if self._held is None else self._held,
                exit=vmm.exit.reason if vmm.exit else None,
                was_ready=self.state.was_ready,
                host_restarted=state.host_boot_id not in ("", self._host.boot_id),
                can_apply=self._applier.due(state, vmm.power) is not None,
                is_snapshot_wanted=self.takings.is_any,
            )
        )

    async def _perform(self, move: Move) -> None:
        """Do it, unless the wish changes meanwhile so that something else should be done."""
        doing = asyncio.create_task(self._MOVES[move](self))
        aim = self._aim()
        try:
            while not doing.done():
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({doing, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                self._changed.clear()
                if not doing.done() and self._aim() != aim:
                    self._vmm = await self._host.vmm.observe(self.id)
                    if self._next() is not move or (move is Move.SHUT_DOWN and self._grace() != aim[2]):
                        break
                    aim = self._aim()
                await self._refresh()
        finally:
            await _finish(doing)
        if doing.done() and not doing.cancelled():
            doing.result()

    def _aim(self) -> tuple[PowerWish | None, bool, int]:
        return self.state.wish, self.state.discarding, self._grace()

    def _grace(self) -> int:
        return self.state.wish.grace_s if self.state.wish else 0

    async def _refresh(self) -> None:
        """Look again while a move is under way, so that what it does is reported as it happens."""
        self._vmm = await self._host.vmm.observe(self.id)
        await self._follow_guest()
        self.tell()
        self._observed.set()

    async def _follow_guest(self) -> None:
        if self._vmm.power is Power.OFF:
            await self.link.close()
        if self._vmm.power is Power.OFF or not self.state.running.has_guest_agent:
            return
        await self.link.open(self._host.vmm.transport(self.id))
        if self.link.is_ready and not (self.state.was_ready or self.state.is_awaking or self.state.discarding):
            await self._be_ready()

    # moves

    async def _boot(self) -> None:
        await fetch_images(self._host, self.state.spec, self._say)  # takes no slot, nor time that a boot is given
        self._say("waiting for a free boot slot" if self._host.boot_slots.locked() else "preparing")
        async with self._host.boot_slots:
            if not await self._begin():
                return
            try:
                await launch(self._host, lambda: self.state, self._record, self._say)
            except NotLaunched as refused:
                await self._end(ExitReason.VMM_FAILED, str(refused))
                return
            await self._attend()

    async def _begin(self) -> bool:
        """Number the boot, or another attempt, before anything of it happens; False when it had enough of them."""
        begun = boots.begun(self.state, self._vmm, host_boot_id=self._host.boot_id)
        if begun is None:
            why = f"The guest did not come up within {self._host.boot_deadline_s:g} s, {BOOT_ATTEMPTS} times."
            await self._end(ExitReason.BOOT_TIMEOUT, why)
            return False
        await self._record(lambda state: state.model_copy(update=begun))
        return True

    async def _attend(self) -> None:
        """Wait until the guest answers or its VMM has ended; past the deadline cut the power for another attempt."""
        self._say("booting" if self.state.attempt == 1 else f"booting (attempt {self.state.attempt})")
        self._wake()
        try:
            async with asyncio.timeout(self._host.boot_deadline_s):
                while not self.link.is_ready and self.state.running.has_guest_agent:
                    self._observed.clear()
                    await self._observed.wait()
                    if self._vmm.power is Power.OFF:
                        return
                if self.state.is_awaking:
                    self._say("giving the guest its identity")
                    self.link.warnings = await awake(self._host, self.link, self.state)
                    await self._be_ready()
        except TimeoutError:
            _log.warning("boot_timed_out", machine_id=str(self.id), boot=self.state.boot, attempt=self.state.attempt)
            await self._host.vmm.stop(self.id)

    async def _settle(self) -> None:
        """Record how the boot ended."""
        await self._end(*boots.ending(self.state, self._vmm, host_boot_id=self._host.boot_id))

    async def _end(self, reason: ExitReason, why: str) -> None:
        at = self._vmm.exit.at if self._vmm.exit else self._host.clock.now()
        await self._record(
            lambda state: state.model_copy(update={"exit": Exit(boot=state.boot, reason=reason, why=why, at=at)})
        )
        _log.info("boot_ended", machine_id=str(self.id), boot=self.state.boot, reason=reason, why=why)
        self._say(None)

    async def _shut_down(self) -> None:
        """Orderly, through the guest's agent or the keyboard; power is cut when the guest takes too long."""
        grace_s = self._grace()
        self._say("shutting down")
        if grace_s and self.state.was_ready:
            if self._vmm.power is Power.PAUSED:
                await self._host.vmm.resume(self.id)
            try:
                async with asyncio.timeout(grace_s):
                    await asking.power_off(self._host, self.link, self.id)
                    while self._vmm.power is not Power.OFF:
                        self._observed.clear()
                        await self._observed.wait()
            except TimeoutError:
                self._say("cutting power")
        await self._host.vmm.stop(self.id)

    async def _pause(self) -> None:
        await self._host.vmm.pause(self.id)

    async def _resume(self) -> None:
        """A guest that stood still has the time of then: it is told the present one."""
        await self._host.vmm.resume(self.id)
        if self.state.was_ready and self.state.running.has_guest_agent:
            await self.link.set_time(self._host.clock.now())

    async def _apply(self) -> None:
        part = self._applier.due(self.state, self._vmm.power)
        if part is not None:
            has = await self._applier.apply(part, self.state, self._vmm.power)
            await self._record(lambda state: state.model_copy(update={"booted": has}))

    async def _take(self) -> None:
        """The machine is told of as it was: that it stands still is our doing."""
        self._held = self._vmm.power
        self._say("taking a snapshot")
        try:
            await self.takings.perform(Subject(self._host, self.state, self.link, self._held))
        finally:
            self._vmm = await self._host.vmm.observe(self.id)
            self._held = None

    async def _refuse(self) -> None:
        self.takings.fail("its guest was paused before it had come up; have it run first")

    async def _discard(self) -> None:
        self.takings.fail("its machine was deleted")
        self._say("deleting")
        await self.link.close()
        await self._host.vmm.discard(self.id)
        for nic in {*self.state.nics, *(nic.id for nic in self.state.spec.nics)}:
            await self._host.network.discard(nic)
        await asyncio.to_thread(remove_files, self._host, self.id)
        self.gone.set()
        self.tell()

    async def _be_ready(self) -> None:
        self.tell()
        async with self._recording:
            states.note_ready(self._host.home(self.id), self.state.boot)
            self.state = self.state.model_copy(update={"ready_boot": self.state.boot})

    async def _record(self, change: Change) -> None:
        async with self._recording:
            state = change(self.state)
            if state != self.state:
                await asyncio.to_thread(states.save, self._host.home(self.id), state)
                self.state = state

    def _say(self, stage: str | None) -> None:
        self._stage = stage
        self.tell()

    def _wake(self) -> None:
        self._changed.set()

    _MOVES = {
        Move.DISCARD: _discard,
        Move.BOOT: _boot,
        Move.ATTEND: _attend,
        Move.END: _settle,
        Move.SHUT_DOWN: _shut_down,
        Move.PAUSE: _pause,
        Move.RESUME: _resume,
        Move.APPLY: _apply,
        Move.TAKE: _take,
        Move.REFUSE: _refuse,
    }


async def _finish(doing: asyncio.Task[None]) -> None:
    """Break off what is still going on, and wait until it has let go."""
    if not doing.done():
        doing.cancel()
        await asyncio.wait({doing})
