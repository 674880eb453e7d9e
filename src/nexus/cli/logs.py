"""`nexus logs`: what the platform itself has logged."""

import sys
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from nexus.cli.command import command, new_app
from nexus.cli.failures import INTERRUPTED
from nexus.cli.host.subject import HostArgument, the_host
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.logs import Name

app: typer.Typer = new_app("Logs of the platform itself, for administrators.")

Lines = Annotated[int, typer.Option("-n", "--lines", metavar="N", min=0, max=5000, help="How many lines of its end.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")]


@command(app, "manager", examples=("nexus logs manager", "nexus logs manager -f | jq .event"))
def manager_log(cli: Cli, *, lines: Lines = 100, follow: Follow = False) -> None:
    """Print the end of the manager's log; of several managers, of the one that answers."""
    _show(cli, "manager", lines=lines, follow=follow)


@command(app, "agent", examples="nexus logs agent host-1 -f")
def agent_log(cli: Cli, host: HostArgument, *, lines: Lines = 100, follow: Follow = False) -> None:
    """Print the end of the log of a host's agent."""
    _show(cli, "agent", host=the_host(cli, host).id, lines=lines, follow=follow)


@command(app, "vmm", examples="nexus logs vmm web-1")
def vmm_log(cli: Cli, vm: VmArgument, *, lines: Lines = 100, follow: Follow = False) -> None:
    """Print what a VM's hypervisor has said."""
    _show(cli, "vmm", vm=the_vm(cli, vm).id, lines=lines, follow=follow)


@command(app, "console", examples="nexus logs console web-1 -n 20")
def console_log(cli: Cli, vm: VmArgument, *, lines: Lines = 100, follow: Follow = False) -> None:
    """Print the end of a VM's serial console; see also vm console."""
    _show(cli, "console", vm=the_vm(cli, vm).id, lines=lines, follow=follow)


def _show(
    cli: Cli, name: "Name", *, host: UUID | None = None, vm: UUID | None = None, lines: int, follow: bool
) -> None:
    if not follow:
        sys.stdout.write(cli.client.logs.tail(name, host=host, vm=vm, lines=lines).text)
        return
    try:
        with cli.client.logs.follow(name, host=host, vm=vm, lines=lines) as chunks:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
