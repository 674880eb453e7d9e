"""HTTP for VMs' settings; those of their metadata are `metadata_routes`.

Every change answers when it takes effect: `applied` is what the VM's host reports, `now` or `next_start`.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from nexus.kit.http import problems, provided
from nexus.manager.access import Operator, Viewer
from nexus.manager.agents.troubles import PASSED_ON
from nexus.manager.configuration import schemas
from nexus.manager.configuration.errors import BalloonTooBig
from nexus.manager.configuration.readings import Readings
from nexus.manager.configuration.service import Configuration
from nexus.manager.hosts.errors import NoRoom
from nexus.manager.images.errors import ImageNotFound, NoDefaultImage
from nexus.manager.networks.errors import AddressRefused
from nexus.manager.nics.editing import Nics
from nexus.manager.nics.errors import NicNotFound
from nexus.manager.operations import Done
from nexus.manager.operations.errors import Superseded
from nexus.manager.vms.change_request import Asked
from nexus.manager.vms.changing import Changed
from nexus.manager.vms.errors import VmFaulted, VmNotFound, VmOverdue, VmStateConflict
from nexus.manager.vms.offering import NotOffered
from nexus.protocol.hosts import Offer

router = APIRouter(prefix="/v1/vms/{vm_id}", tags=["vm-config"])

Service = Annotated[Configuration, provided(Configuration)]
GuestReadings = Annotated[Readings, provided(Readings)]
CHANGE_PROBLEMS = (VmNotFound, VmStateConflict, VmFaulted, VmOverdue, Superseded)
"""What may become of any change."""
_SIZE = problems(*CHANGE_PROBLEMS, NoRoom, BalloonTooBig)
_BOOT = problems(*CHANGE_PROBLEMS, ImageNotFound, NoDefaultImage)
_DEVICE = problems(*CHANGE_PROBLEMS, NotOffered)
_BALLOON = problems(*CHANGE_PROBLEMS, NotOffered, BalloonTooBig)


@router.get("/machine-config", responses=problems(VmNotFound))
async def get_machine_config(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.MachineConfigItem:
    """A VM's size: what is configured, and what the running boot has."""
    row = await configuration.get(actor, vm_id)
    return schemas.MachineConfigItem(
        item=schemas.MachineConfigBody(
            vcpu=row["vcpus"],
            mem_mib=row["memory_mib"],
            running_vcpu=row["seen_vcpus"],
            running_mem_mib=row["seen_memory_mib"],
        )
    )


