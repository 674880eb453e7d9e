"""What every machine of this host shares."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from nexus.agent.net.port import Network
from nexus.agent.snapshots.store import SnapshotStore
from nexus.agent.storage.host_files import HostFiles
from nexus.agent.storage.images import ImageStore
from nexus.agent.vmm.port import Vmm
from nexus.kit.clock import Clock

BOOT_ATTEMPTS = 3


@dataclass(frozen=True)
class Host:
    """`uid_base`: None when machines run under the agent's own uid. `boot_slots` bounds boots at once."""

    vmm: Vmm
    network: Network
    images: ImageStore
    host_files: HostFiles
    snapshots: SnapshotStore
    clock: Clock
    machines: Path
    sockets: Path
    boot_id: str
    boot_slots: asyncio.Semaphore
    boot_deadline_s: float
    uid_base: int | None

    def home(self, machine: UUID) -> Path:
        return self.machines / str(machine)

    def guest_socket(self, machine: UUID) -> Path:
        return self.sockets / str(machine) / "guest.sock"

    def uid(self, slot: int) -> int | None:
        return None if self.uid_base is None else self.uid_base + slot
