"""Which process is which: a pid alone names whoever has it now, so a pid file holds the start time as well.

A process of ours is found again by what it wrote down, verified against the kernel, never by its name. Linux only
(proc_pid_stat(5), field 22, and the kernel's boot id).
"""

import asyncio
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """One process, for ever: `started` is in clock ticks since the boot that `boot_id` names."""

    pid: int
    started: int
    boot_id: str

    @property
    def is_running(self) -> bool:
        return find(self.pid) == self


def find(pid: int) -> Identity | None:
    """The process that has this pid now; None when there is none (a zombie is none: it runs no more)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold anything
    if fields[0] in ("Z", "X"):
        return None
    return Identity(pid=pid, started=int(fields[19]), boot_id=boot_id())


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write(path: Path, identity: Identity, **more: object) -> None:
    """Write a pid file, atomically, readable by its owner alone."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(asdict(identity) | more))
    fresh.chmod(0o600)
    fresh.replace(path)


def read(path: Path) -> tuple[Identity, dict[str, object]] | None:
    """What the pid file says, and whatever else was written with it; None without one that can be read."""
    try:
        data: dict[str, object] = json.loads(path.read_text())
        identity = Identity(
            pid=int(str(data.pop("pid"))), started=int(str(data.pop("started"))), boot_id=str(data.pop("boot_id"))
        )
    except (FileNotFoundError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return identity, data


def forget(path: Path) -> None:
    """Remove a pid file."""
    path.unlink(missing_ok=True)


def running(path: Path) -> Identity | None:
    """The process a pid file names, if that very process still runs."""
    found = read(path)
    return found[0] if found and found[0].is_running else None


async def stop(identity: Identity, *, by: signal.Signals, patience_s: float, with_group: bool = False) -> bool:
    """Ask a process to end by a signal, and kill it (its group, too, if so told) when it has not after `patience_s`.

    True when it went by itself.
    """
    _send(identity, by)
    if await wait_gone(identity, patience_s=patience_s):
        return True
    if with_group:
        _send_to_group(identity, signal.SIGKILL)
    _send(identity, signal.SIGKILL)
    await wait_gone(identity, patience_s=5)
    return False


async def wait_gone(identity: Identity, *, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while identity.is_running:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def _send(identity: Identity, number: signal.Signals) -> None:
    if not identity.is_running:
        return
    try:
        os.kill(identity.pid, number)
    except ProcessLookupError:
        return


def _send_to_group(identity: Identity, number: signal.Signals) -> None:
    if not identity.is_running:
        return
    try:
        os.killpg(identity.pid, number)
    except ProcessLookupError:
        return
