"""How a host is taken out of use: for a while (cordon, drain), or for good (abandon, remove).

Abandoning is for a host that is lost. What the platform promises is its own part: from that moment it believes nothing
the host says, asks nothing of it, and has nothing of it started anywhere. That the host's machines do not run on is the
administrator's to see to, who cuts its power or its network: nobody can do that from here.

Locks are taken in this order: the drain, machines, the rooms of all hosts, the host.
"""

from datetime import timedelta
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.problems import InvalidField
from nexus.manager import audit, events
from nexus.manager.access import Access, Actor
from nexus.manager.flows import Flows
from nexus.manager.hosts import draining, repository
from nexus.manager.hosts.draining import Drain
from nexus.manager.hosts.errors import HostInUse, HostIsAbandoned, HostIsSilent, HostNotFound, HostReports
from nexus.manager.hosts.models import DRAIN, FLOW, Host
from nexus.manager.machines.service import Machines
from nexus.manager.operations import Operation, Operations

DRAIN_BESIDES_GRACE = timedelta(minutes=15)
"""How long emptying a host may take, besides what its guests are given to shut down. Each VM has its own deadline."""


class HostLeaving:
    def __init__(self, db: Db, access: Access, machines: Machines, flows: Flows, operations: Operations) -> None:
        self._db = db
        self._access = access
        self._machines = machines
        self._flows = flows
        self._operations = operations

    async def cordon(self, actor: Actor, host_id: UUID) -> None:
        """Let the host take no more machines; what is on it runs on. Raises HostNotFound, HostIsAbandoned."""
        async with self._db.transaction() as tx:
            await self._set_cordoned(tx, actor, host_id, is_cordoned=True)

    async def uncordon(self, actor: Actor, host_id: UUID) -> None:
        """Let the host take machines again. Where it is being drained, that ends: what is off by now stays off."""
        async with self._db.transaction() as tx:
            await draining.take_turns(tx, host_id)
            await draining.remove(tx, host_id)
            host = await self._set_cordoned(tx, actor, host_id, is_cordoned=False)
            generation = await repository.ask(tx, host_id)
            await self._operations.supersede(tx, host.subject, before=generation)
            await self._flows.wake(tx, host.subject)

    async def drain(self, actor: Actor, host_id: UUID, *, grace_s: int) -> Operation:
        """Cordon the host and stop every VM on it. Under way already: the operation that does it, with the grace that
        was given first. Raises HostNotFound, HostIsAbandoned, HostIsSilent."""
        async with self._db.transaction() as tx:
            await draining.take_turns(tx, host_id)
            if (known := await draining.lock(tx, host_id)) and (
                running := await self._operations.running(tx, known.subject, verb=DRAIN)
            ):
                return running
            host = await self._set_cordoned(tx, actor, host_id, is_cordoned=True)
            if host.is_silent:
                raise HostIsSilent(host.name)
            within = timedelta(seconds=grace_s) + DRAIN_BESIDES_GRACE
            operation = await self._operations.open(
                tx,
                host.subject,
                verb=DRAIN,
                generation=await repository.ask(tx, host_id),
                actor=actor,
                within=within,
            )
            await draining.add(
                tx, Drain(host=host, operation_id=operation.id, grace_s=grace_s, by=actor, username=actor.username)
            )
            await audit.write(tx, actor, verb=DRAIN, subject=host.subject, details={"grace_s": grace_s})
            await self._flows.open(tx, flow=FLOW, subject=host.subject, within=within)
            return operation

    async def abandon(self, actor: Actor, host_id: UUID, *, name: str) -> int:
        """Give up a host that is lost, and every VM on it; how many. `name`: the host's, so that nobody gives up
        another one than was meant. Raises HostNotFound, InvalidField, HostReports."""
        async with self._db.transaction() as tx:
            await draining.take_turns(tx, host_id)
            await draining.remove(tx, host_id)
            await repository.lock_rooms(tx)
            host = await _lock(tx, host_id)
            if name != host.name:
                raise InvalidField(f"name: this host is called {host.name}, not {name}.")
            if not host.is_abandoned:
                if not host.is_silent:
                    raise HostReports(host.name)
                await repository.abandon(tx, host_id)
                self._access.revoke(tx)
                await self._operations.supersede(tx, host.subject, before=host.generation + 1)
                await audit.write(tx, actor, verb="abandon", subject=host.subject)
                await events.emit(tx, type="host.abandoned", subject=host.subject, owner_user_id=None)
        return await self._write_off(host)

    async def write_off_all(self) -> int:
        """Go on where a manager died between giving up a host and its VMs; how many hosts that were."""
        hosts = await repository.to_write_off(self._db)
        for host in hosts:
            await self._write_off(host)
        return len(hosts)

    async def remove(self, actor: Actor, host_id: UUID) -> None:
        """Take a host out: from now on it opens nothing and nothing is asked of it. Raises HostNotFound, or HostInUse
        while machines or snapshots are on it."""
        async with self._db.transaction() as tx:
            await draining.take_turns(tx, host_id)
            await draining.remove(tx, host_id)
            await repository.lock_rooms(tx)
            host = await _lock(tx, host_id)
            machines = await repository.count_machines(tx, host_id)
            snapshots = await repository.count_snapshots(tx, host_id)
            if machines or snapshots:
                raise HostInUse(host.name, machines=machines, snapshots=snapshots)
            await self._operations.supersede(tx, host.subject, before=host.generation + 1)
            await repository.remove(tx, host_id)
            self._access.revoke(tx)
            await audit.write(tx, actor, verb="delete", subject=host.subject)
            await events.emit(tx, type="host.deleted", subject=host.subject, owner_user_id=None)

    async def _write_off(self, host: Host) -> int:
        """A transaction of its own: machines are locked before rooms and hosts. No machine can come meanwhile."""
        why = f"Its host {host.name} was given up for lost, and its disks with it."
        async with self._db.transaction() as tx:
            return await self._machines.write_off(tx, host.id, why=why)

    async def _set_cordoned(self, tx: Tx, actor: Actor, host_id: UUID, *, is_cordoned: bool) -> Host:
        """The host, locked."""
        await repository.lock_rooms(tx)
        host = await _lock(tx, host_id)
        if host.is_abandoned:
            raise HostIsAbandoned(host.name)
        changed = await repository.set_cordoned(tx, host_id, is_cordoned=is_cordoned)
        await audit.write(tx, actor, verb="cordon" if is_cordoned else "uncordon", subject=host.subject)
        if changed:
            type_ = "host.cordoned" if is_cordoned else "host.uncordoned"
            await events.emit(tx, type=type_, subject=host.subject, owner_user_id=None)
        return host


async def _lock(tx: Tx, host_id: UUID) -> Host:
    host = await repository.lock(tx, host_id)
    if host is None:
        raise HostNotFound
    return host
