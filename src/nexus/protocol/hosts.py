"""Hosts: how an agent introduces itself, and what it reports.

`POST /v1/hosts/register` with a one-time join token answers with the host's id and its own credential, which
authenticates every later call. `POST /v1/hosts/{id}/heartbeat` carries observations: all machines every interval
(`full`), single ones as soon as they change. The answer lists the machines the manager has confirmed gone; the agent
discards those and nothing else it does not know.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from nexus.protocol.base import Message
from nexus.protocol.machines import MachineSeen

HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$")]


class Offer(StrEnum):
    """What a driver (or the host's network mode) can do beyond the basics; the manager asks for these, never for
    the hypervisor's name."""

    PAUSE = "pause"
    SNAPSHOT = "snapshot"
    BALLOON = "balloon"
    BRIDGE = "bridge"
    """Guests have addresses of their own on a bridge."""
    USER_NET = "user_net"
    """Guests reach out through the host's own connection; nothing reaches them but through the guest channel."""
    CTRL_ALT_DEL = "ctrl_alt_del"


class HostFacts(Message):
    """What a host is. Amounts are the whole host's; the manager subtracts reservations."""

    name: HostName
    vmm: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")] = Field(description="firecracker, qemu or fake")
    vmm_version: str
    acceleration: Annotated[str, StringConstraints(pattern=r"^(kvm|tcg|none)$")]
    why_vmm: str = Field(description="Why this hypervisor and acceleration, in one sentence")
    offers: frozenset[Offer]
    vcpus: int = Field(ge=1)
    memory_mib: int = Field(ge=1)
    disk_bytes: int = Field(ge=0, description="Size of the file system that holds the machines' disks")
    agent_version: str
    protocol_version: int
    boot_id: str = Field(description="The kernel's boot id: changes when the host restarts")


class RegisterRequest(Message):
    join_token: str
    address: str = Field(description="Where the manager reaches the agent: unix:/path or https://host:port")
    facts: HostFacts


class Registered(Message):
    host_id: UUID
    credential: str = Field(description="Bearer token of this host, shown once")


class HostUsage(Message):
    """How busy the host is, for people to look at."""

    cpu_percent: float = Field(ge=0)
    memory_used_mib: int = Field(ge=0)
    disk_used_bytes: int = Field(ge=0)


class Heartbeat(Message):
    boot_id: str
    seq: int = Field(ge=0)
    full: bool = Field(description="True: `machines` is all there are; a machine not in it is ABSENT")
    machines: tuple[MachineSeen, ...] = ()
    facts: HostFacts | None = None
    usage: HostUsage | None = None


class HeartbeatAnswer(Message):
    interval_s: float = 5
    gone: tuple[UUID, ...] = Field(default=(), description="Machines to discard: the manager has no row for them")
