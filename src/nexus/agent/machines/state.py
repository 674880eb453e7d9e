"""What the agent remembers of a machine, in machine.json: written before anything is done about it.

That a guest was ready is noted beside it, in `ready`: it is about a boot that runs, and ends with the host's power. So
it need not be on disk before it is told, only outlive this process.
"""

import contextlib
from pathlib import Path
from uuid import UUID

from nexus.agent.storage.files import write_atomically
from nexus.protocol.base import Message
from nexus.protocol.machines import Exit, MachineSpec, PowerWish, RestoreSpec

FILE = "machine.json"
READY = "ready"


class Restored(Message):
    """A boot whose disks were made of a snapshot; every attempt of it begins so, and no later boot. `is_clone`: the
    snapshot is another machine's, so a guest whose memory came from it has to become this one."""

    restore: RestoreSpec
    boot: int
    has_memory: bool
    is_clone: bool


class MachineState(Message):
    """`boot`: boots begun, the last one's number. `launch`: the number of the VMM started for it, of which a boot may
    need several; both only grow. `ready_boot`: the last boot whose guest answered."""

    spec: MachineSpec
    slot: int
    """The machine runs under uid AGENT_UID_BASE + slot, when the agent is root."""
    wish: PowerWish | None = None
    discarding: bool = False
    booted: MachineSpec | None = None
    """What the boot last begun was made from, with what has been changed in it since."""
    boot: int = 0
    launch: int = 0
    attempt: int = 0
    ready_boot: int = 0
    exit: Exit | None = None
    host_boot_id: str = ""
    """The host's when `boot` was begun."""
    nics: tuple[UUID, ...] = ()
    """Interfaces that may have something on the host."""
    restored: Restored | None = None
    """The last boot that began from a snapshot."""

    @property
    def generation(self) -> int:
        return max(self.spec.generation, self.wish.generation if self.wish else 0)

    @property
    def running(self) -> MachineSpec:
        """The definition that a running boot has. One that an agent without `booted` began has the accepted one."""
        return self.booted or self.spec

    @property
    def has_ended(self) -> bool:
        """Whether the boot last begun is over."""
        return self.boot == 0 or (self.exit is not None and self.exit.boot >= self.boot)

    @property
    def was_ready(self) -> bool:
        """Whether the guest has answered during the boot last begun. One without our agent is not waited for."""
        return self.boot > 0 and (self.ready_boot == self.boot or not self.running.has_guest_agent)

    @property
    def restore_due(self) -> RestoreSpec | None:
        """What the next attempt of a boot begins from, as far as it is known which boot that is."""
        restore, done = self.spec.restore, self.restored
        is_over = done is not None and (done.boot != self.boot or self.has_ended or self.was_ready)
        is_done = done is not None and done.restore == restore and is_over
        return None if is_done else restore

    @property
    def is_awaking(self) -> bool:
        """The guest's memory came from a snapshot, and the guest has not been told yet who and when it is."""
        done = self.restored
        is_restored = done is not None and done.boot == self.boot and done.has_memory
        return is_restored and self.running.has_guest_agent and not self.was_ready

    def is_launched(self, launch: int) -> bool:
        """Whether the VMM of that number is the one that the boot asked for."""
        return launch == self.launch and self.launch > 0


def load(directory: Path) -> MachineState:
    """Raises FileNotFoundError, or ValidationError for a file that is not ours."""
    state = MachineState.model_validate_json((directory / FILE).read_bytes())
    return state.model_copy(update={"ready_boot": max(state.ready_boot, _noted_ready(directory))})


def save(directory: Path, state: MachineState) -> None:
    """On disk when this returns."""
    write_atomically(directory / FILE, state.model_dump_json().encode())


def note_ready(directory: Path, boot: int) -> None:
    """The guest has answered in this boot; known to whoever loads the state, while the host runs."""
    write_atomically(directory / READY, str(boot).encode(), durable=False)


def forget_ready(directory: Path) -> None:
    """What a machine of that id once was says nothing of a new one."""
    (directory / READY).unlink(missing_ok=True)


def _noted_ready(directory: Path) -> int:
    """0 where nothing is noted, or a power cut left no number: that boot is over."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int((directory / READY).read_bytes())
    return 0
