"""Zygotes on this host's disk, by their shape.

Must stay true: a directory under a shape's name is a whole zygote; there are never more than MOST_ZYGOTES; and whatever
a zygote was made from is part of its name, so that one that has become stale is simply never found again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from nexus.agent.vmm.port import Definition
from nexus.agent.vmm.qemu.snapshots import default_spare

MOST_ZYGOTES = 4
FORMAT = 1


def shape(definition: Definition, host: Mapping[str, str]) -> str:
    """What machines have in common that can begin from one zygote, as a name. `host`: what of this host's hypervisor it
    depends on. Images are named by their content. Pure."""
    assert definition.guest is not None
    parts = {
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
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


class ZygoteStore:
    def __init__(self, root: Path) -> None:
        self._root = root

    def tidy(self) -> None:
        """Remove what was being made when an agent ended."""
        shutil.rmtree(self.draft, ignore_errors=True)

    @property
    def draft(self) -> Path:
        """Where one is made; there is one at a time."""
        return self._root.with_name("making")

    def find(self, name: str) -> Path | None:
        directory = self._root / name
        if not directory.is_dir():
            return None
        os.utime(directory)
        return directory

    def add(self, name: str, made: Path) -> None:
        """Keep it, in place of the one that was used longest ago. Raises OSError."""
        self._root.mkdir(exist_ok=True)
        kept = sorted(self._root.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in kept[: max(0, len(kept) - MOST_ZYGOTES + 1)]:
            shutil.rmtree(path)
        made.rename(self._root / name)

    def discard(self, name: str) -> None:
        shutil.rmtree(self._root / name, ignore_errors=True)
