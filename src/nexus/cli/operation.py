"""`nexus operation`: what was asked for, and what has become of it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from nexus.cli import human
from nexus.cli.command import command, new_app
from nexus.cli.completing import vm_names
from nexus.cli.invocation import Cli
from nexus.cli.output import Column
from nexus.cli.vm.subject import the_vm
from nexus.cli.waiting import TIMEOUT_S, Timeout, follow

if TYPE_CHECKING:
    from nexus.client.models import Operation

app: typer.Typer = new_app("Operations: what was asked for, and what has become of it.")

OperationArgument = Annotated[UUID, typer.Argument(metavar="OPERATION", help="Id of an operation.")]


def _columns(now: datetime) -> "list[Column[Operation]]":
    return [
        Column("ID", lambda operation: operation.id),
        Column("WHAT", _what),
        Column("STATUS", lambda operation: operation.status),
        Column("STAGE", lambda operation: operation.stage if operation.status == "running" else None),
        Column("TOOK", _took),
        Column("AGE", lambda operation: human.ago(operation.created_at, now=now)),
    ]


def _details(now: datetime) -> "list[Column[Operation]]":
    return [
        Column("Id", lambda operation: operation.id),
        Column("What", lambda operation: f"{operation.verb} {operation.subject_kind} {operation.subject_name}"),
        Column("Status", lambda operation: operation.status),
        Column("Progress", lambda operation: f"{operation.progress} %"),
        Column("Stage", lambda operation: operation.stage),
        Column("Result", _outcomes),
        Column("Error", lambda operation: operation.error and operation.error.error),
        Column("Suggestion", lambda operation: operation.error and operation.error.suggestion),
        Column("Took", _took),
        Column("Created", lambda operation: f"{human.ago(operation.created_at, now=now)} ago"),
    ]


def _what(operation: "Operation") -> str:
    kind = "" if operation.subject_kind == "vm" else f"{operation.subject_kind} "
    return f"{operation.verb} {kind}{operation.subject_name}"


def _outcomes(operation: "Operation") -> list[str]:
    """What became of each VM that it is about, where it is about several."""
    vms: list[dict[str, Any]] = (operation.result or {}).get("vms", [])
    return [f"{vm['name']}: {vm['outcome']}" for vm in vms]


def _took(operation: "Operation") -> str | None:
    if operation.finished_at is None:
        return None
    return f"{(operation.finished_at - operation.created_at).total_seconds():.1f} s"


@command(app, "list", examples=("nexus operation list --status running", "nexus operation list --vm web-1"))
def list_operations(
    cli: Cli,
    *,
    vm: Annotated[
        str | None,
        typer.Option(metavar="VM", help="Only on this VM and its snapshots.", autocompletion=vm_names),
    ] = None,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="running, done, superseded or failed.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most this many, newest first.")] = 20,
) -> None:
    """List what was asked for lately."""
    vm_id = the_vm(cli, vm).id if vm is not None else None
    found = cli.client.operations.list(status=status, vm_id=vm_id, limit=limit)
    cli.list(found, _columns(datetime.now(UTC)), empty="No operations.")


@command(app, "show", examples="nexus operation show 0192f0c1-2f6e-7c3a-9d0e-0123456789ab")
def show_operation(cli: Cli, operation: OperationArgument) -> None:
    """Show an operation, and why it failed if it did."""
    cli.show(cli.client.operations.get(operation), _details(datetime.now(UTC)))


@command(app, "watch", examples="nexus operation watch 0192f0c1-2f6e-7c3a-9d0e-0123456789ab")
def watch_operation(cli: Cli, operation: OperationArgument, *, timeout: Timeout = TIMEOUT_S) -> None:
    """Wait until an operation has ended, with its progress. Fails as the operation does."""
    found = cli.client.operations.get(operation)
    label = f"{found.verb} {found.subject_name}"
    ended = follow(cli, operation, label=label, timeout_s=timeout)
    cli.say(f"{label}: done.")
    cli.result(ended)
