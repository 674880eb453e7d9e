"""The one writer of `vms.state`: after every wish and every observation the state that follows is stored and told."""

from uuid import UUID

from nexus.kit.db import Tx
from nexus.manager import events
from nexus.manager.machines.lifecycle import Move, decide
from nexus.manager.vms import repository
from nexus.manager.vms.lifecycle import state_of
from nexus.manager.vms.models import Vm


async def refresh(tx: Tx, vm: Vm) -> None:
    """Store the state of `vm` as it now is (read it again after a change), and tell if it is another one.

    Of a boot that ended by itself the flow stores state and reason together, a moment later.
    """
    if decide(vm.machine.facts) is Move.CONCLUDE and not vm.host.is_silent:
        return
    state = state_of(vm.machine.facts, host_is_silent=vm.host.is_silent)
    if await repository.write_state(tx, vm.id, state):
        data = {"state": state, "previous": vm.state}
        await events.emit(
            tx, type="vm.state_changed", subject=vm.subject, owner_user_id=vm.created_by_user_id, data=data
        )


async def reread(tx: Tx, vm_id: UUID) -> Vm:
    """The VM after a change to its machine in this transaction, its state stored."""
    vm = await repository.lock(tx, vm_id, sees_only=None)
    await refresh(tx, vm)
    return vm
