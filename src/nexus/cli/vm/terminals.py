"""`vm terminal`: the terminals of a VM, which live in its guest whether somebody is connected to them or not."""

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command, new_app
from nexus.cli.failures import OWN_FAILURE
from nexus.cli.invocation import Cli
from nexus.cli.output import Column
from nexus.cli.vm.execute import ExecCommand
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Terminal

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The terminal's id, as `vm terminal list` shows it.")]


def register(app: typer.Typer) -> None:
    terminals = new_app("Terminals in a VM: they live on when nobody is connected.")
    app.add_typer(terminals, name="terminal")
    _register_looking(terminals)
    _register_opening(terminals)


def _register_looking(terminals: typer.Typer) -> None:
    @command(terminals, "list", examples=("nexus vm terminal list web-1", "nexus vm terminal list web-1 -o json"))
    def list_terminals(cli: Cli, vm: VmArgument) -> None:
        """List a VM's terminals, those that have just ended included."""
        found = cli.client.terminals.list(the_vm(cli, vm).id)
        cli.list(found, _columns(datetime.now(UTC)), empty=f"No terminals on {vm}. Open one: nexus vm shell {vm}")

    @command(terminals, "close", examples="nexus vm terminal close web-1 4f0c1a")
    def close_terminal(cli: Cli, vm: VmArgument, terminal: IdArgument) -> None:
        """Close a terminal: what runs in it is killed."""
        cli.client.terminals.close(the_vm(cli, vm).id, terminal)
        cli.say(f"Terminal {terminal} is closed.")


def _register_opening(terminals: typer.Typer) -> None:
    @command(
        terminals,
        "open",
        cls=ExecCommand,
        examples=("nexus vm terminal open web-1", "nexus vm terminal open web-1 -- make test"),
    )
    def open_terminal(
        cli: Cli,
        vm: VmArgument,
        argv: Annotated[
            list[str] | None, typer.Argument(metavar="[COMMAND]", help="What to run; default: a login shell.")
        ] = None,
        *,
        user: Annotated[
            str | None, typer.Option("-u", "--user", metavar="NAME", help="Run as this user (default: the VM's).")
        ] = None,
    ) -> None:
        """Open a terminal and leave it running with nobody connected."""
        opened = cli.client.terminals.open(the_vm(cli, vm).id, argv=argv or (), username=user)
        cli.say(f"Terminal {opened.id} runs. Connect to it: nexus vm terminal attach {vm} {opened.id}")
        cli.result(opened)

    @command(terminals, "attach", failure_code=OWN_FAILURE, examples="nexus vm terminal attach web-1 4f0c1a")
    def attach_terminal(
        cli: Cli,
        vm: VmArgument,
        terminal: IdArgument,
        *,
        offset: Annotated[
            int,
            typer.Option(metavar="BYTE", min=0, help="Begin at this byte of its output (default: the oldest kept)."),
        ] = 0,
    ) -> None:
        """Connect to a terminal, in place of whoever is connected. What it said before is shown first.

        Enter ~ d leaves it running; Enter ~ . hangs it up.
        """
        from nexus.cli.vm.terminal import Terminal as Visit

        target = the_vm(cli, vm)
        visit = Visit(transport=cli.client.transport, vm_id=target.id, vm=target.name, say=cli.say)
        visit.place.session, visit.place.offset = terminal, offset
        raise typer.Exit(visit.run())


def _columns(now: datetime) -> "list[Column[Terminal]]":
    return [
        Column("ID", lambda terminal: terminal.id),
        Column("COMMAND", lambda terminal: shlex.join(terminal.argv)),
        Column("USER", lambda terminal: terminal.username),
        Column("OPENED BY", lambda terminal: terminal.opened_by),
        Column("AGE", lambda terminal: human.ago(terminal.opened_at, now=now)),
        Column("IDLE", lambda terminal: f"{terminal.idle_s}s"),
        Column("STATE", _state),
    ]


def _state(terminal: "Terminal") -> str:
    if terminal.exit_code is not None:
        return f"ended with {terminal.exit_code}"
    return "attached" if terminal.is_attached else "detached"
