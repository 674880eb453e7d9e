"""`nexus snapshot`: what VMs were at one moment, to go back to or to make others of."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command, new_app
from nexus.cli.completing import snapshot_names
from nexus.cli.deleting import YesOption, require_consent
from nexus.cli.failures import REFUSED, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.naming import MOST_SUGGESTED, the
from nexus.cli.output import Column, Format
from nexus.cli.vm.create import create_and_wait
from nexus.cli.vm.removing import delete_and_watch
from nexus.cli.vm.subject import VmArgument, recorded, settle, the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout, follow

if TYPE_CHECKING:
    from nexus.client.models import Snapshot, SnapshotTree, TreeSnapshot

app: typer.Typer = new_app("Snapshots: what VMs were at one moment, to go back to or to make others of.")

SnapshotArgument = Annotated[
    str, typer.Argument(metavar="SNAPSHOT", help="Name or id of a snapshot.", autocompletion=snapshot_names)
]
DescriptionOption = Annotated[str | None, typer.Option(metavar="TEXT", help="For people to read.")]


def _columns(now: datetime) -> "list[Column[Snapshot]]":
    return [
        Column("NAME", lambda snapshot: snapshot.name),
        Column("VM", lambda snapshot: snapshot.vm_name),
        Column("STATE", lambda snapshot: snapshot.state),
        Column("TYPE", lambda snapshot: snapshot.snapshot_type),
        Column("MEMORY", lambda snapshot: _memory(snapshot.has_memory)),
        Column("SIZE", lambda snapshot: _size(snapshot.size_bytes)),
        Column("HOST", lambda snapshot: snapshot.host_name),
        Column("AGE", lambda snapshot: human.ago(snapshot.created_at, now=now)),
    ]


def _details(now: datetime) -> "list[Column[Snapshot]]":
    return [
        Column("Name", lambda snapshot: snapshot.name),
        Column("Id", lambda snapshot: snapshot.id),
        Column("Description", lambda snapshot: snapshot.description),
        Column("State", lambda snapshot: snapshot.state),
        Column("Fault", lambda snapshot: snapshot.fault),
        Column("Warning", lambda snapshot: snapshot.warning),
        Column("VM", lambda snapshot: _vm(snapshot)),
        Column("Kept for", lambda snapshot: {"keep": None}.get(snapshot.purpose, snapshot.purpose)),
        Column("Type", lambda snapshot: snapshot.snapshot_type),
        Column("Parent", lambda snapshot: snapshot.parent_id),
        Column("Memory", lambda snapshot: _memory(snapshot.has_memory)),
        Column("Size", lambda snapshot: _size(snapshot.size_bytes)),
        Column("Host", lambda snapshot: snapshot.host_name),
        Column("Checksum", lambda snapshot: snapshot.checksum),
        Column("Stood still", lambda snapshot: f"{snapshot.paused_ms} ms" if snapshot.paused_ms is not None else None),
        Column("Needed by", lambda snapshot: snapshot.needed_by),
        Column("Created", lambda snapshot: f"{human.ago(snapshot.created_at, now=now)} ago"),
    ]


def _vm(snapshot: "Snapshot") -> str:
    if snapshot.vm_id:
        return snapshot.vm_name
    return f"{snapshot.vm_name} ({'imported' if snapshot.is_imported else 'deleted'})"


def _memory(has_memory: bool | None) -> str | None:
    return None if has_memory is None else "yes" if has_memory else "no"


def _size(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else human.size(size_bytes)


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
        typer.Option(metavar="N", min=1, help="Delete the oldest others of this VM, so that N are left."),
    ] = None,
    no_wait: NoWait = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Take a snapshot of a VM: memory and disks where it is on, its disks where it is off. It is left as it is."""
    if parent is not None and not diff:
        raise CliFailure("Only a diff has a parent.", suggestion="Add --diff, or leave --parent out.", exit_code=USAGE)
    began = time.monotonic()
    target, snapshots = the_vm(cli, vm), cli.client.snapshots
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
        cli.result(recorded(name=told.name, vm_id=created.id, operation_id=created.operation_id))
        return
    if created.operation_id:
        follow(cli, created.operation_id, label=f"Taking a snapshot of {target.name}", timeout_s=timeout)
    taken = snapshots.get(created.id)
    cli.say(f"{taken.name} is taken ({time.monotonic() - began:.1f} s, {_size(taken.size_bytes)}).")
    if taken.warning:
        cli.say(f"Note: {taken.warning}")
    cli.result(taken)


