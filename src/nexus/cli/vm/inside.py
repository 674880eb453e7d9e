"""`vm metrics`, `vm credentials`: how busy a VM is, and who may sign in to it."""

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from nexus.cli import human, output
from nexus.cli.command import command
from nexus.cli.failures import INTERRUPTED, USAGE, CliFailure
from nexus.cli.history import Since, Step, begin_of, tell
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Credentials, Metrics, Vm


def register(app: typer.Typer) -> None:
    @command(
        app,
        "metrics",
        examples=(
            "nexus vm metrics web-1",
            "nexus vm metrics web-1 --watch -o json",
            "nexus vm metrics web-1 --since 24h --step 1h",
        ),
    )
    def read_metrics(
        cli: Cli,
        vm: VmArgument,
        *,
        watch: Annotated[bool, typer.Option("-w", "--watch", help="A sample each second, until Ctrl-C.")] = False,
        since: Since = None,
        step: Step = None,
    ) -> None:
        """Show how busy a VM is, now or over time; by its guest's account where it answers, else by its host's."""
        if watch and since is not None:
            raise CliFailure("--watch shows what comes, --since what was: give one of them.", exit_code=USAGE)
        if step is not None and since is None:
            raise CliFailure("--step belongs to --since.", exit_code=USAGE)
        target = the_vm(cli, vm)
        if since is not None:
            step_s = int(step.total_seconds()) if step else None
            tell(cli, cli.client.metrics.of_vm(target.id, since=begin_of(since), step_s=step_s))
            return
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


def _sourced(sample: "Metrics", figure: str, told: str | None) -> str | None:
    """A figure with who measured it."""
    source = sample.sources.get(figure)
    return f"{told} ({source})" if told and source else told


def _memory(sample: "Metrics") -> str | None:
    if sample.memory_used_kb is None:
        return None
    told = f"{_kib(sample.memory_used_kb)} of {_kib(sample.memory_total_kb)}"
    return _sourced(sample, "memory_used_kb", told)


def _traffic(sample: "Metrics", figure: str) -> str | None:
    """Bytes since boot, and each second."""
    told, per_s = _bytes(getattr(sample, figure)), human.rate(getattr(sample, f"{figure}_per_s"))
    return _sourced(sample, figure, f"{told}, {per_s}" if per_s else told)


def _guest_disk(sample: "Metrics") -> str | None:
    total, free = _side(sample, "guest", "root_total_bytes"), _side(sample, "guest", "root_free_bytes")
    return None if total is None or free is None else f"{_bytes(total - free)} of {_bytes(total)}"


def _load(sample: "Metrics") -> str | None:
    loads = [_side(sample, "guest", name) for name in ("load_1", "load_5", "load_15")]
    return None if None in loads else " ".join(f"{load:.2f}" for load in loads)


_metrics: "list[Column[Metrics]]" = [
    Column("CPU", lambda sample: _sourced(sample, "cpu_usage_percent", human.percent(sample.cpu_usage_percent))),
    Column("Memory", _memory),
    Column("Guest disk", _guest_disk),
    Column("Guest load", _load),
    Column("Processes", lambda sample: _side(sample, "guest", "processes")),
    Column("Host CPU", lambda sample: human.percent(_side(sample, "host", "cpu_percent"))),
    Column("Host memory", lambda sample: _kib(_side(sample, "host", "memory_rss_kib"))),
    Column("Disk read", lambda sample: _traffic(sample, "disk_read_bytes")),
    Column("Disk written", lambda sample: _traffic(sample, "disk_write_bytes")),
    Column("Net received", lambda sample: _traffic(sample, "network_in_bytes")),
    Column("Net sent", lambda sample: _traffic(sample, "network_out_bytes")),
]

_credentials: "list[Column[Credentials]]" = [
    Column("User", lambda found: found.username),
    Column("Password", lambda found: found.password),
]


def _line(sample: "Metrics") -> str:
    cells = (
        f"{sample.at:%H:%M:%S}",
        f"cpu {output.plain(human.percent(sample.cpu_usage_percent))}",
        f"memory {output.plain(_memory(sample))}",
        f"load {output.plain(_load(sample))}",
        f"host cpu {output.plain(human.percent(_side(sample, 'host', 'cpu_percent')))}",
    )
    return "  ".join(cells)
