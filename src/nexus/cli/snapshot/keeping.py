"""`snapshot edit` and `delete`."""

from typing import Annotated

import typer

from nexus.cli.command import command
from nexus.cli.completing import snapshot_names
from nexus.cli.deleting import YesOption, require_consent
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.snapshot.subject import DescriptionOption, SnapshotArgument, the_snapshot
from nexus.cli.vm.removing import delete_and_watch
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout


def register(app: typer.Typer) -> None:
    @command(app, "edit", examples="nexus snapshot edit web-1-20260102-101500-a1b2 --name before-upgrade")
    def edit_snapshot(
        cli: Cli,
        snapshot: SnapshotArgument,
        *,
        name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
        description: DescriptionOption = None,
    ) -> None:
        """Change what a snapshot is called and said to be for. What it holds never changes."""
        if name is None and description is None:
            raise CliFailure(
                "Nothing to change was given.", suggestion="See: nexus snapshot edit --help", exit_code=USAGE
            )
        target = the_snapshot(cli, snapshot)
        cli.client.snapshots.edit(target.id, name=name, description=description)
        cli.say(f"{name or target.name} is changed.")
        cli.result(cli.client.snapshots.get(target.id))

    @command(app, "delete", examples=("nexus snapshot delete before-upgrade", "nexus snapshot delete --yes a b"))
    def delete_snapshots(
        cli: Cli,
        snapshot: Annotated[
            list[str], typer.Argument(metavar="SNAPSHOT", help="Names or ids.", autocompletion=snapshot_names)
        ],
        *,
        yes: YesOption = False,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Delete snapshots. VMs made from them stay. At a terminal it asks first."""
        targets = [the_snapshot(cli, one) for one in snapshot]
        require_consent(
            cli, targets, yes=yes, warning=f"There is no going back to {'it' if len(targets) == 1 else 'them'}."
        )
        delete_and_watch(cli, targets, cli.client.snapshots.delete, no_wait=no_wait, timeout_s=timeout)
