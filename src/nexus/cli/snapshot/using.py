"""`snapshot restore` and `rollback`: going on from what was kept."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.deleting import YesOption
from nexus.cli.failures import REFUSED, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.snapshot.subject import DescriptionOption, SnapshotArgument, the_snapshot
from nexus.cli.vm.create import create_and_wait
from nexus.cli.vm.subject import recorded, say_recorded, settle
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout


def register(app: typer.Typer) -> None:
    @command(
        app,
        "restore",
        examples=(
            "nexus snapshot restore before-upgrade web-2",
            "nexus snapshot restore before-upgrade --description 'to look at yesterday'",
        ),
    )
    def restore_snapshot(
        cli: Cli,
        snapshot: SnapshotArgument,
        name: Annotated[
            str | None, typer.Argument(metavar="VM", help="Name of the new VM; default: the old one's with a number.")
        ] = None,
        *,
        description: DescriptionOption = None,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Make a new VM from a snapshot, with a name, addresses and keys of its own."""
        target = the_snapshot(cli, snapshot)
        create_and_wait(
            cli,
            lambda: cli.client.snapshots.instantiate(target.id, name=name, description=description),
            name=name,
            no_wait=no_wait,
            timeout_s=timeout,
        )

    @command(
        app, "rollback", examples=("nexus snapshot rollback before-upgrade", "nexus snapshot rollback --yes nightly")
    )
    def roll_back(
        cli: Cli,
        snapshot: SnapshotArgument,
        *,
        yes: YesOption = False,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Have a VM be what it was when this snapshot of it was taken, and run. Everything since is lost."""
        began = time.monotonic()
        target = the_snapshot(cli, snapshot)
        if target.vm_id is None:
            imported = f"{target.name} was imported: no VM here could go back to it."
            gone = f"{target.vm_name}, of which {target.name} was taken, is deleted."
            raise CliFailure(
                imported if target.is_imported else gone,
                suggestion=f"Make a new VM from it: nexus snapshot restore {target.name}",
                exit_code=REFUSED,
            )
        vm, age = cli.client.vms.get(target.vm_id), human.ago(target.created_at, now=datetime.now(UTC))
        question = (
            f"Roll {vm.name} back to {target.name}? All that it did in the {age} since, on its disks too, is lost."
        )
        if not yes and cli.is_interactive and not cli.confirm(question):
            raise CliFailure("Nothing was rolled back.", exit_code=REFUSED)
        accepted = cli.client.snapshots.roll_back(vm.id, target.id)
        if no_wait:
            say_recorded(cli, name=vm.name, operation_id=accepted.operation_id)
            cli.result(recorded(name=vm.name, vm_id=vm.id, operation_id=accepted.operation_id))
            return
        settle(cli, accepted, label=f"Rolling back {vm.name}", timeout_s=timeout)
        cli.say(f"{vm.name} is what it was, and running ({time.monotonic() - began:.1f} s).")
        cli.result(cli.client.vms.get(vm.id))
