"""What `vm drive` and `vm nic` have in common: saying when a change takes effect, and limits by name or by number."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli import rates
from nexus.cli.completing import of_vm, preset_names
from nexus.cli.failures import REFUSED, USAGE, CliFailure
from nexus.cli.invocation import Cli

if TYPE_CHECKING:
    from nexus.client.models import Changed, Vm

DriveArgument = Annotated[
    str,
    typer.Argument(
        metavar="DRIVE",
        help="Its drive_id or id.",
        autocompletion=of_vm(lambda client, vm: (drive.drive_id for drive in client.drives.list(vm))),
    ),
]
NicArgument = Annotated[
    str,
    typer.Argument(
        metavar="NIC",
        help="Its iface_id or id.",
        autocompletion=of_vm(lambda client, vm: (nic.iface_id for nic in client.nics.list(vm))),
    ),
]
DrivePreset = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help="Limits that have a name.", autocompletion=preset_names("drive")),
]
NicPreset = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help="Limits that have a name.", autocompletion=preset_names("nic")),
]


def tell(cli: Cli, vm: "Vm", changed: "Changed", what: str) -> None:
    """Say what has been done, and when the VM has it."""
    match changed.applied:
        case "now":
            when = f"{vm.name} has it now." if vm.state != "stopped" else ""
        case "next_start" if vm.state in ("stopped", "error"):
            when = f"{vm.name} has it when it starts."
        case "next_start":
            when = f"{vm.name} has it after its next start: nexus vm reboot {vm.name}"
        case _:
            when = f"Its host has not said when: nexus vm show {vm.name}"
    cli.say(f"{what} {when}".rstrip())
    cli.result(changed)


def preset(cli: Cli, device: str, name: str) -> dict[str, Any]:
    """The rate limiter of that name. Raises CliFailure."""
    known = {one.name: one for one in cli.client.presets.list() if one.device == device}
    if name not in known:
        suggestion = "; ".join(f"{one.name}: {one.description}" for one in known.values())
        raise CliFailure(f"There is no preset {name!r} for a {device}.", suggestion=suggestion, exit_code=REFUSED)
    return known[name].rate_limiter


def bandwidth(rate: str | None, *, burst_bytes: int | None = None) -> dict[str, int] | None:
    """The bucket of a rate as a person wrote it. Raises CliFailure."""
    if rate is None:
        return None
    try:
        return rates.bucket(rates.parse_rate(rate), burst=burst_bytes)
    except ValueError as wrong:
        raise CliFailure(str(wrong), exit_code=USAGE) from wrong


def count(per_second: str | None) -> dict[str, int] | None:
    """The same of operations per second."""
    if per_second is None:
        return None
    try:
        return rates.bucket(rates.parse_count(per_second), burst=None)
    except ValueError as wrong:
        raise CliFailure(str(wrong), exit_code=USAGE) from wrong


def require_one(given: dict[str, object], *, of: str) -> None:
    """Raises CliFailure unless something was asked for."""
    if not any(given.values()):
        raise CliFailure("Nothing to change.", suggestion=f"See `{of} --help`.", exit_code=USAGE)
