"""What can be wrong with a request about snapshots."""

from collections.abc import Sequence

from nexus.kit.problems import Conflict, InvalidField, NameTaken, NotAllowed, NotFound, Problem, WrongState
from nexus.manager.snapshots.models import SnapshotState

MOST_NAMED = 5


class SnapshotNotFound(NotFound):
    code = "snapshot_not_found"

    def __init__(self) -> None:
        super().__init__(
            "There is no such snapshot.", suggestion="List yours with GET /v1/snapshots or 'nexus snapshot list'."
        )


class SnapshotNameTaken(NameTaken):
    code = "snapshot_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot call a snapshot {name}: another one has that name.",
            suggestion="Choose another name, or delete that snapshot.",
        )


_NOT_YET = {
    SnapshotState.CREATING: ("it is still being taken", "Wait until it is completed."),
    SnapshotState.FAILED: ("it could not be taken", "See its `fault`; delete it, and take another one."),
    SnapshotState.DELETING: ("it is being deleted", "Take another one."),
}


class SnapshotStateConflict(WrongState):
    """The snapshot is not complete, and so nothing can be made of it; or it is still being taken."""

    code = "snapshot_state_conflict"

    def __init__(self, wish: str, state: SnapshotState, *, fault: str | None) -> None:
        obstacle, way_out = _NOT_YET[state]
        super().__init__(f"Cannot {wish}: {obstacle}.", suggestion=way_out, fault_message=fault)


class SnapshotInUse(Conflict):
    """VMs have yet to begin from it, or diffs are over it."""

    code = "snapshot_in_use"

    def __init__(self, name: str, *, vms: Sequence[str], diffs: Sequence[str]) -> None:
        told = [f"{_named(vms)} {'has' if len(vms) == 1 else 'have'} yet to begin from it"] if vms else []
        told += [f"{_named(diffs)} {'is a diff' if len(diffs) == 1 else 'are diffs'} over it"] if diffs else []
        ways = ["wait until they run, resume them, or delete them"] if vms else []
        ways += ["delete the diffs first"] if diffs else []
        super().__init__(
            f"Cannot delete snapshot {name}: {', and '.join(told)}.", suggestion=f"{'; '.join(ways).capitalize()}."
        )


class ParentUnusable(Conflict):
    """There is nothing that a diff could be over, or not that."""

    code = "snapshot_parent_unusable"

    def __init__(self, vm: str, obstacle: str) -> None:
        super().__init__(
            f"Cannot take a Diff of {vm}: {obstacle}.",
            suggestion="Take a Full one, or name another snapshot of this VM as its parent (--parent, `parent_id`).",
        )


class ChainTooLong(Conflict):
    """Whoever begins from a diff reads all that it is over, so these are bounded."""

    code = "snapshot_chain_too_long"

    def __init__(self, vm: str, parent: str, *, diffs: int) -> None:
        super().__init__(
            f"Cannot take a Diff of {vm} over {parent}: it is the last of {diffs} on one another, the most.",
            suggestion="Take a Full one; the next diffs are over that.",
        )


class NotItsSnapshot(Conflict):
    """A VM goes back to nothing but what was taken of itself."""

    code = "not_its_snapshot"

    def __init__(self, vm: str, snapshot: str) -> None:
        super().__init__(
            f"Cannot roll back {vm} to {snapshot}: that was not taken of it.",
            suggestion=f"Make a new VM from it, with …/instantiate or 'nexus snapshot restore {snapshot}'.",
        )


class LayoutDiffers(Conflict):
    """Since the snapshot the VM got other drives or interfaces, which what it held in memory does not know."""

    code = "snapshot_layout_differs"

    def __init__(self, vm: str, snapshot: str, *, added: Sequence[str], removed: Sequence[str]) -> None:
        told = [f"has got {', '.join(added)} since"] if added else []
        told += [f"has lost {', '.join(removed)} since"] if removed else []
        way_out = "Make a new VM from it instead" if removed else f"Remove {', '.join(added)} first"
        super().__init__(f"Cannot roll back {vm} to {snapshot}: it {' and '.join(told)}.", suggestion=f"{way_out}.")


class NeverStarted(WrongState):
    """It has no disks yet that anything could be taken of."""

    code = "never_started"

    def __init__(self, wish: str) -> None:
        super().__init__(
            f"Cannot {wish}: it has never been started, so there is nothing to keep.", suggestion="Start it."
        )


