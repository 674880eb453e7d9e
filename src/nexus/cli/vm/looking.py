"""`vm list`, `vm show`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.completing import host_names
from nexus.cli.invocation import Cli
from nexus.cli.output import Column
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Vm


def columns(now: datetime) -> "list[Column[Vm]]":
    """The table of `vm list`."""
    return [
        Column("NAME", lambda vm: vm.name),
        Column("STATE", lambda vm: vm.state),
        Column("GUEST", lambda vm: vm.guest),
        Column("VCPU", lambda vm: vm.vcpu),
        Column("MEMORY", lambda vm: human.size(vm.mem_mib * 1024**2)),
        Column("ADDRESS", lambda vm: vm.guest_ip),
        Column("IMAGE", lambda vm: vm.image),
        Column("HOST", lambda vm: vm.host_name),
        Column("TAGS", lambda vm: vm.tags),
        Column("AGE", lambda vm: human.ago(vm.created_at, now=now)),
    ]


def _details(now: datetime) -> "list[Column[Vm]]":
    return [
        Column("Name", lambda vm: vm.name),
        Column("Id", lambda vm: vm.id),
        Column("State", lambda vm: vm.state),
        Column("Why", lambda vm: vm.why),
        Column("Fault", lambda vm: vm.fault),
        Column("Guest", lambda vm: vm.guest),
        Column("Warnings", lambda vm: vm.warnings),
        Column("vCPUs", lambda vm: vm.vcpu),
        Column("Memory", lambda vm: human.size(vm.mem_mib * 1024**2)),
        Column("Disk", lambda vm: human.size(vm.disk_size_bytes) if vm.disk_size_bytes else None),
        Column("Image", lambda vm: vm.image),
        Column("Kernel", lambda vm: vm.kernel),
        Column("Address", lambda vm: vm.guest_ip),
        Column("Host", lambda vm: vm.host_name),
        Column("Waiting for a start", lambda vm: vm.pending_changes),
        Column("Restart", lambda vm: vm.restart_policy),
        Column("User", lambda vm: vm.username),
        Column("Description", lambda vm: vm.description),
        Column("Environment", lambda vm: vm.environment),
        Column("Owner", lambda vm: vm.owner),
        Column("Tags", lambda vm: vm.tags),
        Column("Started", lambda vm: f"{human.ago(vm.started_at, now=now)} ago" if vm.started_at else None),
        Column("Created", lambda vm: f"{human.ago(vm.created_at, now=now)} ago"),
    ]


def register(app: typer.Typer) -> None:
    @command(app, "list", examples=("nexus vm list", "nexus vm list --state running --tag web -o json"))
    def list_vms(
        cli: Cli,
        *,
        search: Annotated[
            str | None, typer.Option("-q", "--search", metavar="TEXT", help="Only with this in name or description.")
        ] = None,
        state: Annotated[str | None, typer.Option(metavar="STATE", help="Only in this state, e.g. running.")] = None,
        tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only with this tag.")] = None,
        host: Annotated[
            str | None,
            typer.Option(metavar="HOST", help="Only on this host, by name or id.", autocompletion=host_names),
        ] = None,
        sort: Annotated[
            str | None, typer.Option(metavar="FIELD", help="Order by this field; -FIELD for descending.")
        ] = None,
        limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most this many.")] = None,
    ) -> None:
        """List the VMs you may see."""
        found = cli.client.vms.list(q=search, state=state, tag=tag, host=host, sort=sort, limit=limit)
        is_filtered = any((search, state, tag, host))
        empty = "No VM matches." if is_filtered else "No VMs yet. Make one: nexus vm create web-1"
        cli.list(found, columns(datetime.now(UTC)), empty=empty)

    @command(app, "show", examples=("nexus vm show web-1", "nexus vm show web-1 -o yaml"))
    def show_vm(cli: Cli, vm: VmArgument) -> None:
        """Show everything about a VM."""
        cli.show(the_vm(cli, vm), _details(datetime.now(UTC)))
