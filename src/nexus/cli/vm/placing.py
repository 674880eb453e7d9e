"""Where a VM would go: `vm create --dry-run`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nexus.cli.failures import REFUSED, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.output import Column

if TYPE_CHECKING:
    from nexus.client.models import Place


def try_out(cli: Cli, spec: Mapping[str, object], *, name: str) -> None:
    """Say which host the VM would go to and why not to the others. Raises CliFailure where it would go to none."""
    found = cli.client.vms.try_out(spec)
    columns: list[Column[Place]] = [
        Column("HOST", lambda place: place.host_name),
        Column("CAN TAKE IT", lambda place: "yes" if place.refusal is None else "no"),
        Column("WHY NOT", lambda place: place.refusal),
    ]
    cli.list(found.hosts, columns, empty="No host has joined yet.")
    if found.host_name is None:
        raise CliFailure(f"{name} would go to no host. Nothing was made.", exit_code=REFUSED)
    cli.say(f"{name} would go to {found.host_name}. Nothing was made.")
