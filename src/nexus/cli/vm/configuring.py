"""`vm config`, `vm configure`, `vm balloon`: what a VM is made of, and changing it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format
from nexus.cli.vm.devices import tell
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.configuration import Readable
    from nexus.client.models import Changed, Setting, Vm

_SHOWN: "tuple[Readable, ...]" = (
    *("machine-config", "boot-source", "balloon", "entropy", "serial", "logger"),
    *("cpu-config", "vsock", "guest-ip"),
)
MIB = 1024**2


def register(app: typer.Typer) -> None:
    @command(app, "config", examples=("nexus vm config web-1", "nexus vm config web-1 -o json"))
    def show_config(cli: Cli, vm: VmArgument) -> None:
        """Show what a VM is made of, and what of it waits for its next start.

        Drives, NICs and metadata have commands of their own.
        """
        target = the_vm(cli, vm)
        settings = {name: _plain(cli.client.configuration.get(target.id, name)) for name in _SHOWN}
        cli.show({**settings, "pending_changes": list(target.pending_changes)}, _columns())

    @command(
        app,
        "configure",
        examples=(
            "nexus vm configure web-1 --vcpu 4 --memory 2G",
            "nexus vm configure web-1 --boot-args 'loglevel=7'",
            "nexus vm configure web-1 --initrd my-initrd      # boots without the platform's guest agent",
            "nexus vm configure web-1 --entropy-limit 64K --console-log 16M",
        ),
    )
    def configure_vm(
        cli: Cli,
        vm: VmArgument,
        *,
        vcpu: Annotated[int | None, typer.Option(metavar="N", min=1, help="Virtual CPUs.")] = None,
        memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory, such as 512M or 2G.")] = None,
        kernel: Annotated[str | None, typer.Option(metavar="IMAGE", help="Kernel image to boot.")] = None,
        initrd: Annotated[str | None, typer.Option(metavar="IMAGE", help="Initramfs image to boot.")] = None,
        guest_agent: Annotated[
            bool | None, typer.Option(help="Whether that initramfs brings the platform's guest agent.")
        ] = None,
        boot_args: Annotated[
            str | None, typer.Option(metavar="TEXT", help="Appended to the kernel's command line; '' for none.")
        ] = None,
        entropy_limit: Annotated[
            str | None, typer.Option(metavar="SIZE", help="Randomness it may draw per second; 0: no limit.")
        ] = None,
        console_log: Annotated[
            str | None, typer.Option(metavar="SIZE", help="How much of its console is kept; 0: the default.")
        ] = None,
        address: Annotated[str | None, typer.Option(metavar="IP", help="Address of its first interface.")] = None,
    ) -> None:
        """Change what a VM is made of. It says whether a running VM has it now or after its next start."""
        target = the_vm(cli, vm)
        boot = {"kernel": kernel, "initrd": initrd, "guest_agent": guest_agent}
        boot = _given(boot) | ({} if boot_args is None else {"boot_args": boot_args or None})
        size = _given({"vcpu": vcpu, "mem_mib": None if memory is None else _mib(memory)})
        settings, wanted = cli.client.configuration, list[tuple[str, Callable[[], "Changed"]]]()
        if size:
            wanted.append(("Its size is set.", partial(settings.patch, target.id, "machine-config", size)))
        if boot:
            wanted.append(("What it boots is set.", partial(settings.patch, target.id, "boot-source", boot)))
        if entropy_limit is not None:
            rate = {"rate_limiter": _per_second(entropy_limit)}
            wanted.append(("Its entropy limit is set.", partial(settings.put, target.id, "entropy", rate)))
        if console_log is not None:
            limit = {"log_limit_bytes": _bytes(console_log) or None}
            wanted.append(("Its console's log is set.", partial(settings.put, target.id, "serial", limit)))
        if address is not None:
            wanted.append(("Its address is set.", partial(settings.set_address, target.id, address)))
        if not wanted:
            raise CliFailure("Nothing to change.", suggestion="See `nexus vm configure --help`.", exit_code=USAGE)
        made: list[tuple[str, Changed]] = []
        try:
            for what, change in wanted:
                made.append((what, change()))
        finally:
            _tell_all(cli, target, made)

    @command(
        app,
        "balloon",
        examples=(
            "nexus vm balloon web-1                 # how far it is",
            "nexus vm balloon web-1 256M            # have the guest give back 256 MiB",
            "nexus vm balloon web-1 0 --stats-every 0",
        ),
    )
    def balloon_vm(
        cli: Cli,
        vm: VmArgument,
        amount: Annotated[
            str | None, typer.Argument(metavar="[SIZE]", help="Memory to give back; 0: take all of it back.")
        ] = None,
        *,
        stats_every: Annotated[
            int | None,
            typer.Option(metavar="SECONDS", min=0, help="How often the guest tells of its memory; 0: not at all."),
        ] = None,
        deflate_on_oom: Annotated[
            bool | None, typer.Option(help="Whether a guest short of memory takes it back; from its next start on.")
        ] = None,
    ) -> None:
        """Have a running VM's guest give memory back to its host, or see how far it is."""
        target = the_vm(cli, vm)
        settings = cli.client.configuration
        if amount is None and stats_every is None and deflate_on_oom is None:
            cli.show(_plain(settings.get(target.id, "balloon/statistics")), _BALLOON)
            return
        wanted = _plain(settings.get(target.id, "balloon")) | _given(
            {
                "amount_mib": None if amount is None else _mib(amount),
                "stats_polling_interval_s": stats_every,
                "deflate_on_oom": deflate_on_oom,
            }
        )
        tell(cli, target, settings.put(target.id, "balloon", wanted), "The balloon is set.")


