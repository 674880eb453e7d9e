"""Use over time, as a table: of a VM or a host."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format

if TYPE_CHECKING:
    from nexus.client.models import History, Point


def _span_option(text: str) -> timedelta:
    try:
        return human.parse_span(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from wrong


Since = Annotated[
    timedelta | None,
    typer.Option("--since", parser=_span_option, metavar="SPAN", help="What was used over the last 30m, 24h, 7d …"),
]
Step = Annotated[
    timedelta | None,
    typer.Option("--step", parser=_span_option, metavar="SPAN", help="A line for each 5m, 1h …; with --since."),
]

_COLUMNS: "list[Column[Point]]" = [
    Column("AT (UTC)", lambda point: f"{point.at.astimezone(UTC):%Y-%m-%d %H:%M}"),
    Column("CPU", lambda point: human.percent(point.cpu_usage_percent)),
    Column("MOST", lambda point: human.percent(point.cpu_usage_percent_max)),
    Column("MEMORY", lambda point: human.percent(point.memory_usage_percent)),
    Column("USED", lambda point: human.size(point.memory_used_kb * 1024)),
    Column("NET IN", lambda point: human.rate(point.network_in_bytes_per_s)),
    Column("NET OUT", lambda point: human.rate(point.network_out_bytes_per_s)),
    Column("READ", lambda point: human.rate(point.disk_read_bytes_per_s)),
    Column("WRITTEN", lambda point: human.rate(point.disk_write_bytes_per_s)),
    Column("SOURCE", lambda point: point.source),
]


def begin_of(since: timedelta) -> datetime:
    return datetime.now(UTC) - since


def tell(cli: Cli, history: "History") -> None:
    """Print the points: a table for people, all of the answer for programs."""
    if cli.format is Format.TABLE:
        cli.list(list(history.points), _COLUMNS, empty="Nothing was measured then.")
    else:
        cli.result(history)
