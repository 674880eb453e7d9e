"""Zygotes on this host's disk, by their shape.

Must stay true: a directory under a shape's name is a whole zygote; there are never more than MOST_ZYGOTES, nor do they
take more than MOST_BYTES; and whatever a zygote was made from is part of its name, so that one that has become stale is
simply never found again. What those of another run of this host, or of another QEMU, take is given back when an agent
starts that uses QEMU.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nexus.agent.vmm.port import Definition
from nexus.agent.vmm.qemu.config import KERNEL_ARGS, Accelerator
from nexus.agent.vmm.qemu.snapshots import default_spare, guest_cpu

MOST_ZYGOTES: Final = 4
MOST_BYTES: Final = 1 << 30
LEAST_FREE_BYTES: Final = 2 << 30
"""Of the file system; zygotes are a convenience."""
FORMAT: Final = 3
"""Of what is kept: another when what guests see of their devices becomes another."""


class NoRoom(Exception):
    """For one more zygote; the message is a sentence."""


@dataclass(frozen=True)
class Taken:
    """What a host has of zygotes."""

    count: int
    disk_bytes: int


def host_facts(*, version: str, accelerator: Accelerator, boot_id: str) -> dict[str, str]:
    """What of a host's hypervisor zygotes depend on: the same for every agent of one run of the host, though each
    measures another frequency. `version`: QEMU's. Pure but for reading the host's CPU."""
    return {
        "version": version,
        "acceleration": accelerator.name,
        "cpu": guest_cpu(accelerator),
        "arguments": " ".join(KERNEL_ARGS),
        "boot": boot_id,
    }


def shape(definition: Definition, host: Mapping[str, str]) -> str:
    """What machines have in common that can begin from one zygote, as a name. `host`: what of this host's hypervisor it
    depends on (`host_facts`). Images are named by their content. Pure."""
    assert definition.guest is not None
    return _name(
        {
            "format": FORMAT,
            "host": dict(host),
            "kernel": definition.kernel.name,
            "initramfs": definition.guest.initramfs.name,
            "boot_args": definition.boot_args,
            "vcpus": definition.vcpus,
            "memory_mib": definition.memory_mib,
            "disks": len(definition.disks) + default_spare(definition),
            "nics": len(definition.nics),
            "balloon_deflates_on_oom": definition.balloon_deflates_on_oom,
        }
    )


def _name(parts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def home_of(run_dir: Path) -> Path:
    """Where an agent with this directory has everything about zygotes."""
    return run_dir / "zygotes"


def taken(run_dir: Path) -> Taken:
    """By those that are kept, whatever they are of. Raises OSError."""
    kept = home_of(run_dir) / "kept"
    zygotes = [path for path in kept.glob("*/*") if path.is_dir()]
    return Taken(len(zygotes), sum(_disk_bytes(path) for path in zygotes))


class ZygoteStore:
    def __init__(self, home: Path, host: Mapping[str, str]) -> None:
        """`host`: as for `shape`."""
        self.host = dict(host)
        self._home = home
        self._root = home / "kept" / _name({"format": FORMAT, "host": dict(host)})

    def tidy(self) -> None:
        """Remove what was being made when an agent ended."""
        shutil.rmtree(self.draft, ignore_errors=True)

    def discard_stale(self) -> None:
        """Remove all that can never be found again. Raises OSError."""
        for path in self._root.parent.iterdir() if self._root.parent.is_dir() else ():
            if path != self._root:
                shutil.rmtree(path)

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def draft(self) -> Path:
        """Where one is made; there is one at a time."""
        return self._home / "making"

    def require_room(self) -> None:
        """Raises NoRoom, OSError."""
        where = next(path for path in (self._home, *self._home.parents) if path.is_dir())
        if shutil.disk_usage(where).free < LEAST_FREE_BYTES:
            raise NoRoom(f"less than {LEAST_FREE_BYTES >> 30} GiB are free in {where}")

    def find(self, name: str) -> Path | None:
        directory = self._root / name
        try:
            os.utime(directory)
        except FileNotFoundError:
            return None
        return directory

    def add(self, name: str, made: Path) -> None:
        """Keep it, in place of those that were used longest ago. Raises NoRoom, OSError."""
        size = _disk_bytes(made)
        if size > MOST_BYTES:
            raise NoRoom(f"it takes {size >> 20} MiB, of {MOST_BYTES >> 20} for all")
        self._root.mkdir(parents=True, exist_ok=True)
        kept = sorted(self._root.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for number, path in enumerate(kept, start=1):
            size += _disk_bytes(path)
            if number >= MOST_ZYGOTES or size > MOST_BYTES:
                shutil.rmtree(path)
        made.rename(self._root / name)

    def discard(self, name: str) -> None:
        shutil.rmtree(self._root / name, ignore_errors=True)


def _disk_bytes(directory: Path) -> int:
    return sum(path.stat().st_blocks for path in directory.iterdir()) * 512
