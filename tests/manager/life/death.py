"""Ending an agent at a chosen point of its work, as kill -9 would.

A point lies before and after everything the agent does that outlives it: what it writes down, what it has the
hypervisor do, the files it removes. After a death nothing more is done by that agent: every later point ends whoever
comes to it.
"""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from nexus.agent.machines import launching, machine, preparing, registry
from nexus.agent.machines import state as states
from nexus.agent.vmm.fake import FakeVmm

EFFECTS = ("start", "stop", "pause", "resume", "save", "restore", "discard")
"""Of the hypervisor."""


class Killed(BaseException):
    """This process is no more. Not an Exception, so that nobody handles it."""


Point = tuple[str, int]
"""What the agent was about to do or had just done, and for the how manieth time."""


class Death:
    """`points` are those passed since `watch`; the agent dies at `at`."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.at: Point | None = None
        self.has_come = asyncio.Event()

    def watch(self, at: Point | None = None) -> None:
        self.points, self.at = [], at

    def come(self) -> None:
        self.has_come.set()

    def revive(self) -> None:
        self.at = None
        self.has_come.clear()

    def passing(self, what: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Raises Killed. `loop`: for those who pass in another thread."""
        if self.has_come.is_set():
            raise Killed
        point = (what, sum(passed == what for passed, _ in self.points) + 1)
        self.points.append(point)
        if point != self.at:
            return
        if loop is None:
            self.come()
        else:
            loop.call_soon_threadsafe(self.come)
        raise Killed

    def guard(self, patching: pytest.MonkeyPatch) -> None:
        """Put points around what agents of this process write down, prepare and remove."""
        loop = asyncio.get_running_loop()
        patching.setattr(states, "save", self._around("machine.json", states.save, loop))
        patching.setattr(states, "note_ready", self._around("ready", states.note_ready, loop))
        patching.setattr(launching, "prepare", self._around_async("prepare", preparing.prepare))
        for module in (machine, registry):
            patching.setattr(module, "remove_files", self._around("remove_files", preparing.remove_files, loop))

    def guard_vmm(self, vmm: FakeVmm) -> None:
        """Put points around what this hypervisor does."""
        for effect in EFFECTS:
            setattr(vmm, effect, self._around_async(f"vmm.{effect}", getattr(vmm, effect)))

    def _around(self, name: str, call: Callable[..., Any], loop: asyncio.AbstractEventLoop) -> Callable[..., Any]:
        @functools.wraps(call)
        def around(*args: object, **named: object) -> Any:
            self.passing(f"before {name}", loop)
            answer = call(*args, **named)
            self.passing(f"after {name}", loop)
            return answer

        return around

    def _around_async(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        async def around(*args: object, **named: object) -> Any:
            self.passing(f"before {name}")
            answer = await call(*args, **named)
            self.passing(f"after {name}")
            return answer

        return around
