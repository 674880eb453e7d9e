"""What this host is and how busy it is, from /proc and the file system."""

import os
import shutil
import socket
from pathlib import Path

import psutil

import nexus
from nexus.agent.net.port import Network
from nexus.agent.settings import KERNEL_BOOT_ID
from nexus.agent.vmm.port import Vmm
from nexus.protocol.hosts import HostFacts, HostUsage, Offer

PROTOCOL_VERSION = 1
MIB = 1 << 20


def host_boot_id(source: Path = KERNEL_BOOT_ID) -> str:
    """What names the present run of this host: the content of `source`, the kernel's unless said otherwise."""
    return source.read_text().strip()


def host_facts(
    vmm: Vmm,
    network: Network,
    *,
    name: str | None,
    disks: Path,
    boot_id: str,
    offers: frozenset[Offer] = frozenset(),
) -> HostFacts:
    """`disks`: a directory on the file system that holds the machines' disks; `offers`: what this host can do beyond
    what its hypervisor and its network can."""
    return HostFacts(
        name=name or socket.gethostname(),
        vmm=vmm.name,
        vmm_version=vmm.version,
        acceleration=vmm.acceleration,
        why_vmm=vmm.why,
        offers=vmm.offers | network.offers | offers,
        vcpus=os.cpu_count() or 1,
        memory_mib=psutil.virtual_memory().total // MIB,
        disk_bytes=shutil.disk_usage(disks).total,
        agent_version=nexus.__version__,
        protocol_version=PROTOCOL_VERSION,
        boot_id=boot_id,
    )


def host_usage(disks: Path) -> HostUsage:
    """CPU since the previous call (the first one answers 0)."""
    memory = psutil.virtual_memory()
    return HostUsage(
        cpu_percent=psutil.cpu_percent(interval=None),
        memory_used_mib=(memory.total - memory.available) // MIB,
        disk_used_bytes=shutil.disk_usage(disks).used,
    )
