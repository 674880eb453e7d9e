"""`snapshot create`."""

import time
from typing import Annotated
from uuid import UUID

import typer

from nexus.cli.command import command
from nexus.cli.completing import snapshot_names
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.snapshot.subject import DescriptionOption, size, the_snapshot
from nexus.cli.vm.subject import VmArgument, recorded, say_recorded, the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout, follow


def register(app: typer.Typer) -> None:
    @command(
        app,
        "create",
        examples=(
            "nexus snapshot create web-1 --name before-upgrade",
            "nexus snapshot create web-1 --diff",
            "nexus snapshot create web-1 --keep-last 7",
        ),
    )
    def create_snapshot(
        cli: Cli,
        vm: VmArgument,
        *,
        name: Annotated[str | None, typer.Option(metavar="NAME", help="Default: the VM's name and the time.")] = None,
        description: DescriptionOption = None,
        diff: Annotated[
            bool, typer.Option("--diff", help="Hold only what differs from its parent, which has to stay as long.")
        ] = False,
        parent: Annotated[
            str | None,
            typer.Option(
                metavar="SNAPSHOT",
                help="With --diff: what it is over. Default: what the VM has gone on from last.",
                autocompletion=snapshot_names,
            ),
        ] = None,
        keep_last: Annotated[
            int | None,
            typer.Option(
                metavar="N",
                min=1,
                help="Delete the oldest others of this VM, however they were made, so that N are left.",
            ),
        ] = None,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Take a snapshot of a VM: memory and disks where it is on, its disks where it is off. It is left as it is."""
        if parent is not None and not diff:
            way_out = "Add --diff, or leave --parent out."
            raise CliFailure("Only a diff has a parent.", suggestion=way_out, exit_code=USAGE)
        began = time.monotonic()
        target, snapshots = the_vm(cli, vm), cli.client.snapshots
        before = _kept(cli, target.id) if keep_last is not None else {}
        created = snapshots.create(
            target.id,
            name=name,
            description=description or "",
            snapshot_type="Diff" if diff else None,
            parent_id=the_snapshot(cli, parent).id if parent is not None else None,
            keep_last=keep_last,
        )
        if no_wait:
            told = snapshots.get(created.id)
            say_recorded(cli, name=told.name, operation_id=created.operation_id)
            cli.result(recorded(name=told.name, vm_id=created.id, operation_id=created.operation_id))
            return
        if created.operation_id:
            follow(cli, created.operation_id, label=f"Taking a snapshot of {target.name}", timeout_s=timeout)
        taken = snapshots.get(created.id)
        cli.say(f"{taken.name} is taken ({time.monotonic() - began:.1f} s, {size(taken.size_bytes)}).")
        if taken.warning:
            cli.say(f"Note: {taken.warning}")
        if keep_last is not None and (gone := before.keys() - _kept(cli, target.id).keys()):
            cli.say(f"No longer kept: {', '.join(sorted(before[one] for one in gone))}.")
        cli.result(taken)


def _kept(cli: Cli, vm_id: UUID) -> dict[UUID, str]:
    """The names of a VM's snapshots that are to stay."""
    return {one.id: one.name for one in cli.client.snapshots.list_of(vm_id) if one.state != "deleting"}
