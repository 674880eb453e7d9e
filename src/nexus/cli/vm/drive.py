"""`vm drive`: the disks of a VM."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human, rates
from nexus.cli.command import command, new_app
from nexus.cli.completing import data_image_names
from nexus.cli.deleting import YesOption
from nexus.cli.failures import REFUSED, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.output import Column
from nexus.cli.vm.create import bytes_option
from nexus.cli.vm.devices import DriveArgument, DrivePreset, bandwidth, count, preset, require_one, tell
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Drive

commands: typer.Typer = new_app("Drives: add them, let them grow, limit them, remove them.")


class Cache(StrEnum):
    WRITEBACK = "writeback"
    WRITETHROUGH = "writethrough"
    UNSAFE = "unsafe"


class Engine(StrEnum):
    SYNC = "sync"
    ASYNC = "async"


class FileSystem(StrEnum):
    EXT4 = "ext4"
    RAW = "raw"


SizeOption = Annotated[int | None, typer.Option(metavar="SIZE", parser=bytes_option, help="Such as 10G.")]
CacheOption = Annotated[
    Cache | None,
    typer.Option(help="writeback: on disk when the guest asks; writethrough: with every write; unsafe: sometime."),
]
EngineOption = Annotated[Engine | None, typer.Option("--io-engine", help="sync: by threads; async: by io_uring.")]
PathOption = Annotated[
    str | None, typer.Option("--path", metavar="PATH", help="A file of the VM's host (administrators only).")
]
BandwidthOption = Annotated[
    str | None, typer.Option("--bandwidth", metavar="RATE", help="What is read and written together, such as 50MB/s.")
]
OpsOption = Annotated[str | None, typer.Option("--ops", metavar="NUMBER", help="Operations per second, such as 500.")]
BurstOption = Annotated[
    int | None, typer.Option(metavar="SIZE", parser=bytes_option, help="How much may pass at once, such as 100M.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="drive")


def _columns() -> "list[Column[Drive]]":
    return [
        Column("DRIVE", lambda drive: drive.drive_id),
        Column("ROLE", lambda drive: drive.role),
        Column("SIZE", lambda drive: human.size(drive.size_bytes) if drive.size_bytes else None),
        Column("FORMAT", lambda drive: drive.format),
        Column("ACCESS", lambda drive: "read-only" if drive.is_read_only else "read-write"),
        Column("CACHE", lambda drive: drive.cache_type.lower()),
        Column("LIMITS", _limits),
        Column("SOURCE", lambda drive: drive.path_on_host or drive.image),
        Column("PENDING", lambda drive: "yes" if drive.is_pending else None),
    ]


def _limits(drive: "Drive") -> list[str]:
    limiter = drive.rate_limiter
    if limiter is None:
        return []
    told = (rates.bytes_per_second(limiter.bandwidth), rates.times_per_second(limiter.ops))
    return [one for one in told if one is not None]


@command(commands, "list", examples=("nexus vm drive list web-1", "nexus vm drive list web-1 -o json"))
def list_drives(cli: Cli, vm: VmArgument) -> None:
    """List the drives of a VM, as its guest counts them: the first is vda."""
    target = the_vm(cli, vm)
    cli.list(cli.client.drives.list(target.id), _columns(), empty=f"{target.name} has no drives.")


@command(
    commands,
    "add",
    examples=(
        "nexus vm drive add web-1 data --size 10G",
        "nexus vm drive add web-1 set --image training-set --read-only",
        "nexus vm drive add web-1 volume --path /srv/volumes/one.img --bandwidth 50MB/s",
    ),
)
def add_drive(
    cli: Cli,
    vm: VmArgument,
    drive: Annotated[str, typer.Argument(metavar="DRIVE", help="What to call it: letters, digits and _.")],
    *,
    size: SizeOption = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Begin with an image of kind data.", autocompletion=data_image_names),
    ] = None,
    path: PathOption = None,
    format: Annotated[FileSystem | None, typer.Option(help="Of an empty drive; raw: nothing is on it.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="The guest cannot write on it.")] = False,
    cache: CacheOption = None,
    io_engine: EngineOption = None,
    rate: BandwidthOption = None,
    ops: OpsOption = None,
    limits: DrivePreset = None,
) -> None:
    """Add a drive: empty, from an image, or a file of the VM's host. A running VM gets it at once where it can."""
    target = the_vm(cli, vm)
    wanted: dict[str, object] = {
        "drive_id": drive,
        "size_bytes": size,
        "image": image,
        "path_on_host": path,
        "format": format.value if format else None,
        "is_read_only": read_only or None,
        "cache_type": cache.value.capitalize() if cache else None,
        "io_engine": io_engine.value.capitalize() if io_engine else None,
        "rate_limiter": _limiter(cli, name=limits, rate=rate, ops=ops, burst=None),
    }
    made = cli.client.drives.add(target.id, {name: value for name, value in wanted.items() if value is not None})
    size_told = f" ({human.size(made.size_bytes)})" if made.size_bytes else ""
    tell(cli, target, made, f"Drive {made.drive_id}{size_told} is added.")