@router.put("/machine-config", responses=_SIZE)
async def put_machine_config(
    vm_id: UUID, wanted: schemas.PutMachineConfig, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Set a VM's size. A running VM has it after its next start or reboot; its host must have that much left."""
    change = await configuration.resize(
        actor, vm_id, vcpus=wanted.vcpu, memory_mib=wanted.mem_mib, expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.patch("/machine-config", responses=_SIZE)
async def patch_machine_config(
    vm_id: UUID, wanted: schemas.PatchMachineConfig, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Change a VM's vCPUs or memory, as PUT does."""
    change = await configuration.resize(
        actor, vm_id, vcpus=wanted.vcpu, memory_mib=wanted.mem_mib, expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.get("/boot-source", responses=problems(VmNotFound))
async def get_boot_source(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.BootSourceItem:
    """What a VM boots."""
    row = await configuration.get(actor, vm_id)
    return schemas.BootSourceItem(
        item=schemas.BootSourceBody(
            kernel_image_id=row["kernel_image_id"],
            kernel=row["kernel"],
            initrd_image_id=row["initramfs_image_id"],
            initrd=row["initramfs"],
            guest_agent=row["has_guest_agent"],
            boot_args=row["boot_args"],
        )
    )


@router.put("/boot-source", responses=_BOOT)
async def put_boot_source(
    vm_id: UUID, wanted: schemas.BootSource, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Set what a VM boots from its next start on: kernel, initramfs and kernel arguments. What is left out is the
    platform's default."""
    change = await configuration.boot_from(actor, vm_id, wanted, is_whole=True, expected=asked.expected)
    return await asked.answer(actor, change)


@router.patch("/boot-source", responses=_BOOT)
async def patch_boot_source(
    vm_id: UUID, wanted: schemas.BootSource, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Change some of what a VM boots, from its next start on; what is left out stays."""
    change = await configuration.boot_from(actor, vm_id, wanted, is_whole=False, expected=asked.expected)
    return await asked.answer(actor, change)


@router.get("/cpu-config", responses=problems(VmNotFound))
async def get_cpu_config(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.CpuConfigItem:
    """What a VM's CPU shows its guest."""
    row = await configuration.get(actor, vm_id)
    return schemas.CpuConfigItem(item=schemas.CpuConfigBody.model_validate({"cpu_config": row["cpu_config"]}))


@router.put("/cpu-config", responses=_DEVICE)
async def put_cpu_config(
    vm_id: UUID, wanted: schemas.PutCpuConfig, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Set what a VM's CPU shows its guest, from its next start on."""
    change = await configuration.set_device(
        actor, vm_id, {"cpu_config": wanted.as_stored()}, needs=[Offer.CPU_CONFIG], expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.get("/vsock", responses=problems(VmNotFound))
async def get_vsock(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.VsockItem:
    """A VM's vsock for its guest's own use."""
    row = await configuration.get(actor, vm_id)
    return schemas.VsockItem(item=schemas.VsockBody(guest_cid=row["vsock_cid"]))


@router.put("/vsock", responses=_DEVICE)
async def put_vsock(
    vm_id: UUID, wanted: schemas.PutVsock, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Give a VM a vsock for its guest's own use, from its next start on. The guest channel has one of its own."""
    change = await configuration.set_device(
        actor, vm_id, {"vsock_cid": wanted.guest_cid}, needs=[Offer.VSOCK], expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.get("/entropy", responses=problems(VmNotFound))
async def get_entropy(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.EntropyItem:
    """A VM's entropy device."""
    row = await configuration.get(actor, vm_id)
    return schemas.EntropyItem(item=schemas.EntropyBody(rate_limiter=schemas.EntropyLimiter.of(row["entropy_limit"])))


@router.put("/entropy", responses=_DEVICE)
async def put_entropy(
    vm_id: UUID, wanted: schemas.PutEntropy, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Limit what a VM's guest may draw from its entropy device, from its next start on. Every VM has one."""
    change = await configuration.set_device(
        actor, vm_id, {"entropy_limit": wanted.as_stored()}, needs=[Offer.ENTROPY_LIMIT], expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.get("/serial", responses=problems(VmNotFound))
async def get_serial(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.SerialItem:
    """A VM's serial console."""
    row = await configuration.get(actor, vm_id)
    return schemas.SerialItem(item=schemas.SerialBody(log_limit_bytes=row["console_bytes"]))


@router.put("/serial", responses=_DEVICE)
async def put_serial(
    vm_id: UUID, wanted: schemas.PutSerial, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Set how much of a VM's serial console's log is kept."""
    change = await configuration.set_device(
        actor, vm_id, {"console_bytes": wanted.log_limit_bytes}, needs=[Offer.CONSOLE_LIMIT], expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.get("/logger", responses=problems(VmNotFound))
async def get_logger(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.LoggerItem:
    """The log of a VM's hypervisor."""
    row = await configuration.get(actor, vm_id)
    return schemas.LoggerItem(item=schemas.LoggerBody(level=row["log_level"]))


@router.put("/logger", responses=_DEVICE)
async def put_logger(
    vm_id: UUID, wanted: schemas.PutLogger, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Set how much a VM's hypervisor writes into its own log."""
    change = await configuration.set_device(
        actor, vm_id, {"log_level": wanted.level}, needs=[Offer.LOG_LEVEL], expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.get("/balloon", responses=problems(VmNotFound))
async def get_balloon(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.BalloonItem:
    """A VM's balloon as it is configured; how far it is, its statistics say."""
    row = await configuration.get(actor, vm_id)
    return schemas.BalloonItem(
        item=schemas.BalloonBody(
            amount_mib=row["balloon_mib"],
            deflate_on_oom=row["balloon_deflates_on_oom"],
            stats_polling_interval_s=row["balloon_stats_s"],
        )
    )


@router.put("/balloon", responses=_BALLOON)
async def put_balloon(
    vm_id: UUID, wanted: schemas.PutBalloon, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Set a VM's balloon. A running guest begins at once to give back memory; whether it takes memory back when it is
    short of it, is settled at a start."""
    change = await configuration.set_balloon(
        actor,
        vm_id,
        {
            "balloon_mib": wanted.amount_mib,
            "balloon_deflates_on_oom": wanted.deflate_on_oom,
            "balloon_stats_s": wanted.stats_polling_interval_s,
        },
        expected=asked.expected,
    )
    return await asked.answer(actor, change)


@router.patch("/balloon", responses=_BALLOON)
async def patch_balloon(
    vm_id: UUID, wanted: schemas.PatchBalloon, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Change how much memory a VM's guest is to give back; 0: it gets back all."""
    change = await configuration.set_balloon(actor, vm_id, {"balloon_mib": wanted.amount_mib}, expected=asked.expected)
    return await asked.answer(actor, change)


@router.get("/balloon/statistics", responses=problems(VmNotFound, VmStateConflict, NotOffered, *PASSED_ON))
async def get_balloon_statistics(vm_id: UUID, actor: Viewer, readings: GuestReadings) -> schemas.BalloonStatisticsItem:
    """How far a running VM's balloon is, and what its guest says of its memory where it is asked to."""
    return schemas.BalloonStatisticsItem(item=await readings.balloon(actor, vm_id))


@router.patch("/balloon/statistics", responses=_BALLOON)
async def patch_balloon_statistics(
    vm_id: UUID, wanted: schemas.PatchBalloonStatistics, actor: Operator, configuration: Service, asked: Asked
) -> Changed:
    """Change how often a VM's guest tells of its memory."""
    change = await configuration.set_balloon(
        actor, vm_id, {"balloon_stats_s": wanted.stats_polling_interval_s}, expected=asked.expected
    )
    return await asked.answer(actor, change)


@router.get("/guest-ip", responses=problems(VmNotFound))
async def get_guest_ip(vm_id: UUID, actor: Viewer, configuration: Service) -> schemas.GuestIpItem:
    """The address of a VM's first interface."""
    row = await configuration.get(actor, vm_id)
    return schemas.GuestIpItem(item=schemas.GuestIpBody(ip=row["address"], running_ip=row["seen_address"]))


@router.post("/guest-ip", responses=problems(*CHANGE_PROBLEMS, NotOffered, AddressRefused, NicNotFound))
async def post_guest_ip(
    vm_id: UUID, wanted: schemas.GuestIp, actor: Operator, nics: Annotated[Nics, provided(Nics)], asked: Asked
) -> Changed:
    """Give a VM's first interface another address of its network, from its next start on. What a guest has is read from
    its host, never taken from whoever says so."""
    change = await nics.readdress(actor, vm_id, wanted.ip, expected=asked.expected)
    return await asked.answer(actor, change)


@router.post("/flush-metrics", responses=problems(VmNotFound, VmStateConflict, *PASSED_ON))
async def flush_metrics(vm_id: UUID, actor: Operator, readings: GuestReadings) -> Done:
    """Have a running VM's metrics collected now, by its host and from its guest."""
    await readings.flush_metrics(actor, vm_id)
    return Done()
