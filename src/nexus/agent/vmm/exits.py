"""Why a guest ended, as its console tells it: what no hypervisor reports. Pure."""

from nexus.protocol.machines import ExitReason

PANIC = "Kernel panic - not syncing"


def guest_stopped(reason: ExitReason, console_tail: str) -> tuple[ExitReason, str]:
    """The final reason and its sentence. A kernel that panics resets: its console tells the two apart."""
    if reason is ExitReason.GUEST_SHUTDOWN:
        return reason, "The guest powered itself off."
    if reason is ExitReason.GUEST_PANIC or PANIC in console_tail:
        return ExitReason.GUEST_PANIC, f"The guest's kernel panicked{_panic_message(console_tail)}."
    return reason, "The guest restarted itself."


def _panic_message(console_tail: str) -> str:
    found = console_tail.rfind(PANIC)
    if found < 0:
        return ""
    line = console_tail[found + len(PANIC) :].partition("\n")[0]
    return ": " + line.lstrip(": ").strip() if line.strip(": \r") else ""