@command(app, "list", examples=("nexus snapshot list", "nexus snapshot list --vm web-1 -o json"))
def list_snapshots(
    cli: Cli,
    *,
    vm: Annotated[str | None, typer.Option(metavar="VM", help="Only of this VM.")] = None,
    q: Annotated[
        str | None, typer.Option("-q", "--search", metavar="TEXT", help="Only with this in name, description or VM.")
    ] = None,
) -> None:
    """List your snapshots, the newest first; for administrators everybody's."""
    vm_id = the_vm(cli, vm).id if vm is not None else None
    empty = "No snapshots yet. Take one: nexus snapshot create web-1"
    cli.list(cli.client.snapshots.list(q=q, vm_id=vm_id), _columns(datetime.now(UTC)), empty=empty)


@command(app, "show", examples="nexus snapshot show before-upgrade")
def show_snapshot(cli: Cli, snapshot: SnapshotArgument) -> None:
    """Show everything about a snapshot."""
    cli.show(the_snapshot(cli, snapshot), _details(datetime.now(UTC)))


@command(app, "tree", examples=("nexus snapshot tree web-1", "nexus snapshot tree web-1 -o json"))
def show_tree(cli: Cli, vm: VmArgument) -> None:
    """Show a VM's snapshots as a tree, with the VMs made from each. `*`: what the VM is now came after it."""
    tree = cli.client.snapshots.tree(the_vm(cli, vm).id)
    cli.result(tree)
    if cli.format is Format.TABLE:
        cli.list(_lines(tree), _TREE, empty=f"{tree.vm_name} has no snapshots.")


_Line = tuple[str, str | None, str | None, str]
_TREE: list[Column[_Line]] = [
    Column("SNAPSHOT", lambda line: line[0]),
    Column("TYPE", lambda line: line[1]),
    Column("SIZE", lambda line: line[2]),
    Column("STATE", lambda line: line[3]),
]


def _lines(tree: "SnapshotTree") -> list[_Line]:
    """Name with its place in the tree, type, size, and state of everything in it, from the top."""
    lines: list[_Line] = []

    def add(found: "list[TreeSnapshot]", indent: str) -> None:
        for node in found:
            mark = " *" if node.is_current else ""
            lines.append((f"{indent}{node.name}{mark}", node.snapshot_type, _size(node.size_bytes), node.state))
            lines.extend((f"{indent}  VM {vm.name}", None, _size(vm.disk_size_bytes), vm.state) for vm in node.vms)
            add([child for child in tree.snapshots if child.parent_id == node.id], f"{indent}  ")

    add([node for node in tree.snapshots if node.parent_id is None], "")
    lines.extend((f"clone {vm.name}", None, _size(vm.disk_size_bytes), vm.state) for vm in tree.clones)
    return lines


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
        name=name or f"a VM from {target.name}",
        no_wait=no_wait,
        timeout_s=timeout,
    )


@command(app, "rollback", examples=("nexus snapshot rollback before-upgrade", "nexus snapshot rollback --yes nightly"))
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
        gone = "not on this platform" if target.is_imported else "deleted"
        raise CliFailure(
            f"{target.vm_name}, of which {target.name} was taken, is {gone}.",
            suggestion=f"Make a new VM from it: nexus snapshot restore {target.name}",
            exit_code=REFUSED,
        )
    vm, age = cli.client.vms.get(target.vm_id), human.ago(target.created_at, now=datetime.now(UTC))
    question = f"Roll {vm.name} back to {target.name}? All that it did in the {age} since, on its disks too, is lost."
    if not yes and cli.is_interactive and not cli.confirm(question):
        raise CliFailure("Nothing was rolled back.", exit_code=REFUSED)
    accepted = cli.client.snapshots.roll_back(vm.id, target.id)
    if no_wait:
        cli.result(recorded(name=vm.name, vm_id=vm.id, operation_id=accepted.operation_id))
        return
    settle(cli, accepted, label=f"Rolling back {vm.name}", timeout_s=timeout)
    cli.say(f"{vm.name} is what it was, and running ({time.monotonic() - began:.1f} s).")
    cli.result(cli.client.vms.get(vm.id))


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
        raise CliFailure("Nothing to change was given.", suggestion="See: nexus snapshot edit --help", exit_code=USAGE)
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
    require_consent(cli, targets, yes=yes, warning="There is no going back to them.")
    delete_and_watch(cli, targets, cli.client.snapshots.delete, no_wait=no_wait, timeout_s=timeout)
