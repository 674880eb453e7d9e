"""`nexus version`, `nexus completion`."""

from enum import StrEnum
from typing import Annotated

import typer

from nexus import __version__
from nexus.cli import output
from nexus.cli.command import command
from nexus.cli.failures import report
from nexus.cli.invocation import Cli
from nexus.cli.output import Column


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def print_version(is_wanted: bool) -> None:
    """For `nexus --version`."""
    if is_wanted:
        output.write(f"nexus {__version__}\n")
        raise typer.Exit


def register(app: typer.Typer) -> None:
    @command(app, "version", examples=("nexus version", "nexus version -o json"))
    def show_version(cli: Cli) -> None:
        """Show the version of this command, and of the manager it talks to."""
        versions = {"cli": __version__, "manager": _manager_version(cli)}
        columns = [
            Column[dict[str, str | None]]("nexus", lambda found: found["cli"]),
            Column[dict[str, str | None]]("manager", lambda found: found["manager"] or "not reachable"),
        ]
        cli.show(versions, columns)

    @command(app, "completion", examples=('eval "$(nexus completion bash)"', "nexus completion zsh > ~/.zfunc/_nexus"))
    def print_completion(
        cli: Cli, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]
    ) -> None:
        """Print a script for completion in your shell.

        It completes commands, options and the names of VMs, images and hosts.
        """
        # pyright cannot see that this is where Typer has it for its users' --show-completion
        from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]

        output.write(get_completion_script(prog_name="nexus", complete_var="_NEXUS_COMPLETE", shell=shell) + "\n")


def _manager_version(cli: Cli) -> str | None:
    try:
        return str(cli.client.health().get("version"))
    except Exception as error:
        if report(error) is None:
            raise
        return None
