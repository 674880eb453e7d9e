"""Hosts on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import RequestBody
from nexus.manager.hosts.models import HostState
from nexus.manager.operations import Done
from nexus.protocol.hosts import HostUsage


class AmountsBody(BaseModel):
    vcpus: int = Field(description="vCPUs")
    memory_mib: int = Field(description="Memory in MiB")
    disk_bytes: int = Field(description="Disk in bytes")


class HostBody(BaseModel):
    """A machine that runs VMs."""

    id: UUID = Field(description="Its id")
    name: str = Field(description="What the host calls itself")
    state: HostState = Field(
        description="silent: it has not reported for three heartbeats; abandoned: given up for lost"
    )
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
    silent_since: datetime | None = Field(description="Its last heartbeat, where it is silent")
    abandoned_at: datetime | None = Field(description="When it was given up")
    operation_id: UUID | None = Field(description="The operation that is running on it, such as a drain")
    created_at: datetime = Field(description="When it first joined")
    updated_at: datetime = Field(description="When anything but its usage last changed")


class HostDetail(HostBody):
    capacity: AmountsBody = Field(description="What may be reserved in all: the host's amounts times the over-commit")
    reserved: AmountsBody = Field(description="What its VMs have reserved")


class HostList(Items[HostBody]):
    """A page of hosts."""


class HostItem(Item[HostDetail]):
    """A host."""


class DrainHost(RequestBody):
    """How to empty a host."""

    stop: Literal[True] = Field(
        description="Always true: every VM on the host is stopped. VMs cannot move to another host"
    )
    grace_s: int = Field(
        default=30, ge=0, le=600, description="Seconds each guest has to shut down before its power is cut; 0: at once"
    )


class AbandonHost(RequestBody):
    """Which host is given up."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)] = Field(
        description="The host's name, once more, so that no other is given up than was meant"
    )


class Abandoned(Done):
    """The host is given up."""

    vms: int = Field(description="How many VMs were lost with it")


class JoinTokenRequest(RequestBody):
    expires_in_s: int = Field(default=3600, ge=60, le=7 * 24 * 3600, description="How long it can be used")


class JoinTokenBody(BaseModel):
    id: UUID = Field(description="The token's id")
    token: str = Field(description="Lets one host join; shown once. Give it to 'nexus agent --join'")
    expires_at: datetime = Field(description="It opens nothing after this")
    url: str = Field(description="Where hosts reach this manager, as far as it knows (MANAGER_PUBLIC_URL)")
