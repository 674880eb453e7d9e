"""A database with so many running VMs in it, written as the product's own repositories write them."""

import hashlib
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID

from nexus.kit.db import Db, Tx
from nexus.kit.ids import new_id
from nexus.manager.drives import service as drives
from nexus.manager.drives.models import root_drives
from nexus.manager.hosts import repository as hosts
from nexus.manager.images import repository as images
from nexus.manager.images.files import FoundFile
from nexus.manager.images.models import ImageFormat, ImageKind
from nexus.manager.machines import repository as machines
from nexus.manager.machines.lifecycle import Goal, RestartPolicy
from nexus.manager.machines.models import NewMachine
from nexus.manager.networks import service as networks
from nexus.manager.nics import service as nics
from nexus.manager.nics.models import NewNic
from nexus.manager.subjects import DEFAULT_PROJECT
from nexus.manager.users import repository as users
from nexus.manager.users.service import FIRST_USERNAME, ensure_first_user, open_session
from nexus.manager.vms import repository as vms
from nexus.manager.vms.lifecycle import State
from nexus.manager.vms.repository import NewVm
from nexus.protocol.hosts import HostFacts, Offer, RegisterRequest
from nexus.protocol.machines import DiskFormat, GuestPhase, MachineSeen, Power

BOOT_ID = "benchmark"
IMAGE_BYTES = 1 << 26
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada@laptop"
BATCH = 500


async def fill(database_url: str, *, size: int) -> tuple[str, UUID]:
    """Write a fleet into a migrated, empty database. The answer: a session token of the first user, and one VM's id."""
    db = Db(database_url, min_size=1, max_size=1)
    await db.open()
    try:
        await ensure_first_user(db, is_loopback=True)
        user = await users.find_by_name(db, FIRST_USERNAME)
        assert user is not None
        async with db.transaction() as tx:
            token = (await open_session(tx, user, details={"from": "benchmark"})).token
            image_ids = {kind: await _add_image(tx, kind, user.id) for kind in ImageKind if kind is not ImageKind.DATA}
            host_id = await _add_host(tx)
        vm_id = new_id()
        for start in range(0, size, BATCH):
            async with db.transaction() as tx:
                for number in range(start, min(start + BATCH, size)):
                    vm_id = await _add_vm(tx, number, host_id, image_ids, user.id)
        await db.execute("analyze")
        return token, vm_id
    finally:
        await db.close()


async def _add_host(tx: Tx) -> UUID:
    facts = HostFacts(
        name="bench-1",
        vmm="fake",
        vmm_version="1",
        acceleration="none",
        why_vmm="The benchmark says so.",
        offers=frozenset((Offer.PAUSE, Offer.CTRL_ALT_DEL, Offer.USER_NET)),
        vcpus=1024,
        memory_mib=1 << 24,
        disk_bytes=1 << 50,
        agent_version="1",
        protocol_version=1,
        boot_id=BOOT_ID,
    )
    request = RegisterRequest(join_token="none", address="unix:/nowhere/agent.sock", facts=facts)
    return (await hosts.register(tx, request, credential_sha256=hashlib.sha256(BOOT_ID.encode()).digest())).host_id


async def _add_image(tx: Tx, kind: ImageKind, user_id: UUID) -> UUID:
    formats = {ImageKind.KERNEL: ImageFormat.ELF, ImageKind.INITRAMFS: ImageFormat.CPIO}
    digest = hashlib.sha256(kind.encode()).hexdigest()
    found = FoundFile(Path("/images") / digest, formats.get(kind, ImageFormat.SQUASHFS), digest, IMAGE_BYTES)
    image_id = new_id()
    await images.add(
        tx,
        image_id,
        found,
        project_id=DEFAULT_PROJECT,
        created_by=user_id,
        kind=kind,
        name=f"bench-{kind}",
        description="",
        is_default=True,
    )
    return image_id


async def _add_vm(tx: Tx, number: int, host_id: UUID, image_ids: dict[ImageKind, UUID], user_id: UUID) -> UUID:
    machine = NewMachine(
        id=new_id(),
        project_id=DEFAULT_PROJECT,
        created_by_user_id=user_id,
        kind="vm",
        host_id=host_id,
        vcpus=2,
        memory_mib=512,
        kernel_image_id=image_ids[ImageKind.KERNEL],
        initramfs_image_id=image_ids[ImageKind.INITRAMFS],
        boot_args=None,
        goal=Goal.ON,
        restart_policy=RestartPolicy.NEVER,
    )
    await machines.add(tx, machine)
    root = root_drives(
        image_id=image_ids[ImageKind.ROOTFS],
        image_format=DiskFormat.SQUASHFS,
        image_bytes=IMAGE_BYTES,
        wanted_bytes=None,
    )
    await drives.add(tx, machine.id, root)
    await nics.add(tx, machine.id, NewNic(iface_id="eth0"), network=await networks.choose(tx, DEFAULT_PROJECT))
    vm_id = new_id()
    await vms.add(
        tx,
        NewVm(
            id=vm_id,
            machine_id=machine.id,
            project_id=DEFAULT_PROJECT,
            created_by_user_id=user_id,
            name=f"web-{number:05}",
            description="Serves the shop",
            tags=["shop", f"shard-{number % 16}"],
            environment="production",
            owner="ada",
            username="root",
            password_sealed=b"",
            password_hash="",
            ssh_authorized_keys=[KEY],
        ),
    )
    seen = MachineSeen(
        id=machine.id,
        seq=number + 1,
        generation=1,
        power=Power.ON,
        boot=1,
        guest=GuestPhase.READY,
        address=IPv4Address("10.0.2.15"),
        started_at=datetime.now(UTC),
    )
    await machines.apply(tx, host_id, [seen], boot_id=BOOT_ID, floor_seq=0, is_full=False)
    await vms.write_state(tx, vm_id, State.RUNNING)
    return vm_id
