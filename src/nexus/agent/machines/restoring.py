"""Beginning a boot from a snapshot: whether that can be, and the machine's disks made of it.

Must stay true: before it is certain that the machine can begin, its disks are left alone; and they are all staged
before the first takes the place of what was there.
"""

from collections.abc import Callable
from functools import partial

from nexus.agent.machines.host import Host
from nexus.agent.machines.preparing import disk_store
from nexus.agent.machines.state import MachineState, Restored
from nexus.agent.snapshots import layout
from nexus.agent.snapshots.lineage import Lineage, SnapshotUnusable
from nexus.agent.snapshots.manifest import disk_file
from nexus.agent.snapshots.pins import pins_of
from nexus.agent.vmm.port import Snapshots

Say = Callable[[str], None]


async def find(host: Host, state: MachineState, say: Say) -> Lineage | None:
    """The snapshot that the boot just begun starts from, verified; None: it starts from the machine's disks. Raises
    SnapshotUnusable."""
    restore = state.restore_due
    if restore is None or restore.boot > state.boot:
        return None
    kept = await host.snapshots.verified(restore.snapshot, say=say)
    if kept.manifest.has_memory and not isinstance(host.vmm, Snapshots):
        raise SnapshotUnusable("The snapshot cannot run here: this host's hypervisor restores none.")
    if kept.manifest.has_memory and kept.manifest.machine != state.spec.id and not state.spec.has_guest_agent:
        raise SnapshotUnusable(
            "The snapshot's memory is another machine's, and its guest has no agent to become this one."
        )
    layout.check(kept.manifest, state.spec, pins_of(host.vmm, state.spec))
    return kept


async def make_disks(host: Host, state: MachineState, kept: Lineage, say: Say) -> None:
    """Raises StorageTrouble, SnapshotUnusable; then the machine's disks are as they were."""
    say("copying disks of the snapshot")
    store = disk_store(host, state.spec.id, host.uid(state.slot))
    copied = [disk for disk in state.spec.disks if not layout.is_in_place(disk)]
    await store.replace({disk.id: partial(kept.write, disk_file(disk.drive_id)) for disk in copied})


def restored(state: MachineState, kept: Lineage) -> Restored:
    """What is remembered once the disks are made."""
    restore = state.restore_due
    assert restore is not None
    return Restored(
        restore=restore,
        boot=state.boot,
        has_memory=kept.manifest.has_memory,
        is_clone=kept.manifest.machine != state.spec.id,
    )
