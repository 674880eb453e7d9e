"""The disks of a QEMU machine: as options of its command line, and as orders to its monitor.

Every place for a disk (`vd0`, `vd1` …) has a throttle group (`limit0` …), set or not, through which its disk is
served: so limits can be set at any time. `microvm` has no hotplug. Instead a machine has SPARE_SLOTS places for disks
to come, each with an empty medium, which a guest sees as a disk of size 0; a disk comes by putting its medium there.

Which drive is in which place, and served from which file, QEMU knows itself: nodes are named after both, so that
nothing is to be remembered here. Files are descriptors that QEMU is given (`/dev/fdset/N`): the VMM's uid needs no
right to them.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus.protocol.limits import RateLimiter, TokenBucket
from nexus.protocol.machines import CacheType, IoEngine

MOST_TRANSPORTS = 24
"""Virtio devices that QEMU's microvm has places for."""
SPARE_SLOTS = 4
SERIAL_LENGTH = 20
DRIVE_DIGITS, FILE_DIGITS = 18, 12
"""Hexadecimal, of a node's name, which has at most 31 characters."""


@dataclass(frozen=True)
class DiskPlan:
    """A disk with its file opened: as descriptor set `fdset`, served by the node of this name (`node_name`)."""

    drive_id: str
    node: str
    fdset: int
    read_only: bool
    cache_type: CacheType = CacheType.WRITEBACK
    io_engine: IoEngine = IoEngine.SYNC
    rate_limiter: RateLimiter | None = None


def arguments(disks: Sequence[DiskPlan], *, spare: int) -> list[str]:
    """The part of the command line about disks, `spare` of them to come."""
    parts: list[str] = []
    for slot, disk in enumerate(disks):
        parts += ["-object", json.dumps(group(slot, disk.rate_limiter))]
        parts += ["-blockdev", json.dumps(node(disk, slot=slot))]
        write_cache = "off" if disk.cache_type is CacheType.WRITETHROUGH else "on"
        serial = disk.drive_id[:SERIAL_LENGTH]
        parts += _device(slot, disk.node, f"serial={serial},write-cache={write_cache}")
    for slot in range(len(disks), len(disks) + spare):
        parts += ["-object", json.dumps(group(slot, None))]
        parts += ["-blockdev", json.dumps(empty(slot)), *_device(slot, spare_node(slot), "write-cache=on")]
    return parts


def spare_slots(others: int, disks: int) -> int:
    """How many places for disks to come fit beside `others` devices and the disks there are."""
    return max(0, min(SPARE_SLOTS, MOST_TRANSPORTS - others - disks))


def node_prefix(drive: UUID) -> str:
    """What the names of a drive's nodes begin with."""
    return f"d{drive.hex[-DRIVE_DIGITS:]}"


def node_name(drive: UUID, file: os.stat_result) -> str:
    """The node that serves a drive from this file: by whatever path it was opened, a file is one device and inode."""
    key = hashlib.sha256(f"{file.st_dev}:{file.st_ino}".encode()).hexdigest()
    return node_prefix(drive) + key[:FILE_DIGITS]


def spare_node(slot: int) -> str:
    return f"spare{slot}"


def group(slot: int, limiter: RateLimiter | None) -> dict[str, Any]:
    """The throttle group of a place."""
    return {"qom-type": "throttle-group", "id": f"limit{slot}", "limits": limits(limiter)}


def group_path(slot: int) -> str:
    """Where QEMU's object model has it."""
    return f"/objects/limit{slot}"


def device_path(slot: int) -> str:
    return f"/machine/peripheral/vd{slot}"


def node(disk: DiskPlan, *, slot: int) -> dict[str, Any]:
    """The block node that a disk is served from, throttled by its place's group."""
    common = {"read-only": disk.read_only, "discard": "unmap", "cache": {"no-flush": _never_flushes(disk)}}
    file = {
        "driver": "file",
        "filename": f"/dev/fdset/{disk.fdset}",
        "aio": "io_uring" if disk.io_engine is IoEngine.ASYNC else "threads",
        "locking": "on",
        **common,
    }
    return {"driver": "throttle", "node-name": disk.node, "throttle-group": f"limit{slot}", "file": file, **common}


def empty(slot: int) -> dict[str, Any]:
    """What is in a place for a disk to come."""
    return {"driver": "null-co", "node-name": spare_node(slot), "size": 0, "read-zeroes": True}


def limits(limiter: RateLimiter | None) -> dict[str, int]:
    """A limiter as QEMU's `ThrottleLimits` (qapi/block-core.json), whole: what is left out there stays as it was; 0 is
    none."""
    bandwidth, ops = (limiter.bandwidth, limiter.ops) if limiter is not None else (None, None)
    return _limit("bps-total", bandwidth) | _limit("iops-total", ops)


def _limit(name: str, bucket: TokenBucket | None) -> dict[str, int]:
    """QEMU's bucket holds `…-max`, which may not be less than passes in a second; else a tenth of a second's worth."""
    rate = max(1, round(bucket.per_second)) if bucket is not None else 0
    return {name: rate, f"{name}-max": bucket.size if bucket is not None and bucket.size >= rate else 0}


def _never_flushes(disk: DiskPlan) -> bool:
    return disk.cache_type is CacheType.UNSAFE


def _device(slot: int, drive: str, properties: str) -> list[str]:
    return ["-device", f"virtio-blk-device,drive={drive},id=vd{slot},{properties}"]
