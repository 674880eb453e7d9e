"""`nexus context`: which managers this command knows, and which it talks to."""

from typing import Annotated

import typer

from nexus.cli import contexts
from nexus.cli.command import command, new_app
from nexus.cli.invocation import Cli
from nexus.cli.output import Column

app: typer.Typer = new_app("Managers this command knows, and which one it talks to.")

Row = dict[str, object]


@command(app, "list", examples="nexus context list")
def list_contexts(cli: Cli) -> None:
    """List the contexts. The one in use has a star."""
    saved = contexts.load()
    rows: list[Row] = [
        {
            "name": name,
            "current": name == saved.current,
            "url": context.url,
            "username": context.username,
            "signed_in": context.token is not None,
        }
        for name, context in sorted(saved.contexts.items())
    ]
    columns = [
        Column[Row]("CURRENT", lambda row: "*" if row["current"] else ""),
        Column[Row]("NAME", lambda row: row["name"]),
        Column[Row]("URL", lambda row: row["url"]),
        Column[Row]("USER", lambda row: row["username"]),
        Column[Row]("SIGNED IN", lambda row: "yes" if row["signed_in"] else "no"),
    ]
    cli.list(rows, columns, empty="No contexts yet. `nexus login` makes one.")


def _names(incomplete: str) -> list[str]:
    return [name for name in contexts.load().contexts if name.startswith(incomplete)]


@command(app, "use", examples="nexus context use work")
def use_context(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="CONTEXT", help="A context from the list.", autocompletion=_names)],
) -> None:
    """Talk to another manager from now on."""
    saved = contexts.load()
    context = saved.named(name)
    contexts.save(saved.using(name))
    cli.say(f"Using {name} ({context.url}).")
