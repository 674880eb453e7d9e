"""The snapshot a command is about."""

from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.completing import snapshot_names
from nexus.cli.invocation import Cli
from nexus.cli.naming import MOST_SUGGESTED, the

if TYPE_CHECKING:
    from nexus.client.models import Snapshot

SnapshotArgument = Annotated[
    str, typer.Argument(metavar="SNAPSHOT", help="Name or id of a snapshot.", autocompletion=snapshot_names)
]
DescriptionOption = Annotated[str | None, typer.Option(metavar="TEXT", help="For people to read.")]


def the_snapshot(cli: Cli, given: str) -> "Snapshot":
    """The snapshot meant by a name or an id."""
    snapshots = cli.client.snapshots
    return the(
        "snapshot",
        given,
        get=snapshots.get,
        named=lambda name: snapshots.list(name=name),
        everything=lambda: snapshots.list(limit=MOST_SUGGESTED),
    )


def size(size_bytes: int | None) -> str | None:
    """What something takes, as far as that is known."""
    return None if size_bytes is None else human.size(size_bytes)