class PendingChanges(WrongState):
    """The running VM is not what its configuration says."""

    code = "pending_changes"

    def __init__(self, wish: str, pending: Sequence[str]) -> None:
        super().__init__(
            f"Cannot {wish}: it does not have all of its configuration yet ({', '.join(pending)}).",
            suggestion="Reboot it, or change that back.",
        )


class HostFilesHeld(Conflict):
    """A file of the host's own is nothing that a snapshot could hold."""

    code = "host_files_held"

    def __init__(self, wish: str, drives: Sequence[str]) -> None:
        names = ", ".join(drives)
        super().__init__(
            f"Cannot {wish}: {names} {'is a file' if len(drives) == 1 else 'are files'} of its host's own.",
            suggestion="Remove the drive, or copy what it holds onto another one.",
        )


class SnapshotFailed(Problem):
    """It could not be taken, and nothing of it is left; its VM goes on."""

    status, code = 502, "snapshot_failed"


class SnapshotOverdue(Problem):
    """It was not done in time."""

    status, code = 504, "snapshot_overdue"


class ClonesFailed(Problem):
    """Some clones could not be made; each has its own operation, which says why."""

    status, code = 502, "clones_failed"

    def __init__(self, name: str, *, failed: Sequence[str], total: int) -> None:
        super().__init__(
            f"{len(failed)} of {total} clones of {name} did not come to run ({_named(failed)}).",
            suggestion="See the `fault` of each. Delete them, or start them again.",
        )


class ArchiveRefused(InvalidField):
    """What came is no archive of a snapshot, or not a whole one; nothing of it is kept."""

    code = "archive_refused"

    def __init__(self, obstacle: str, *, subject_id: str | None = None, operation_id: str | None = None) -> None:
        super().__init__(
            f"Cannot import the archive: {obstacle}.",
            suggestion="Send the file that an export has written, whole and as it is.",
            subject_id=subject_id,
            operation_id=operation_id,
        )


class ImportRefused(Conflict):
    """The host that was to have the snapshot does not take it; nothing of it is kept there."""

    code = "import_refused"

    def __init__(self, name: str, why: str, *, subject_id: str, operation_id: str) -> None:
        super().__init__(
            f"Cannot import {name}: {why[:1].lower()}{why[1:].rstrip('.')}.",
            suggestion="Delete what is left of it in the list, and send the archive to another host, or as it was.",
            subject_id=subject_id,
            operation_id=operation_id,
        )


class ImportNeedsAdmin(NotAllowed):
    """What is in the archive, not every user may bring."""

    code = "import_needs_admin"

    @classmethod
    def for_memory(cls, name: str) -> "ImportNeedsAdmin":
        return cls(
            f"Cannot import {name}: it holds memory and the state of devices, which hypervisors trust, and which only "
            "administrators may bring.",
            suggestion="Have an administrator import it, or export a snapshot that was taken while the VM was off.",
        )

    @classmethod
    def for_image(cls, name: str, image: str) -> "ImportNeedsAdmin":
        return cls(
            f"Cannot import {name}: image {image} is not here yet, which only administrators may bring.",
            suggestion="Have an administrator import it, or register that image first.",
        )


class ImagesMissing(Conflict):
    """The archive names images that it does not hold, and that are not here."""

    code = "images_missing"

    def __init__(self, name: str, images: Sequence[str]) -> None:
        super().__init__(
            f"Cannot import {name}: {', '.join(images)} {'is' if len(images) == 1 else 'are'} not here.",
            suggestion="Register those images first, with the same content.",
        )


class SnapshotFitsNoHost(Conflict):
    """Its memory is another hypervisor's than those that there are."""

    code = "snapshot_fits_no_host"

    def __init__(self, name: str, *, needs: str) -> None:
        super().__init__(
            f"Cannot import {name}: its memory needs {needs}, which no host here has.",
            suggestion="Export a snapshot of the VM that was taken while it was off: that runs anywhere.",
        )


class TooManyTransfers(Problem):
    status, code = 429, "too_many_transfers"

    def __init__(self) -> None:
        super().__init__(
            "As many archives as this manager takes at once are under way.", suggestion="Try again when one is done."
        )


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
