"""`vm top`: the VMs that are busiest, as they are."""

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human, output
from nexus.cli.command import command
from nexus.cli.failures import INTERRUPTED
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus.client.models import Usage, Vm

_HOME_AND_CLEAR = "\x1b[H\x1b[J"
DEFAULT_ROWS = 20


def register(app: typer.Typer) -> None:
    @command(app, "top", examples=("nexus vm top", "nexus vm top --by memory --once"))
    def top_vms(
        cli: Cli,
        *,
        by: Annotated[str, typer.Option(metavar="FIELD", help="cpu or memory.")] = "cpu",
        rows: Annotated[int, typer.Option(metavar="N", min=1, max=500, help="How many.")] = DEFAULT_ROWS,
        interval: Annotated[
            float, typer.Option(metavar="SECONDS", min=1, help="How often to look; hosts measure every 10 s.")
        ] = 5,
        once: Annotated[bool, typer.Option("--once", help="Look once, as for a script.")] = False,
    ) -> None:
        """Show what the busiest VMs use: again and again at a terminal, until Ctrl-C; otherwise once."""
        is_live = not once and cli.format is Format.TABLE and sys.stdout.isatty()
        try:
            while True:
                found = cli.client.vms.list(sort=f"-{by}", limit=rows)
                if is_live:
                    output.write(f"{_HOME_AND_CLEAR}{datetime.now(UTC):%H:%M:%S} UTC, busiest first ({by})\n\n")
                measured = [vm for vm in found if vm.usage is not None]
                cli.list(measured, COLUMNS, empty="No VM runs that has been measured.")
                if not is_live:
                    return
                time.sleep(interval)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _of(figure: "Callable[[Usage], object]") -> "Callable[[Vm], object]":
    return lambda vm: None if vm.usage is None else figure(vm.usage)


COLUMNS: "list[Column[Vm]]" = [
    Column("NAME", lambda vm: vm.name),
    Column("CPU", _of(lambda usage: human.percent(usage.cpu_usage_percent))),
    Column("MEMORY", _of(lambda usage: human.percent(usage.memory_usage_percent))),
    Column("USED", _of(lambda usage: human.size(usage.memory_used_kb * 1024))),
    Column("OF", _of(lambda usage: human.size(usage.memory_total_kb * 1024))),
    Column("NET IN", _of(lambda usage: human.rate(usage.network_in_bytes_per_s))),
    Column("NET OUT", _of(lambda usage: human.rate(usage.network_out_bytes_per_s))),
    Column("READ", _of(lambda usage: human.rate(usage.disk_read_bytes_per_s))),
    Column("WRITTEN", _of(lambda usage: human.rate(usage.disk_write_bytes_per_s))),
    Column("VCPU", lambda vm: vm.vcpu),
    Column("HOST", lambda vm: vm.host_name),
]
