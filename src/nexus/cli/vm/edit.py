"""`vm edit`, `vm rename`: what describes a VM; what it is made of cannot change while it exists."""

from typing import Annotated

import typer

from nexus.cli.command import command
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.vm.restart import RestartPolicy
from nexus.cli.vm.subject import VmArgument, the_vm


def register(app: typer.Typer) -> None:
    @command(
        app,
        "edit",
        examples=(
            "nexus vm edit web-1 --description 'Front end' --owner ann",
            "nexus vm edit web-1 --tag web --tag blue",
            "nexus vm edit web-1 --no-tags",
        ),
    )
    def edit_vm(
        cli: Cli,
        vm: VmArgument,
        *,
        name: Annotated[str | None, typer.Option(metavar="TEXT", help="A new name.")] = None,
        description: Annotated[
            str | None, typer.Option(metavar="TEXT", help="For people to read; '' empties it.")
        ] = None,
        tag: Annotated[
            list[str] | None, typer.Option(metavar="TEXT", help="The tags it has from now on. Repeatable.")
        ] = None,
        no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all its tags away.")] = False,
        environment: Annotated[str | None, typer.Option(metavar="TEXT", help="E.g. production; '' empties it.")] = None,
        owner: Annotated[str | None, typer.Option(metavar="TEXT", help="Whom to ask about it; '' empties it.")] = None,
        restart: Annotated[
            RestartPolicy | None, typer.Option(help="always: start it again after its host restarted.")
        ] = None,
    ) -> None:
        """Change what describes a VM, and whether it comes back with its host."""
        tags = [] if no_tags else tag or None
        asked = {
            "name": name,
            "description": description,
            "tags": tags,
            "environment": environment,
            "owner": owner,
            "restart_policy": restart,
        }
        _change(cli, vm, {field: value for field, value in asked.items() if value is not None})

    @command(app, "rename", examples="nexus vm rename web-1 web-2")
    def rename_vm(
        cli: Cli, vm: VmArgument, name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")]
    ) -> None:
        """Give a VM another name. Its host name inside follows at its next start."""
        _change(cli, vm, {"name": name})


def _change(cli: Cli, given: str, changes: dict[str, object]) -> None:
    if not changes:
        raise CliFailure("Nothing to change.", suggestion="See `nexus vm edit --help`.", exit_code=USAGE)
    target = the_vm(cli, given)
    cli.client.vms.edit(target.id, changes)
    changed = cli.client.vms.get(target.id)
    cli.say(f"{changed.name} is changed.")
    cli.result(changed)