def _tell_all(cli: Cli, vm: "Vm", made: "list[tuple[str, Changed]]") -> None:
    """Say of each change when the VM has it, also when one after them was refused; programs get one list."""
    if not made:
        return
    if len(made) == 1:
        [(what, changed)] = made
        tell(cli, vm, changed, what)
        return
    for what, changed in made:
        tell(replace(cli, format=Format.TABLE), vm, changed, what)
    cli.result([changed for _, changed in made])


def _plain(setting: "Setting") -> dict[str, Any]:
    return setting.model_dump(mode="json")


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _bytes(text: str) -> int:
    try:
        return human.parse_bytes(text)
    except ValueError as wrong:
        raise CliFailure(str(wrong), exit_code=USAGE) from wrong


def _mib(text: str) -> int:
    """A size in MiB; 0 is one."""
    if text.strip() == "0":
        return 0
    try:
        return human.parse_mib(text)
    except ValueError as wrong:
        raise CliFailure(str(wrong), exit_code=USAGE) from wrong


def _per_second(text: str) -> dict[str, Any] | None:
    size = _bytes(text)
    return {"bandwidth": {"size": size, "refill_time": 1000}} if size else None


def _columns() -> "list[Column[dict[str, Any]]]":
    return [
        Column("vCPUs", lambda all_: _with_running(all_["machine-config"], "vcpu", str)),
        Column("Memory", lambda all_: _with_running(all_["machine-config"], "mem_mib", _of_mib)),
        Column("Kernel", lambda all_: all_["boot-source"]["kernel"]),
        Column("Initramfs", lambda all_: all_["boot-source"]["initrd"]),
        Column("Guest agent", lambda all_: "yes" if all_["boot-source"]["guest_agent"] else "no"),
        Column("Boot args", lambda all_: all_["boot-source"]["boot_args"]),
        Column("Balloon", lambda all_: human.size(all_["balloon"]["amount_mib"] * MIB)),
        Column("Entropy limit", lambda all_: _rate(all_["entropy"]["rate_limiter"])),
        Column("Console log", lambda all_: _size(all_["serial"]["log_limit_bytes"])),
        Column("Log level", lambda all_: all_["logger"]["level"]),
        Column("CPU template", lambda all_: "custom" if all_["cpu-config"]["cpu_config"] else None),
        Column("Vsock CID", lambda all_: all_["vsock"]["guest_cid"]),
        Column("Address", lambda all_: all_["guest-ip"]["ip"]),
        Column("Waiting for a start", lambda all_: all_["pending_changes"]),
    ]


def _of_mib(mib: int) -> str:
    return human.size(mib * MIB)


def _with_running(size: dict[str, Any], name: str, written: Callable[[int], str]) -> str:
    running = size[f"running_{name}"]
    told = written(size[name])
    return told if running in (None, size[name]) else f"{told} (running with {written(running)})"


def _rate(limiter: dict[str, Any] | None) -> str | None:
    bucket = limiter and limiter["bandwidth"]
    return f"{human.size(bucket['size'] * 1000 / bucket['refill_time'])}/s" if bucket else None


def _size(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else human.size(size_bytes)


_BALLOON: "list[Column[dict[str, Any]]]" = [
    Column("Target", lambda seen: human.size(seen["target_mib"] * MIB)),
    Column("Given back", lambda seen: human.size(seen["actual_mib"] * MIB)),
    Column("Guest total", lambda seen: _size(seen["total_memory"])),
    Column("Guest free", lambda seen: _size(seen["free_memory"])),
    Column("Guest available", lambda seen: _size(seen["available_memory"])),
    Column("Guest caches", lambda seen: _size(seen["disk_caches"])),
    Column("Swapped in", lambda seen: _size(seen["swap_in"])),
    Column("Swapped out", lambda seen: _size(seen["swap_out"])),
    Column("Major faults", lambda seen: seen["major_faults"]),
]
