"""The VM a command is about, and the answer to a verb on it."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from nexus.cli.completing import vm_names
from nexus.cli.invocation import Cli
from nexus.cli.naming import MOST_SUGGESTED, the
from nexus.cli.waiting import follow

if TYPE_CHECKING:
    from nexus.client.models import Accepted, Vm

VmArgument = Annotated[str, typer.Argument(metavar="VM", help="Name or id of a VM.", autocompletion=vm_names)]
VmArguments = Annotated[list[str], typer.Argument(metavar="VM", help="Names or ids.", autocompletion=vm_names)]


def the_vm(cli: Cli, given: str) -> "Vm":
    """The VM meant by a name or an id."""
    vms = cli.client.vms
    return the(
        "VM",
        given,
        get=vms.get,
        named=lambda name: vms.list(name=name),
        everything=lambda: vms.list(limit=MOST_SUGGESTED),
    )


def settle(cli: Cli, accepted: "Accepted", *, label: str, timeout_s: float) -> None:
    """Wait for what a verb has set going, if anything was left to do."""
    if accepted.operation_id:
        follow(cli, accepted.operation_id, label=label, timeout_s=timeout_s)


def say_recorded(cli: Cli, *, name: str, operation_id: UUID | None) -> None:
    """What --no-wait leaves for people."""
    hint = f" Watch it with: nexus operation watch {operation_id}" if operation_id else ""
    cli.say(f"{name}: recorded.{hint}")


def recorded(*, name: str, vm_id: UUID, operation_id: UUID | None) -> dict[str, str | None]:
    """What --no-wait leaves for programs."""
    return {"id": str(vm_id), "name": name, "operation_id": str(operation_id) if operation_id else None}
