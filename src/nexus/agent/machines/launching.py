"""Having the VMM of a boot that was begun: from its disks, or from a snapshot."""

from collections.abc import Awaitable, Callable

from nexus.agent.machines import restoring
from nexus.agent.machines.host import Host
from nexus.agent.machines.preparing import Say, prepare
from nexus.agent.machines.state import MachineState
from nexus.agent.snapshots.lineage import Lineage, SnapshotUnusable
from nexus.agent.vmm.port import Definition, Snapshots, VmmTrouble

Record = Callable[[Callable[[MachineState], MachineState]], Awaitable[None]]


class NotLaunched(Exception):
    """It cannot be, and trying again would not help; the message is a sentence for a user."""


async def launch(host: Host, state: Callable[[], MachineState], record: Record, say: Say) -> None:
    """`state`: the machine's as it is then, changed by `record`. Raises NotLaunched; StorageTrouble, NetTrouble,
    SpecTrouble, VmmTrouble or OSError when it may be tried again."""
    try:
        kept = await restoring.find(host, state(), say)
        if kept is not None:
            await _launch_from(kept, host, state, record, say)
            return
    except SnapshotUnusable as refused:
        raise NotLaunched(str(refused)) from refused
    definition = await prepare(host, state(), say)
    await _start(host, definition, state(), say)


async def _launch_from(kept: Lineage, host: Host, state: Callable[[], MachineState], record: Record, say: Say) -> None:
    """Disks are made only when it is certain that the memory fits and is there, and are remembered as made before
    anything uses them."""
    if kept.manifest.pins is None:
        await restoring.make_disks(host, state(), kept, say)
        await record(lambda now: now.model_copy(update={"restored": restoring.restored(now, kept)}))
        await _start(host, await prepare(host, state(), say), state(), say)
        return
    vmm, devices = host.vmm, kept.manifest.pins.devices
    assert isinstance(vmm, Snapshots)
    say("reading the snapshot")
    async with host.snapshots.whole(kept) as source, vmm.expecting(state().spec.id, source):
        definition = await prepare(host, state(), say, goes_on=True)
        try:
            vmm.check(definition, devices)
        except VmmTrouble as differs:
            raise NotLaunched(f"The snapshot cannot run here: {differs}.") from differs
        await restoring.make_disks(host, state(), kept, say)
        await record(lambda now: now.model_copy(update={"restored": restoring.restored(now, kept)}))
        say("restoring memory")
        now = state()
        try:
            await vmm.restore(
                definition,
                launch=now.launch,
                source=source,
                devices=devices,
                is_linked=not now.running.has_guest_agent,
            )
        except VmmTrouble as refused:
            raise NotLaunched(str(refused)) from refused


async def _start(host: Host, definition: Definition, state: MachineState, say: Say) -> None:
    say("booting" if state.attempt == 1 else f"booting (attempt {state.attempt})")
    try:
        await host.vmm.start(definition, launch=state.launch)
    except VmmTrouble as refused:
        raise NotLaunched(str(refused)) from refused