@command(
    commands,
    "set",
    examples=("nexus vm drive set web-1 data --size 20G", "nexus vm drive set web-1 data --cache unsafe"),
)
def set_drive(
    cli: Cli,
    vm: VmArgument,
    drive: DriveArgument,
    *,
    size: SizeOption = None,
    path: PathOption = None,
    cache: CacheOption = None,
    io_engine: EngineOption = None,
) -> None:
    """Let a drive grow, give it another file of the host, or change how it is served."""
    changes: dict[str, object] = {
        "size_bytes": size,
        "path_on_host": path,
        "cache_type": cache.value.capitalize() if cache else None,
        "io_engine": io_engine.value.capitalize() if io_engine else None,
    }
    require_one(changes, of="nexus vm drive set")
    target = the_vm(cli, vm)
    given = {name: value for name, value in changes.items() if value is not None}
    changed = cli.client.drives.edit(target.id, drive, given)
    tell(cli, target, changed, f"Drive {changed.drive_id} is changed.")
    if size is not None and changed.format == "ext4" and changed.role == "data":
        cli.say(
            f"The file system on it grows when the guest is told: resize2fs, on the disk of serial {changed.drive_id}."
        )


@command(
    commands,
    "limit",
    examples=(
        "nexus vm drive limit web-1 data --bandwidth 50MB/s --ops 500",
        "nexus vm drive limit web-1 data --preset standard",
        "nexus vm drive limit web-1 data --none",
    ),
)
def limit_drive(
    cli: Cli,
    vm: VmArgument,
    drive: DriveArgument,
    *,
    rate: BandwidthOption = None,
    ops: OpsOption = None,
    burst: BurstOption = None,
    limits: DrivePreset = None,
    none: Annotated[bool, typer.Option("--none", help="Take all its limits away.")] = False,
) -> None:
    """Limit what a drive reads and writes, in place of all its limits before; in a running VM at once."""
    asked = {"--none": none, "--preset": limits, "--bandwidth or --ops": rate or ops}
    if sum(bool(value) for value in asked.values()) > 1:
        raise CliFailure("--none, --preset and limits of your own exclude each other.", exit_code=USAGE)
    require_one(dict(asked), of="nexus vm drive limit")
    if burst is not None and rate is None:
        raise CliFailure("--burst belongs to --bandwidth.", exit_code=USAGE)
    target = the_vm(cli, vm)
    limiter = None if none else _limiter(cli, name=limits, rate=rate, ops=ops, burst=burst)
    changed = cli.client.drives.edit(target.id, drive, {"rate_limiter": limiter})
    told = f"is limited to {' and '.join(_limits(changed))}" if changed.rate_limiter else "is not limited any more"
    tell(cli, target, changed, f"Drive {changed.drive_id} {told}.")


@command(commands, "remove", examples=("nexus vm drive remove web-1 data", "nexus vm drive remove --yes web-1 data"))
def remove_drive(cli: Cli, vm: VmArgument, drive: DriveArgument, *, yes: YesOption = False) -> None:
    """Remove a drive. What is on it is lost, unless it is a file of the host's own. Asks first at a terminal."""
    target = the_vm(cli, vm)
    found = cli.client.drives.get(target.id, drive)
    is_kept = found.path_on_host is not None or (found.image is not None and found.is_read_only)
    lost = "Its file stays." if is_kept else "What is on it is lost for good."
    if not yes and cli.is_interactive and not cli.confirm(f"Remove drive {found.drive_id} of {target.name}? {lost}"):
        raise CliFailure("Nothing was removed.", exit_code=REFUSED)
    removed = cli.client.drives.remove(target.id, str(found.id))
    data = "its data is deleted" if removed.data == "deleted" else "its file is kept"
    tell_removal = f"Drive {found.drive_id} is removed; {data}."
    if removed.applied == "next_start" and target.state not in ("stopped", "error"):
        cli.say(f"{tell_removal} {target.name} has it until its next start: nexus vm reboot {target.name}")
    else:
        cli.say(tell_removal)
    cli.result(removed)


def _limiter(
    cli: Cli, *, name: str | None, rate: str | None, ops: str | None, burst: int | None
) -> dict[str, object] | None:
    """What of limits was asked for; None: nothing was."""
    if name is not None:
        return preset(cli, "drive", name)
    found = {"bandwidth": bandwidth(rate, burst_bytes=burst), "ops": count(ops)}
    return {kind: value for kind, value in found.items() if value is not None} or None
