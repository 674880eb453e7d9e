"""All machines of this host: takes definitions and wishes in, gives numbered observations out.

Must stay true: a machine that the registry does not know is never touched, except by a DELETE that names it. Every
observation is reported, or is what somebody who waits for the machine is answered: if that answer is lost they ask
again.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from uuid import UUID

from pydantic import ValidationError

from nexus.agent.machines import state as states
from nexus.agent.machines.boots import begun_at_once
from nexus.agent.machines.host import Host
from nexus.agent.machines.machine import Machine
from nexus.agent.machines.preparing import is_at_hand, make_home, remove_files
from nexus.agent.machines.state import MachineState
from nexus.agent.machines.waiting import Waiting, has_come_true, until
from nexus.kit import log
from nexus.protocol.machines import MachineSeen, MachineSpec, Power, PowerWish
from nexus.protocol.trouble import Gone, Refused

_log = log.get("nexus.agent.machines")

DISCARD_PATIENCE_S = 5.0
Reported = Callable[[MachineSeen], None]


class StaleGeneration(Refused):
    """The order belongs to an older generation than one already accepted."""


class NumberLine:
    """Observation numbers: microseconds since the host booted, and always growing, also over a restart of the agent."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)
        return self._last


class Machines:
    """`reported` is called with every new observation, in order."""

    def __init__(self, host: Host, *, numbers: NumberLine, reported: Reported) -> None:
        self._host = host
        self._numbers = numbers
        self._reported = reported
        self._machines: dict[UUID, Machine] = {}
        self._seen: dict[UUID, MachineSeen] = {}
        self._defining = asyncio.Lock()
        self._waiting = Waiting()
        host.vmm.listen(self._vmm_changed)

    async def restore(self) -> None:
        """Take up every machine on disk; each has been looked at when this returns: a report leaves none out."""
        self._host.machines.mkdir(parents=True, exist_ok=True)
        for directory in sorted(self._host.machines.iterdir()):
            try:
                state = states.load(directory)
            except (FileNotFoundError, NotADirectoryError, ValidationError) as unreadable:
                _log.error("machine_not_restored", directory=directory.name, why=str(unreadable))
                continue
            self._add(state)
        await asyncio.gather(*(machine.look() for machine in self._machines.values()))
        for machine in self._machines.values():
            machine.run()

    def list(self) -> tuple[MachineSeen, ...]:
        return tuple(self._seen.values())

    def all(self) -> tuple[Machine, ...]:
        """Every machine that this host has."""
        return tuple(self._machines.values())

    def seen(self, machine: UUID) -> MachineSeen:
        """The last observation; ABSENT for a machine that this host does not have."""
        return self._seen.get(machine) or self._absent(machine)

    def get(self, machine: UUID) -> Machine:
        """Raises Gone."""
        found = self._machines.get(machine)
        if found is None:
            raise Gone(f"this host has no machine {machine}")
        return found

    async def define(self, spec: MachineSpec, wish: PowerWish | None = None, *, patience_s: float = 0.0) -> MachineSeen:
        """Record a definition, and at once what is wished of the machine; the answer may wait for `patience_s` until
        that is so. Raises StaleGeneration; Refused while the machine is being deleted."""
        if wish is None or not patience_s:
            await self._define(spec, wish)
            return self.seen(spec.id)
        with self._waiting.joined(spec.id) as news:
            try:
                await self._define(spec, wish)
                await until(lambda: has_come_true(wish, self.seen(spec.id)), news, seconds=patience_s)
            except BaseException:
                if spec.id in self._seen:
                    self._reported(self._seen[spec.id])  # nobody will be answered with it
                raise
            return self.seen(spec.id)

    async def wish(self, machine: UUID, wish: PowerWish) -> MachineSeen:
        """Record a wish. Raises Gone, StaleGeneration; Refused while the machine is being deleted."""
        await self.get(machine).change(lambda state: _with_wish(state, wish))
        return self.seen(machine)

    async def discard(self, machine: UUID) -> MachineSeen:
        """Leave nothing of the machine; answers what is left after some seconds (ABSENT: nothing)."""
        found = self._machines.get(machine)
        if found is None:
            await self._host.vmm.discard(machine)
            await asyncio.to_thread(remove_files, self._host, machine)
            return self.seen(machine)
        await found.discard()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_PATIENCE_S):
                await found.gone.wait()
        return self.seen(machine)

    def retry(self) -> None:
        """Have every machine look again: what failed for want of the manager may work now, and whoever is told of a
        fault that lasts takes it for one."""
        for machine in self._machines.values():
            machine.notice()

    async def close(self) -> None:
        """Stop every worker; guests run on."""
        await asyncio.gather(*(machine.close() for machine in self._machines.values()))

    async def _define(self, spec: MachineSpec, wish: PowerWish | None) -> None:
        async with self._defining:
            if spec.id not in self._machines:
                await self._create(spec, wish)
                return
        await self.get(spec.id).change(lambda state: _with_order(state, spec, wish))

    async def _create(self, spec: MachineSpec, wish: PowerWish | None) -> None:
        taken = {machine.state.slot for machine in self._machines.values()}
        slot = next(number for number in range(1, len(taken) + 2) if number not in taken)
        state = MachineState(spec=spec, slot=slot, wish=wish)
        if not self._host.home(spec.id).exists() and is_at_hand(self._host, spec):
            state = begun_at_once(state, host_boot_id=self._host.boot_id)  # one moment, so one record of it
        await asyncio.to_thread(make_home, self._host, state)
        machine = self._add(state)
        machine.tell()
        machine.run()

    def _add(self, state: MachineState) -> Machine:
        machine = Machine(self._host, state, publish=self._publish)
        self._machines[machine.id] = machine
        return machine

    def _publish(self, seen: MachineSeen) -> None:
        last = self._seen.get(seen.id)
        if last is not None and last.model_copy(update={"seq": 0}) == seen:
            return
        if seen.power is Power.ABSENT:
            self._machines.pop(seen.id, None)
            self._seen.pop(seen.id, None)
        numbered = seen.model_copy(update={"seq": self._numbers.next()})
        if seen.power is not Power.ABSENT:
            self._seen[seen.id] = numbered
        if not self._waiting.tell(seen.id) or seen.power is Power.ABSENT:
            self._reported(numbered)

    def _absent(self, machine: UUID) -> MachineSeen:
        return MachineSeen(id=machine, seq=self._numbers.next(), generation=0, power=Power.ABSENT)

    def _vmm_changed(self, machine: UUID) -> None:
        if (found := self._machines.get(machine)) is not None:
            found.notice()


def _with_order(state: MachineState, spec: MachineSpec, wish: PowerWish | None) -> MachineState:
    _check(state, spec.generation)
    defined = state.model_copy(update={"spec": spec})
    return defined if wish is None else _with_wish(defined, wish)


def _with_wish(state: MachineState, wish: PowerWish) -> MachineState:
    _check(state, wish.generation)
    return state.model_copy(update={"wish": wish})


def _check(state: MachineState, generation: int) -> None:
    if state.discarding:
        raise Refused("the machine is being deleted")
    if generation < state.generation:
        raise StaleGeneration(f"generation {generation} is older than {state.generation}, which was accepted")
