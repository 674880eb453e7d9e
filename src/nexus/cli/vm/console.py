"""`vm console`: a VM's serial console, to read and to type on."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli.command import command
from nexus.cli.failures import INTERRUPTED, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Vm

_PAUSE_S = 0.5
_BEYOND = 2**53
"""A byte that no console has said yet: asked for it, the manager says how many there are."""


def register(app: typer.Typer) -> None:
    @command(
        app,
        "console",
        examples=("nexus vm console web-1", "nexus vm console web-1 --follow", "nexus vm console web-1 -i"),
    )
    def read_console(
        cli: Cli,
        vm: VmArgument,
        *,
        follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
        interactive: Annotated[
            bool, typer.Option("-i", "--interactive", help="Type on it; Enter ~ . leaves. See vm shell for a shell.")
        ] = False,
        offset: Annotated[
            int | None,
            typer.Option(metavar="BYTE", min=0, help="Begin at this byte (default: the oldest kept; with -i: now)."),
        ] = None,
    ) -> None:
        """Print what a VM's serial console has said: kernel messages, boot, panics."""
        if follow and interactive:
            raise CliFailure("Choose --follow to read, or --interactive to type as well.", exit_code=USAGE)
        target = the_vm(cli, vm)
        if interactive:
            raise typer.Exit(_type(cli, target, offset=offset))
        try:
            _print(cli, target, offset=offset or 0, follow=follow)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _print(cli: Cli, vm: "Vm", *, offset: int, follow: bool) -> None:
    while True:
        chunk = cli.client.vms.console(vm.id, offset=offset)
        sys.stdout.buffer.write(chunk.content)
        sys.stdout.buffer.flush()
        offset = chunk.offset + len(chunk.content)
        if offset >= chunk.size_bytes or not chunk.content:
            if not follow:
                return
            offset += _follow(cli, vm, offset)
            time.sleep(_PAUSE_S)  # a stream ends within an hour, or with its manager


def _follow(cli: Cli, vm: "Vm", offset: int) -> int:
    """Print what comes until the stream ends; how many bytes that was."""
    from nexus.client.errors import Unreachable

    printed = 0
    try:
        with cli.client.vms.follow_console(vm.id, offset=offset) as chunks:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
                printed += len(chunk)
    except Unreachable:
        if not printed:
            raise
    return printed


def _type(cli: Cli, vm: "Vm", *, offset: int | None) -> int:
    from nexus.cli.vm.terminal import Terminal

    if offset is None:
        offset = cli.client.vms.console(vm.id, offset=_BEYOND).size_bytes
    visit = Terminal(transport=cli.client.transport, vm_id=vm.id, vm=vm.name, say=cli.say, is_console=True)
    visit.place.session, visit.place.offset = "console", offset
    cli.say(f"Connected to the serial console of {vm.name}; Enter ~ . leaves.")
    return visit.run()
