"""Why a Firecracker process ended, or its guest did, from what they left behind: its log and the console. Pure.

Firecracker says when it ends by itself, and its guest's kernel says why it did (fact 19): a reset ends the process, a
power-off only the guest. Whoever has the console may write these lines too; nothing is done for the console's sake
alone (see `ending`).
"""

import re

from nexus.agent.vmm.exits import guest_stopped
from nexus.protocol.machines import ExitReason

ENDED_WELL = "exiting successfully"
ENDED_BADLY = re.compile(r"exiting with error|panicked at")
INTERCEPTED = re.compile(r"Shutting down VM after intercepting ([^\n]{1,200})")
"""A system call that its filter forbids, or a signal such as SIGBUS, SIGSEGV, SIGXFSZ."""
RESTARTED = re.compile(r"(^|\n)(\[ *\d+\.\d+\] )?reboot: Restarting system\r?\n?$")
POWERED_OFF = re.compile(r"(^|\n)(\[ *\d+\.\d+\] )?reboot: (Power down|System halted)\r?\n?$")


def is_powered_off(console_tail: str) -> bool:
    """Whether the last that the console says is that the machine may be switched off."""
    return POWERED_OFF.search(console_tail) is not None


def explain(status: int | None, *, log_tail: str, errors: str, console_tail: str) -> tuple[ExitReason, str]:
    """Of a process that went without being asked. `status`: its exit code, or minus the signal; None: not known.

    What it was is in its log, if that is not turned off; else in the guest's last word. A killed one said nothing."""
    if status == 0 or ENDED_WELL in log_tail or (status is None and RESTARTED.search(console_tail)):
        return guest_stopped(ExitReason.GUEST_REBOOT, console_tail)
    if status is not None and status < 0:
        return ExitReason.VMM_KILLED, f"Its VMM was killed by signal {-status}."
    if (found := INTERCEPTED.search(log_tail)) is not None:
        return ExitReason.VMM_FAILED, f"Its VMM ended after intercepting {found[1].rstrip('. ')}."
    if status or ENDED_BADLY.search(log_tail) or ENDED_BADLY.search(errors):
        words = last_line(errors) or last_line(log_tail)
        return ExitReason.VMM_FAILED, f"Its VMM failed: {words or f'status {status}'}."
    return ExitReason.VMM_KILLED, "Its VMM process is gone."


def last_line(text: str) -> str:
    """Without its full stop, and not too much of it."""
    return text.strip().rpartition("\n")[2].rstrip(". ")[:300]
