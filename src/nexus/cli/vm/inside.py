"""`vm console`, `vm metrics`, `vm credentials`: what a VM says, how busy it is, and who may sign in to it."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from nexus.cli import human, output
from nexus.cli.command import command
from nexus.cli.failures import INTERRUPTED
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Credentials, Metrics, Vm

_FOLLOW_PAUSE_S = 0.5


def register(app: typer.Typer) -> None:
    @command(app, "console", examples=("nexus vm console web-1", "nexus vm console web-1 --follow"))
    def read_console(
        cli: Cli,
        vm: VmArgument,
        *,
        follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
        offset: Annotated[int, typer.Option(metavar="BYTE", min=0, help="Begin at this byte.")] = 0,
    ) -> None:
        """Print what a VM's serial console has said: kernel messages, boot, panics. It is read-only; see vm shell."""
        target = the_vm(cli, vm)
        try:
            _print_console(cli, target, offset=offset, follow=follow)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    @command(app, "metrics", examples=("nexus vm metrics web-1", "nexus vm metrics web-1 --watch -o json"))
    def read_metrics(
        cli: Cli,
        vm: VmArgument,
        *,
        watch: Annotated[bool, typer.Option("-w", "--watch", help="A sample each second, until Ctrl-C.")] = False,
    ) -> None:
        """Show how busy a VM is: what its host sees, and what its guest says."""
        target = the_vm(cli, vm)
        if not watch:
            cli.show(cli.client.vms.metrics(target.id), _metrics)
            return
        import asyncio

        try:
            asyncio.run(_watch(cli, target))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    @command(app, "credentials", examples=("nexus vm credentials web-1", "nexus vm credentials web-1 -o json"))
    def show_credentials(cli: Cli, vm: VmArgument) -> None:
        """Show the user name and password of a VM's guest.

        They are those it was created with; what was changed in the guest since is not known here.
        """
        cli.show(cli.client.vms.credentials(the_vm(cli, vm).id), _credentials)


def _print_console(cli: Cli, vm: "Vm", *, offset: int, follow: bool) -> None:
    while True:
        chunk = cli.client.vms.console(vm.id, offset=offset)
        sys.stdout.buffer.write(chunk.content)
        sys.stdout.buffer.flush()
        offset = chunk.offset + len(chunk.content)
        if offset >= chunk.size_bytes or not chunk.content:
            if not follow:
                return
            time.sleep(_FOLLOW_PAUSE_S)


async def _watch(cli: Cli, vm: "Vm") -> None:
    from nexus.client.models import Metrics
    from nexus.client.sessions import stream

    async with stream(cli.client.transport, f"/v1/vms/{vm.id}/metrics/ws") as samples:
        async for value in samples:
            sample = Metrics.model_validate(value.get("item", value))
            if cli.format is Format.TABLE:
                output.write(f"{_line(sample)}\n")
            else:
                output.write(output.line(sample, cli.format))


def _side(sample: "Metrics", side: str, name: str) -> Any:
    values = cast("dict[str, Any]", getattr(sample, side) or {})
    return values.get(name)


def _kib(value: Any) -> str | None:
    return None if value is None else human.size(value * 1024)


def _bytes(value: Any) -> str | None:
    return None if value is None else human.size(value)


def _percent(value: Any) -> str | None:
    return None if value is None else f"{value:.1f} %"


def _guest_memory(sample: "Metrics") -> str | None:
    total = _side(sample, "guest", "memory_total_kib")
    available = _side(sample, "guest", "memory_available_kib")
    return None if total is None or available is None else f"{_kib(total - available)} of {_kib(total)}"


def _guest_disk(sample: "Metrics") -> str | None:
    total, free = _side(sample, "guest", "root_total_bytes"), _side(sample, "guest", "root_free_bytes")
    return None if total is None or free is None else f"{_bytes(total - free)} of {_bytes(total)}"


def _load(sample: "Metrics") -> str | None:
    loads = [_side(sample, "guest", name) for name in ("load_1", "load_5", "load_15")]
    return None if None in loads else " ".join(f"{load:.2f}" for load in loads)


_metrics: "list[Column[Metrics]]" = [
    Column("Guest CPU", lambda sample: _percent(_side(sample, "guest", "cpu_percent"))),
    Column("Guest memory", _guest_memory),
    Column("Guest disk", _guest_disk),
    Column("Guest load", _load),
    Column("Processes", lambda sample: _side(sample, "guest", "processes")),
    Column("Host CPU", lambda sample: _percent(_side(sample, "host", "cpu_percent"))),
    Column("Host memory", lambda sample: _kib(_side(sample, "host", "memory_rss_kib"))),
    Column("Disk read", lambda sample: _bytes(_side(sample, "host", "disk_read_bytes"))),
    Column("Disk written", lambda sample: _bytes(_side(sample, "host", "disk_written_bytes"))),
    Column("Net received", lambda sample: _bytes(_side(sample, "host", "net_received_bytes"))),
    Column("Net sent", lambda sample: _bytes(_side(sample, "host", "net_sent_bytes"))),
]

_credentials: "list[Column[Credentials]]" = [
    Column("User", lambda found: found.username),
    Column("Password", lambda found: found.password),
]


def _line(sample: "Metrics") -> str:
    cells = (
        f"{sample.at:%H:%M:%S}",
        f"guest cpu {output.plain(_percent(_side(sample, 'guest', 'cpu_percent')))}",
        f"memory {output.plain(_guest_memory(sample))}",
        f"load {output.plain(_load(sample))}",
        f"host cpu {output.plain(_percent(_side(sample, 'host', 'cpu_percent')))}",
    )
    return "  ".join(cells)
