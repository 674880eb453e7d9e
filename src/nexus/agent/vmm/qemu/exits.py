"""Why a VMM ended, from what it left behind: QMP's event, its exit status, its log, the guest's console. Pure but for
reading those logs."""

from pathlib import Path

from nexus.agent.vmm import logs
from nexus.agent.vmm.exits import guest_stopped as guest_stopped
from nexus.agent.vmm.qemu.config import SHUTDOWN_TRACE
from nexus.protocol.machines import ExitReason

GUEST_SHUTDOWN_CAUSE = f"{SHUTDOWN_TRACE} reason=6"
"""SHUTDOWN_CAUSE_GUEST_SHUTDOWN in QEMU's qapi/run-state.json; a reset does not pass that trace point."""
SIGNALLED = "terminating on signal"

_BY_EVENT = {
    "guest-shutdown": ExitReason.GUEST_SHUTDOWN,
    "guest-panic": ExitReason.GUEST_PANIC,
}


def reason_of_event(reason: str) -> ExitReason:
    """From the SHUTDOWN event of QMP; what is neither power-off nor panic is a reset."""
    return _BY_EVENT.get(reason, ExitReason.GUEST_REBOOT)


def reason_in_log(path: Path, *, since: int) -> ExitReason:
    """The same for a guest that stopped while nobody listened; `since`: where its boot begins in the log."""
    said = logs.tail(path, since=since)
    return ExitReason.GUEST_SHUTDOWN if GUEST_SHUTDOWN_CAUSE in said else ExitReason.GUEST_REBOOT


def explain(status: int | None, messages: str) -> tuple[ExitReason, str]:
    """A VMM that went without a word from its guest. `status`: exit code, or minus the signal; None: not known."""
    last = messages.strip().rpartition("\n")[2]
    if SIGNALLED in last:
        return ExitReason.VMM_KILLED, f"Its VMM was ended from outside ({last[last.index(SIGNALLED) :]})."
    if status is not None and status < 0:
        return ExitReason.VMM_KILLED, f"Its VMM was killed by signal {-status}."
    if status:
        return ExitReason.VMM_FAILED, f"Its VMM failed with status {status}{': ' + last if last else ''}."
    return ExitReason.VMM_KILLED, "Its VMM process is gone."


def messages(path: Path, *, since: int) -> str:
    """QEMU's own words at the end of its log, from byte `since` on, without the trace lines."""
    said = logs.tail(path, since=since)
    return "\n".join(line for line in said.splitlines() if not line.startswith(SHUTDOWN_TRACE))


def last_words(path: Path, *, since: int) -> str:
    return messages(path, since=since).strip().rpartition("\n")[2]
