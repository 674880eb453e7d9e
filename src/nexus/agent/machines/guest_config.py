"""What the guest is told about itself, and how it reaches it: a second archive behind the shared initramfs. Pure but
for writing that file."""

import os
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID

from nexus.agent.machines.metadata import instance_id, served
from nexus.agent.net.port import Attachment
from nexus.agent.storage.files import append, write_all
from nexus.kit import cpio
from nexus.protocol.guest import CloudInitSeed, GuestAccount, GuestConfig, GuestNic, MountSpec
from nexus.protocol.machines import DiskFormat, DiskRole, DiskSpec, MachineSpec

CONFIG_PATH = "nexus/config.json"


class SpecTrouble(Exception):
    """The definition cannot become a guest; the message is a sentence for a user."""


def guest_config(spec: MachineSpec, attachments: Mapping[UUID, Attachment], *, time_unix_ms: int) -> GuestConfig:
    """Raises SpecTrouble for a machine without a root disk, or one whose root no guest can mount."""
    dns: list[IPv4Address] = []
    for nic in spec.nics:
        dns += [server for server in attachments[nic.id].dns if server not in dns]
    root = _mount(spec, DiskRole.ROOT)
    if root is None:
        raise SpecTrouble("the machine has no root disk")
    return GuestConfig(
        root=root,
        overlay=_mount(spec, DiskRole.OVERLAY),
        init=spec.guest.init,
        hostname=spec.guest.hostname,
        machine_id=spec.id.hex,
        user=GuestAccount(
            name=spec.guest.user.name,
            password_hash=spec.guest.user.password_hash,
            ssh_authorized_keys=spec.guest.user.ssh_authorized_keys,
        ),
        nics=_nics(spec, attachments),
        dns=tuple(dns),
        time_unix_ms=time_unix_ms,
        metadata=served(spec, attachments),
        cloud_init=_seed(spec),
    )


def _seed(spec: MachineSpec) -> CloudInitSeed | None:
    if spec.user_data is None:
        return None
    return CloudInitSeed(instance_id=instance_id(spec), user_data=spec.user_data)


def write_initramfs(base: Path, config: GuestConfig, path: Path, *, uid: int | None) -> None:
    """The shared archive, padded, and behind it one with the guest's configuration; readable by the VMM alone."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        append(base, fd)
        archive = cpio.write([cpio.file(CONFIG_PATH, config.model_dump_json().encode(), mode=0o600)])
        write_all(fd, cpio.padding(base.stat().st_size) + archive)
        if uid is not None:
            os.fchown(fd, uid, uid)
    finally:
        os.close(fd)


def _nics(spec: MachineSpec, attachments: Mapping[UUID, Attachment]) -> tuple[GuestNic, ...]:
    """The way to the world is the first interface's."""
    return tuple(
        GuestNic(
            mac=nic.mac,
            address=attachments[nic.id].address,
            gateway=attachments[nic.id].gateway if position == 0 else None,
        )
        for position, nic in enumerate(spec.nics)
    )


def _mount(spec: MachineSpec, role: DiskRole) -> MountSpec | None:
    found = [(index, disk) for index, disk in enumerate(spec.disks) if disk.role is role]
    if len(found) > 1:
        raise SpecTrouble(f"the machine has {len(found)} {role.value} disks")
    return _mount_of(*found[0]) if found else None


def _mount_of(index: int, disk: DiskSpec) -> MountSpec:
    if index >= 26:
        raise SpecTrouble("a guest can have at most 26 disks")
    device = f"/dev/vd{chr(ord('a') + index)}"
    if disk.format is DiskFormat.RAW:
        raise SpecTrouble(f"disk {disk.drive_id} holds no file system that a guest could mount")
    fs = "squashfs" if disk.format is DiskFormat.SQUASHFS else "ext4"
    return MountSpec(device=device, fs=fs, read_only=disk.read_only or disk.format is DiskFormat.SQUASHFS)
