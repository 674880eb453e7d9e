"""`nexus events`: what happens, as it happens. A lost connection is taken up again where it broke."""

from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import output
from nexus.cli.command import command
from nexus.cli.failures import INTERRUPTED
from nexus.cli.invocation import Cli
from nexus.cli.output import Format

if TYPE_CHECKING:
    from nexus.client.models import Happening

_MARKERS = ("hello", "heartbeat", "dropped")
_PAUSE_S = 1.0


def register(app: typer.Typer) -> None:
    @command(
        app,
        "events",
        examples=("nexus events", "nexus events --type vm. -o json", "nexus events --since 0"),
    )
    def follow_events(
        cli: Cli,
        *,
        since: Annotated[
            int | None, typer.Option(metavar="N", min=0, help="Begin after this number; default: now.")
        ] = None,
        type_: Annotated[
            list[str] | None,
            typer.Option("--type", metavar="TYPE", help="Only these; one that ends in a dot is a prefix. Repeatable."),
        ] = None,
    ) -> None:
        """Print what happens, one line each, until Ctrl-C."""
        import asyncio

        try:
            asyncio.run(_follow(cli, since=since, types=type_ or []))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


async def _follow(cli: Cli, *, since: int | None, types: list[str]) -> None:
    import asyncio

    from nexus.client.errors import Unreachable
    from nexus.client.models import Happening
    from nexus.client.sessions import stream

    has_begun = False
    while True:
        query = {"type": types, **({} if since is None else {"since": since})}
        try:
            async with stream(cli.client.transport, "/v1/events", query) as told:
                async for value in told:
                    happening, has_begun = Happening.model_validate(value), True
                    since = happening.seq
                    _print(cli, happening)
        except Unreachable:
            if not has_begun:
                raise
        await asyncio.sleep(_PAUSE_S)


def _print(cli: Cli, happening: "Happening") -> None:
    if happening.type == "dropped" and happening.why:
        cli.say(happening.why)
    if happening.type in _MARKERS:
        return
    if cli.format is not Format.TABLE:
        output.write(output.line(happening, cli.format))
        return
    told = {name: value for name, value in happening.data.items() if value not in (None, "") and name != "id"}
    facts = "  ".join(f"{name}={output.plain(value)}" for name, value in told.items())
    cells = (f"{happening.at:%H:%M:%S}", str(happening.seq), happening.type, str(happening.subject_id), facts)
    output.write("  ".join(cells).rstrip() + "\n")
