"""The slices that run virtual machines, put together: hosts, images, networks, machines, VMs."""

from fastapi import APIRouter

from nexus.manager.agents.pool import Agents
from nexus.manager.agents.tls import ManagerTls
from nexus.manager.authority.service import Authority
from nexus.manager.bulks.flow import BulkFlow
from nexus.manager.bulks.routes import router as bulks_router
from nexus.manager.bulks.service import Bulks
from nexus.manager.bulks.service import expiry as bulks_expiry
from nexus.manager.configuration.metadata import Metadata
from nexus.manager.configuration.metadata_routes import router as metadata_router
from nexus.manager.configuration.readings import Readings
from nexus.manager.configuration.routes import router as configuration_router
from nexus.manager.configuration.service import Configuration
from nexus.manager.drives.editing import Drives
from nexus.manager.drives.routes import router as drives_router
from nexus.manager.hosts.flow import HostFlow
from nexus.manager.hosts.joining import HostJoining
from nexus.manager.hosts.leaving import HostLeaving
from nexus.manager.hosts.placement import Overcommit
from nexus.manager.hosts.routes import router as hosts_router
from nexus.manager.hosts.service import Hosts
from nexus.manager.hosts.sweep import SilenceSweep
from nexus.manager.images.arriving import ArrivingImages
from nexus.manager.images.arriving import expiry as drafts_expiry
from nexus.manager.images.routes import router as images_router
from nexus.manager.images.service import Images
from nexus.manager.limits.routes import router as presets_router
from nexus.manager.logs.routes import router as logs_router
from nexus.manager.logs.service import Logs
from nexus.manager.machines.service import Machines
from nexus.manager.networks.routes import router as networks_router
from nexus.manager.nics.editing import Nics
from nexus.manager.nics.routes import router as nics_router
from nexus.manager.platform import Built, Platform
from nexus.manager.snapshots.archive_routes import router as archives_router
from nexus.manager.snapshots.exporting import Exports
from nexus.manager.snapshots.flow import SnapshotFlow
from nexus.manager.snapshots.importing import Imports
from nexus.manager.snapshots.making import Restoring
from nexus.manager.snapshots.routes import router as snapshots_router
from nexus.manager.snapshots.service import Snapshots
from nexus.manager.snapshots.sweep import cleaning
from nexus.manager.snapshots.transfers import Transfers
from nexus.manager.vms.changing import VmChanges
from nexus.manager.vms.copying import VmCopies
from nexus.manager.vms.creation import VmCreation
from nexus.manager.vms.deadlines import Deadlines, Timing
from nexus.manager.vms.flow import VmFlow
from nexus.manager.vms.guest import Guests
from nexus.manager.vms.occupants import VmOccupants
from nexus.manager.vms.pipes import Forwards
from nexus.manager.vms.pipes import router as pipes_router
from nexus.manager.vms.routes import router as vms_router
from nexus.manager.vms.sampling import Sampler
from nexus.manager.vms.service import Vms
from nexus.manager.vms.streams import router as streams_router
from nexus.manager.vms.templating import Templating
from nexus.manager.vms.templating import router as templating_router
from nexus.manager.vms.terminals import Terminals
from nexus.manager.vms.terminals import router as terminals_router
from nexus.manager.vms.watcher import VmWatcher

routers: list[APIRouter] = [
    vms_router,
    configuration_router,
    drives_router,
    nics_router,
    presets_router,
    metadata_router,
    streams_router,
    terminals_router,
    pipes_router,
    logs_router,
    templating_router,
    images_router,
    networks_router,
    hosts_router,
    bulks_router,
    archives_router,
    snapshots_router,
]


def build(platform: Platform) -> Built:
    """These slices over the platform."""
    db, flows, operations, settings = platform.db, platform.flows, platform.operations, platform.settings
    authority = Authority(db, platform.seal, clock=platform.clock)
    agents, machines = Agents(ManagerTls(authority, clock=platform.clock)), Machines()
    timing = Timing(flows, operations, Deadlines.of(settings))
    machines.watch(VmWatcher(flows, operations, timing))
    overcommit = Overcommit(
        vcpus=settings.cpu_overcommit, memory=settings.memory_overcommit, disk=settings.disk_overcommit
    )
    hosts = Hosts(db, machines, overcommit=overcommit)
    changes = VmChanges(db, flows, operations)
    joining = HostJoining(db, platform.access, authority, settings=settings)
    leaving = HostLeaving(db, platform.access, machines, flows, operations)
    vms = Vms(db, hosts, flows, operations, seal=platform.seal, timing=timing)
    guests = Guests(db, agents)
    snapshots = Snapshots(db, hosts, flows, operations)
    copies = VmCopies(hosts, flows, operations, seal=platform.seal, timing=timing)
    images, arriving, transfers = Images(db, root=settings.image_root), ArrivingImages(settings.image_root), Transfers()
    sampler = Sampler(is_disabled=settings.metrics_disabled)

    async def close() -> None:
        await sampler.close()
        await agents.close()

    return Built(
        services=(
            hosts,
            joining,
            leaving,
            sampler,
            images,
            VmCreation(db, hosts, flows, operations, seal=platform.seal, timing=timing),
            vms,
            Bulks(db, vms, flows, operations),
            guests,
            Terminals(guests, settings),
            Forwards(guests),
            Logs(guests, hosts, agents, settings),
            Templating(db),
            changes,
            Configuration(db, hosts, changes),
            Drives(db, hosts, guests, changes),
            Nics(db, guests, changes),
            Metadata(db, changes),
            Readings(guests),
            snapshots,
            Restoring(db, snapshots, vms, copies),
            Exports(db, agents, images, transfers),
            Imports(db, agents, hosts, flows, operations, images=arriving, transfers=transfers),
        ),
        flows=(
            VmFlow(agents, machines, operations, timing, settled=snapshots.vm_settled),
            HostFlow(operations, VmOccupants(vms)),
            BulkFlow(vms, operations),
            SnapshotFlow(agents, flows, operations, snapshots=snapshots, service=vms),
        ),
        sweeps=(
            SilenceSweep(db, machines, leaving).as_sweep(),
            bulks_expiry(db),
            cleaning(snapshots),
            drafts_expiry(arriving),
        ),
        close=close,
    )
