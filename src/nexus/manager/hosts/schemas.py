"""Hosts on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import RequestBody
from nexus.manager.hosts.models import HostState
from nexus.protocol.hosts import HostUsage


class AmountsBody(BaseModel):
    vcpus: int = Field(description="vCPUs")
    memory_mib: int = Field(description="Memory in MiB")
    disk_bytes: int = Field(description="Disk in bytes")


class HostBody(BaseModel):
    """A machine that runs VMs."""

    id: UUID = Field(description="Its id")
    name: str = Field(description="What the host calls itself")
    state: HostState = Field(description="silent: it has not reported for three heartbeats")
    is_cordoned: bool = Field(description="Takes no new VMs")
    address: str = Field(description="Where the manager reaches its agent")
    vmm: str = Field(description="Hypervisor: firecracker, qemu or fake")
    vmm_version: str = Field(description="The hypervisor's version")
    acceleration: str = Field(description="kvm, tcg (software emulation) or none")
    why_vmm: str = Field(description="Why this hypervisor and acceleration")
    offers: list[str] = Field(description="What its hypervisor and network can do beyond the basics")
    agent_version: str = Field(description="The agent's version")
    vcpus: int = Field(description="CPUs of the whole host")
    memory_mib: int = Field(description="Memory of the whole host in MiB")
    disk_bytes: int = Field(description="Size of the file system that holds the VMs' disks")
    usage: HostUsage | None = Field(description="How busy the host was at its last heartbeat")
    last_seen_at: datetime = Field(description="Its last heartbeat")
    created_at: datetime = Field(description="When it first joined")
    updated_at: datetime = Field(description="When anything but its usage last changed")


class HostDetail(HostBody):
    capacity: AmountsBody = Field(description="What may be reserved in all: the host's amounts times the over-commit")
    reserved: AmountsBody = Field(description="What its VMs have reserved")


class HostList(Items[HostBody]):
    """A page of hosts."""


class HostItem(Item[HostDetail]):
    """A host."""


class JoinTokenRequest(RequestBody):
    expires_in_s: int = Field(default=3600, ge=60, le=7 * 24 * 3600, description="How long it can be used")


class JoinTokenBody(BaseModel):
    id: UUID = Field(description="The token's id")
    token: str = Field(description="Lets one host join; shown once. Give it to 'nexus agent --join'")
    expires_at: datetime = Field(description="It opens nothing after this")
    url: str = Field(description="Where hosts reach this manager, as far as it knows (MANAGER_PUBLIC_URL)")
