"""Why a VMM ended, from what it left behind."""

import pytest

from nexus.agent.vmm.firecracker.exits import explain, is_powered_off
from nexus.protocol.machines import ExitReason

WELL = "2026 [m:main:INFO] Vmm is stopping.\n2026 [m:main:INFO] Firecracker exiting successfully. exit_code=0\n"
BADLY = "2026 [m:main:ERROR] Firecracker exiting with error. exit_code=1\n"
SECCOMP = "2026 [m:main:ERROR] Shutting down VM after intercepting a bad syscall (41).\n"
RESTART = "[    9.000000] reboot: Restarting system\r\n"
PANIC = "[    1.0] Kernel panic - not syncing: Attempted to kill init!\r\n[    2.0] Rebooting in 1 seconds..\r\n"


@pytest.mark.parametrize(
    ("status", "log", "errors", "console", "reason", "words"),
    [
        (0, "", "", RESTART, ExitReason.GUEST_REBOOT, "restarted itself"),
        (0, "", "", PANIC, ExitReason.GUEST_PANIC, "Attempted to kill init"),
        (None, WELL, "", "login:", ExitReason.GUEST_REBOOT, "restarted itself"),
        (None, "", "", RESTART, ExitReason.GUEST_REBOOT, "restarted itself"),
        (None, "", "", RESTART + "login:", ExitReason.VMM_KILLED, "gone"),
        (-9, "", "", "", ExitReason.VMM_KILLED, "signal 9"),
        (148, SECCOMP, "", "", ExitReason.VMM_FAILED, "a bad syscall (41)"),
        (1, BADLY, "Error: the memory could not be mapped\n", "", ExitReason.VMM_FAILED, "could not be mapped"),
        (153, "", "", "", ExitReason.VMM_FAILED, "status 153"),
    ],
)
def test_why_a_vmm_ended(
    status: int | None, log: str, errors: str, console: str, reason: ExitReason, words: str
) -> None:
    found, why = explain(status, log_tail=log, errors=errors, console_tail=console)
    assert found is reason
    assert words in why
    assert why.endswith(".")


@pytest.mark.parametrize(
    ("console", "is_off"),
    [
        ("[   12.345678] reboot: Power down\r\n", True),
        ("reboot: System halted\n", True),
        ("[   12.345678] reboot: Power down\r\nlogin: ", False),
        ("$ echo reboot: Power down\r\n", False),
        ("", False),
    ],
)
def test_a_guest_is_off_when_its_kernel_said_so_last(console: str, is_off: bool) -> None:
    assert is_powered_off(console) is is_off
