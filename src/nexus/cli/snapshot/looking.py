"""`snapshot list`, `show`, `tree`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.completing import vm_names
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format
from nexus.cli.snapshot.subject import SnapshotArgument, size, the_snapshot
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Snapshot, SnapshotTree, TreeSnapshot, TreeVm


def register(app: typer.Typer) -> None:
    @command(app, "list", examples=("nexus snapshot list", "nexus snapshot list --vm web-1 -o json"))
    def list_snapshots(
        cli: Cli,
        *,
        vm: Annotated[str | None, typer.Option(metavar="VM", help="Only of this VM.", autocompletion=vm_names)] = None,
        q: Annotated[
            str | None,
            typer.Option("-q", "--search", metavar="TEXT", help="Only with this in name, description or VM."),
        ] = None,
    ) -> None:
        """List your snapshots, the newest first; for administrators everybody's."""
        vm_id = the_vm(cli, vm).id if vm is not None else None
        empty = "No snapshots yet. Take one: nexus snapshot create web-1"
        cli.list(cli.client.snapshots.list(q=q, vm_id=vm_id), _columns(datetime.now(UTC)), empty=empty)

    @command(app, "show", examples="nexus snapshot show before-upgrade")
    def show_snapshot(cli: Cli, snapshot: SnapshotArgument) -> None:
        """Show everything about a snapshot."""
        shown = the_snapshot(cli, snapshot)
        cli.show(shown, _details(datetime.now(UTC), parent=lambda: _parent(cli, shown)))

    @command(app, "tree", examples=("nexus snapshot tree web-1", "nexus snapshot tree web-1 -o json"))
    def show_tree(cli: Cli, vm: VmArgument) -> None:
        """Show a VM's snapshots as a tree, with the VMs made from each. `*`: what the VM is now came after it."""
        tree = cli.client.snapshots.tree(the_vm(cli, vm).id)
        cli.result(tree)
        if cli.format is Format.TABLE:
            cli.list(_lines(tree), _TREE, empty=f"{tree.vm_name} has no snapshots.")


def _columns(now: datetime) -> "list[Column[Snapshot]]":
    return [
        Column("NAME", lambda snapshot: snapshot.name),
        Column("VM", lambda snapshot: snapshot.vm_name),
        Column("STATE", lambda snapshot: snapshot.state),
        Column("TYPE", lambda snapshot: snapshot.snapshot_type),
        Column("MEMORY", lambda snapshot: _memory(snapshot.has_memory)),
        Column("SIZE", lambda snapshot: size(snapshot.size_bytes)),
        Column("FOR", lambda snapshot: _purpose(snapshot)),
        Column("HOST", lambda snapshot: snapshot.host_name),
        Column("AGE", lambda snapshot: human.ago(snapshot.created_at, now=now)),
    ]


def _details(now: datetime, *, parent: Callable[[], str | None]) -> "list[Column[Snapshot]]":
    return [
        Column("Name", lambda snapshot: snapshot.name),
        Column("Id", lambda snapshot: snapshot.id),
        Column("Description", lambda snapshot: snapshot.description),
        Column("State", lambda snapshot: snapshot.state),
        Column("Fault", lambda snapshot: snapshot.fault),
        Column("Warning", lambda snapshot: snapshot.warning),
        Column("VM", lambda snapshot: _vm(snapshot)),
        Column("For", lambda snapshot: _purpose(snapshot)),
        Column("Type", lambda snapshot: snapshot.snapshot_type),
        Column("Parent", lambda _snapshot: parent()),
        Column("Memory", lambda snapshot: _memory(snapshot.has_memory)),
        Column("Size", lambda snapshot: size(snapshot.size_bytes)),
        Column("Host", lambda snapshot: snapshot.host_name),
        Column("Checksum", lambda snapshot: snapshot.checksum),
        Column("Stood still", lambda snapshot: f"{snapshot.paused_ms} ms" if snapshot.paused_ms is not None else None),
        Column("Needed by", lambda snapshot: snapshot.needed_by),
        Column("Created", lambda snapshot: f"{human.ago(snapshot.created_at, now=now)} ago"),
    ]


def _parent(cli: Cli, snapshot: "Snapshot") -> str | None:
    return cli.client.snapshots.get(snapshot.parent_id).name if snapshot.parent_id else None


def _vm(snapshot: "Snapshot") -> str:
    if snapshot.vm_id:
        return snapshot.vm_name
    return f"{snapshot.vm_name} ({'imported' if snapshot.is_imported else 'deleted'})"


def _purpose(snapshot: "Snapshot") -> str | None:
    """What it is only there for until that is over: a suspend or a clone."""
    return None if snapshot.purpose == "keep" else snapshot.purpose


def _memory(has_memory: bool | None) -> str | None:
    return None if has_memory is None else "yes" if has_memory else "no"


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
            lines.append((f"{indent}{node.name}{mark}", node.snapshot_type, size(node.size_bytes), node.state))
            lines.extend(_vm_line(vm, f"{indent}  VM") for vm in node.vms)
            add([child for child in tree.snapshots if child.parent_id == node.id], f"{indent}  ")

    add([node for node in tree.snapshots if node.parent_id is None], "")
    lines.extend(_vm_line(vm, "clone") for vm in tree.clones)
    return lines


def _vm_line(vm: "TreeVm", what: str) -> _Line:
    """Its disks take what is written to them: their size is only how much that may become."""
    return f"{what} {vm.name}", None, f"up to {human.size(vm.disk_size_bytes)}", vm.state
