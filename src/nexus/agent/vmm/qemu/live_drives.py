"""Changing the disks of a running QEMU by its monitor; how places, nodes and groups are called is `drives`'.

Every order may be repeated after any other broke off: what is in a place is asked of QEMU, not remembered.
"""

import os
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from nexus.agent.vmm.port import Disk, VmmTrouble
from nexus.agent.vmm.qemu import drives
from nexus.agent.vmm.qemu.launcher import disk_plan, open_disk
from nexus.agent.vmm.qemu.qmp import Qmp
from nexus.protocol.limits import RateLimiter
from nexus.protocol.machines import CacheType


async def limit(qmp: Qmp, drive: UUID, limiter: RateLimiter | None) -> None:
    """Set a drive's limits; its buckets are full then. Raises VmmTrouble, QmpTrouble."""
    found = _place_of(drive, await _places(qmp))
    if found is None:
        raise VmmTrouble("the running machine has no such drive")
    await _limit(qmp, found, limiter)


async def ensure(qmp: Qmp, disk: Disk) -> None:
    """Serve the disk in that drive's place, or in the first that is free. Raises VmmTrouble, QmpTrouble, OSError."""
    if disk.read_only or disk.cache_type is CacheType.WRITETHROUGH:
        raise VmmTrouble("a drive that is read-only or written through needs a place of its kind, made at the start")
    places = await _places(qmp)
    slot = _place_of(disk.id, places)
    if slot is None:
        slot = next((slot for slot, name in places.items() if name == drives.spare_node(slot)), None)
    if slot is None:
        raise VmmTrouble("the running machine has no place left for one more disk")
    await _limit(qmp, slot, disk.rate_limiter)
    fd = open_disk(disk)
    try:
        await _serve(qmp, disk, fd, slot=slot, before=places[slot])
    finally:
        os.close(fd)


async def _serve(qmp: Qmp, disk: Disk, fd: int, *, slot: int, before: str) -> None:
    """Have the file in the place where `before` is, which may be the same: a file cannot be opened twice."""
    name, size_bytes = drives.node_name(disk.id, os.fstat(fd)), os.lseek(fd, 0, os.SEEK_END)
    if before != name:
        await _forget(qmp, name)
        await _add_node(qmp, disk, fd, slot=slot)
        await qmp.execute("qom-set", path=drives.device_path(slot), property="drive", value=name)
    await _announce_size(qmp, name, size_bytes)
    if before not in (name, drives.spare_node(slot)):
        await qmp.execute("blockdev-del", **{"node-name": before})


async def grow(qmp: Qmp, disk: Disk) -> None:
    """Tell the guest how large a drive's file is now. Raises VmmTrouble, QmpTrouble, OSError."""
    places = await _places(qmp)
    slot = _place_of(disk.id, places)
    if slot is None:
        raise VmmTrouble("the running machine has no such drive")
    fd = open_disk(disk)
    try:
        await _announce_size(qmp, places[slot], os.lseek(fd, 0, os.SEEK_END))
    finally:
        os.close(fd)


async def _places(qmp: Qmp) -> Mapping[int, str]:
    """The node in each place, in their order."""
    blocks: list[dict[str, Any]] = await qmp.execute("query-block")
    found: dict[int, str] = {}
    for block in blocks:
        slot = str(block.get("qdev", "")).removeprefix("vd")
        if slot.isdecimal() and "inserted" in block:
            found[int(slot)] = str(block["inserted"]["node-name"])
    return dict(sorted(found.items()))


def _place_of(drive: UUID, places: Mapping[int, str]) -> int | None:
    prefix = drives.node_prefix(drive)
    return next((slot for slot, name in places.items() if name.startswith(prefix)), None)


async def _limit(qmp: Qmp, slot: int, limiter: RateLimiter | None) -> None:
    await qmp.execute("qom-set", path=drives.group_path(slot), property="limits", value=drives.limits(limiter))


async def _forget(qmp: Qmp, name: str) -> None:
    """Remove a node that an attempt which broke off left behind."""
    nodes: list[dict[str, Any]] = await qmp.execute("query-named-block-nodes", flat=True)
    if any(node["node-name"] == name for node in nodes):
        await qmp.execute("blockdev-del", **{"node-name": name})


async def _add_node(qmp: Qmp, disk: Disk, fd: int, *, slot: int) -> None:
    fdset = await qmp.pass_fd(fd)
    try:
        await qmp.execute("blockdev-add", **drives.node(disk_plan(disk, fd, fdset=fdset), slot=slot))
    finally:
        await qmp.execute("remove-fd", **{"fdset-id": fdset})


async def _announce_size(qmp: Qmp, name: str, size_bytes: int) -> None:
    """QEMU learns of a file's growth only by this, and tells the guest."""
    await qmp.execute("block_resize", **{"node-name": name, "size": size_bytes})
