"""The command `nexus`: every noun put together, and the last line of defence.

Start-up is part of the interface: what a command does not need is not imported. HTTP, models, WebSockets and rich come
in where they are first used.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nexus.cli import (
    about,
    context,
    events,
    host,
    image,
    local,
    logs,
    operation,
    session,
    snapshot,
    ssh_key,
    template,
    vm,
)
from nexus.cli.command import ContextOption, DebugOption, OutputOption, chosen, examples_of
from nexus.cli.failures import INTERRUPTED, OWN_FAILURE

# httpx loads its own command line where it can (click, rich, pygments): a third of our start-up, for nothing.
sys.modules["httpx._main"] = None  # pyright: ignore[reportArgumentType] - how Python marks a module as absent


class Nouns(TyperGroup):
    """Lists commands in the order a newcomer meets them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_place_in_help)


_NOUNS = {
    "vm": vm.app,
    "snapshot": snapshot.app,
    "image": image.app,
    "template": template.app,
    "ssh-key": ssh_key.app,
    "host": host.app,
    "operation": operation.app,
    "logs": logs.app,
    "context": context.app,
}
"""In the order of the help."""

_ORDER = ("up", "down", "doctor", *_NOUNS, "events", "login", "logout", "whoami", "passwd")


def _place_in_help(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


app: typer.Typer = typer.Typer(
    name="nexus",
    cls=Nouns,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    help="Nexus: a self-hosted cloud on microVMs.",
    epilog=examples_of(
        "nexus vm create web-1             a Linux guest, ready in seconds",
        "nexus vm exec web-1 -- uname -a   a command in it",
        "nexus vm shell web-1              a shell in it",
        "nexus vm list -o json             for programs",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def begin(
    typer_context: typer.Context,
    *,
    output: OutputOption = None,
    debug: DebugOption = False,
    context_name: ContextOption = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=about.print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    typer_context.obj = chosen(typer_context, output=output, debug=debug, context_name=context_name)


for noun, commands in _NOUNS.items():
    app.add_typer(commands, name=noun)
for part in (local, session, events, about):
    part.register(app)


def main() -> None:
    """Run the command line of this process; ends it."""
    try:
        app(prog_name="nexus")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as bug:
        if "--debug" in sys.argv:
            raise
        sys.stderr.write(
            f"Error: this is a bug in nexus: {type(bug).__name__}: {bug}\n"
            "Run the command again with --debug to see where, and report it.\n"
        )
        sys.exit(OWN_FAILURE)
