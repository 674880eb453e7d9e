"""Hosts: how an agent introduces itself, and what it reports.

`POST /v1/hosts/register` with a one-time join token answers with the host's id and its own credential, which
authenticates every later call. An agent on TCP sends a certificate signing request along, and gets its next certificate
by `POST /v1/hosts/{id}/certificate`. `POST /v1/hosts/{id}/heartbeat` carries observations: all machines every interval
(`full`), single ones as soon as they change. The answer lists the machines the manager has confirmed gone; the agent
discards those and nothing else it does not know.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from nexus.kit.fields import MOST_INT4, MOST_INT8, Int4, Int8, Line
from nexus.protocol.base import Message
from nexus.protocol.machines import HostPath, MachineSeen, Told

HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$")]

AgentAddress = Annotated[
    str,
    StringConstraints(
        pattern=r"^(unix:/[^\x00-\x1f\x7f]{1,106}|https://([A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):\d{1,5})$"
    ),
]
BootId = Annotated[Line, StringConstraints(min_length=1, max_length=64)]


class Offer(StrEnum):
    """What a driver (or the host's network mode) can do beyond the basics; the manager asks for these, never for
    the hypervisor's name."""

    PAUSE = "pause"
    """A running guest can be frozen, and go on."""
    SNAPSHOT = "snapshot"
    """A running guest can be kept as it is, memory and all."""
    ZYGOTE = "zygote"
    """Machines begin from a guest that has booted already: emulated ones, unless `AGENT_ZYGOTES` is off."""
    BALLOON = "balloon"
    """A running guest can be asked to give back memory."""
    ENTROPY_LIMIT = "entropy_limit"
    """What a guest draws from its entropy device can be limited."""
    CONSOLE_LIMIT = "console_limit"
    """How much of a serial console's log is kept can be chosen."""
    LOG_LEVEL = "log_level"
    """How much the hypervisor writes into its own log can be chosen."""
    CPU_CONFIG = "cpu_config"
    """Single features of the CPU can be hidden from a guest."""
    VSOCK = "vsock"
    """A guest can have a vsock for its own use."""
    BRIDGE = "bridge"
    """Guests have addresses of their own on a bridge."""
    USER_NET = "user_net"
    """Guests reach out through the host's own connection; nothing reaches them but through the guest channel."""
    CTRL_ALT_DEL = "ctrl_alt_del"
    """The keys can be pressed at the guest's keyboard."""
    CONSOLE_INPUT = "console_input"
    """The serial console can be typed on."""
    DRIVE_LIMITS = "drive_limits"
    """Drives have rate limiters."""
    ONE_TIME_BURST = "one_time_burst"
    """Their buckets, and those of interfaces, may have a burst for the beginning."""
    HOT_DRIVES = "hot_drives"
    """Drives can be added, grown and given other content while the machine runs."""
    ASYNC_IO = "async_io"
    """Drives can be served by io_uring."""
    WRITETHROUGH = "writethrough"
    """Drives can have every write on disk at once."""
    HOST_FILES = "host_files"
    """Drives can be files of the host's own: its owner has named directories (AGENT_DRIVE_ROOTS)."""
    NIC_LIMITS = "nic_limits"
    """Interfaces have rate limiters (of bandwidth)."""


class HostFacts(Message):
    """What a host is. Amounts are the whole host's; the manager subtracts reservations."""

    name: HostName = Field(description="What the host calls itself; unique")
    vmm: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")] = Field(description="firecracker, qemu or fake")
    vmm_version: Told = Field(description="The hypervisor's version")
    acceleration: Annotated[str, StringConstraints(pattern=r"^(kvm|tcg|none)$")] = Field(
        description="kvm, tcg (software emulation) or none"
    )
    why_vmm: Told = Field(description="Why this hypervisor and acceleration, in one sentence")
    offers: frozenset[Offer] = Field(description="What it can do beyond the basics")
    vcpus: int = Field(ge=1, le=MOST_INT4, description="CPUs")
    memory_mib: int = Field(ge=1, le=MOST_INT8, description="Memory in MiB")
    disk_bytes: Int8 = Field(description="Size of the file system that holds the machines' disks")
    agent_version: Told = Field(description="The agent's version")
    protocol_version: Int4 = Field(description="The version of this protocol it speaks")
    boot_id: BootId = Field(description="The kernel's boot id: changes when the host restarts")


Pem = Annotated[str, StringConstraints(max_length=16384)]
"""One certificate, or one signing request, as PEM."""


class HostIdentity(Message):
    """What an agent on TCP needs to be known by managers, and to know them."""

    certificate: Pem = Field(description="For the key of the request; good for some days, see its dates")
    ca: Pem = Field(description="The authority that signs for hosts and managers; it stays the same")
    manager: str = Field(description="The URI that a manager's certificate names, and no host's does")


class CertificateRequest(Message):
    """How a host that has joined asks for its next certificate, and says where it is now."""

    address: AgentAddress = Field(description="Where managers reach the agent: https://host:port")
    csr: Pem = Field(description="PKCS#10 request in PEM; of it only the public key is used")


class RegisterRequest(Message):
    join_token: Annotated[Line, StringConstraints(max_length=255)] = Field(description="Lets one host in, once")
    address: AgentAddress = Field(description="Where the manager reaches the agent: unix:/path or https://host:port")
    facts: HostFacts = Field(description="What the host is")
    csr: Pem | None = Field(
        default=None, description="With an https address: PKCS#10 request in PEM; of it only the public key is used"
    )


class Registered(Message):
    host_id: UUID = Field(description="The host's id")
    credential: str = Field(description="Bearer token of this host, shown once")
    identity: HostIdentity | None = Field(default=None, description="With a `csr`: what it was granted")


class HostUsage(Message):
    """How busy the host is, for people to look at."""

    cpu_percent: float = Field(ge=0, allow_inf_nan=False, description="Of all its CPUs together")
    memory_used_mib: Int8 = Field(description="Memory in use, in MiB")
    disk_used_bytes: Int8 = Field(description="Used of the file system that holds the machines' disks")


class HostFile(Message):
    """GET /v1/host/files?path=…: a place for a drive's file, below a directory that the host's owner has named."""

    path: HostPath = Field(description="Where it is once all symbolic links are resolved")
    size_bytes: Int8 | None = Field(default=None, description="Its size; None: nothing is there yet")


class Heartbeat(Message):
    boot_id: BootId = Field(description="The kernel's boot id")
    seq: Int8 = Field(description="Of the newest observation in it")
    full: bool = Field(description="True: `machines` is all there are; a machine not in it is ABSENT")
    machines: tuple[MachineSeen, ...] = Field(default=(), description="What is seen of each")
    facts: HostFacts | None = Field(default=None, description="What the host is, where that changed")
    usage: HostUsage | None = Field(default=None, description="How busy the host is")


class HeartbeatAnswer(Message):
    interval_s: float = Field(default=5, description="Seconds to the next full report")
    gone: tuple[UUID, ...] = Field(default=(), description="Machines to discard: the manager has no row for them")
