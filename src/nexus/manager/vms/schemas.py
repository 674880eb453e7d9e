"""VMs on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import FromText, Id, Line, RequestBody
from nexus.manager.hosts.placement import Placement
from nexus.manager.labels import ImageRef, Label, Tags, Text, UserName
from nexus.manager.machines.lifecycle import RestartPolicy
from nexus.manager.metrics.models import UsageBody
from nexus.manager.ssh_keys.models import KeyRef, PublicKeyText
from nexus.manager.templates.models import TemplateName, TemplateRef
from nexus.manager.vms.lifecycle import State, Verb
from nexus.manager.vms.models import VmName
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import GuestPhase

Password = Annotated[Line, StringConstraints(min_length=1, max_length=128)]


class VmWanted(RequestBody):
    """What a new VM should be, under any name that asks for one."""

    name: VmName
    vcpu: int = Field(default=1, ge=1, le=32, description="Virtual CPUs")
    mem_mib: int = Field(default=512, ge=128, le=1 << 20, description="Memory in MiB")
    kernel_image_id: Id | None = Field(default=None, description="Kernel image; without it the default")
    kernel: ImageRef | None = Field(default=None, description="The kernel image's name or id, instead of its id")
    rootfs_image_id: Id | None = Field(default=None, description="Root file system image; without it the default")
    image: ImageRef | None = Field(default=None, description="The root image's name or id, instead of its id")
    username: UserName = Field(default="root", description="The guest's user; made if it is missing")
    password: Password | None = Field(default=None, description="That user's password; without it one is generated")
    ssh_authorized_keys: list[PublicKeyText] = Field(
        default=[], max_length=32, description="Public keys that may log in, as in an OpenSSH .pub file"
    )
    ssh_keys: list[KeyRef] = Field(
        default=[], max_length=32, description="Registered keys that may log in as well: names of your own, or ids"
    )
    disk_size_bytes: int | None = Field(
        default=None,
        ge=64 << 20,
        le=1 << 44,
        description="Size of the writable root; without it the image's own, or 4 GiB over a read-only image",
    )
    description: Text = Field(default="", description="What it is for; free text")
    tags: Tags = []
    environment: Label = Field(default="", description="Such as production or staging; free text")
    owner: Label = Field(default="", description="Whom to ask about it; free text")
    boot_args: Line | None = Field(default=None, max_length=1024, description="Appended to the kernel's command line")
    restart_policy: Annotated[RestartPolicy, FromText] = Field(
        default=RestartPolicy.NEVER, description="always: start it again when its host restarted while it ran"
    )
    needs: list[Annotated[Offer, FromText]] = Field(
        default=[], max_length=16, description="What its host has to be able to do; see `offers` of hosts"
    )
    start: bool = Field(default=True, description="Start it; false leaves it stopped")

    @model_validator(mode="after")
    def _named_once(self) -> "VmWanted":
        if self.kernel is not None and self.kernel_image_id is not None:
            raise ValueError("name the kernel by kernel or by kernel_image_id, not both")
        if self.image is not None and self.rootfs_image_id is not None:
            raise ValueError("name the root image by image or by rootfs_image_id, not both")
        return self


class CreateVm(VmWanted):
    """What a new VM should be. Only `name` is needed; with a template, what is left out is as there."""

    template: TemplateRef | None = Field(default=None, description="A template's name or id, to make it from")


class InstantiateTemplate(VmWanted):
    """A VM to be made from a template. Only `name` is needed; what is left out is as in the template, whatever default
    is said here."""


class SaveTemplate(RequestBody):
    """What to call the template that a VM's configuration is saved as."""

    name: TemplateName
    description: Text = Field(default="", description="What it is for; free text")


class PlaceBody(BaseModel):
    """A host that was looked at."""

    host_id: UUID = Field(description="The host's id")
    host_name: str = Field(description="Its name")
    refusal: str | None = Field(description="Why the VM cannot go there; null: it could")


class TriedOut(BaseModel):
    """Where a VM would go. Nothing was made."""

    dry_run: Literal[True] = True
    host_id: UUID | None = Field(description="The host that it would go to; null: to none")
    host_name: str | None = Field(description="That host's name")
    hosts: list[PlaceBody] = Field(description="All hosts: those that could take it, the best first, then the others")

    @classmethod
    def of(cls, placement: Placement) -> "TriedOut":
        chosen = placement.chosen
        return cls(
            host_id=chosen.host_id if chosen else None,
            host_name=chosen.name if chosen else None,
            hosts=[
                PlaceBody(host_id=place.host_id, host_name=place.name, refusal=place.refusal)
                for place in placement.places
            ],
        )


class PatchVm(RequestBody):
    """What to change; a field that is left out stays."""

    name: VmName | None = Field(default=None, description="A new name")
    description: Text | None = Field(default=None, description="What it is for; free text")
    tags: Tags | None = Field(default=None, description="All its tags, in place of the old ones")
    environment: Label | None = Field(default=None, description="Such as production or staging; free text")
    owner: Label | None = Field(default=None, description="Whom to ask about it; free text")
    restart_policy: Annotated[RestartPolicy | None, FromText] = Field(
        default=None, description="always: start it again when its host restarted while it ran"
    )

    @model_validator(mode="after")
    def _nothing_is_cleared(self) -> "PatchVm":
        if cleared := sorted(field for field in self.model_fields_set if getattr(self, field) is None):
            raise ValueError(f"{cleared[0]} cannot be null")
        return self


class StopVm(RequestBody):
    """How to stop."""

    grace_s: int = Field(
        default=30, ge=0, le=600, description="Seconds the guest has to shut down before its power is cut; 0: at once"
    )


class ActionBody(BaseModel):
    """A verb, and whether it may be used now."""

    verb: Verb = Field(description="What could be done")
    refusal: str | None = Field(description="Why not, and what to do instead; null: it may")


class VmBody(BaseModel):
    """A virtual machine."""

    id: UUID = Field(description="Its id")
    name: str = Field(description="Unique in its project; the host name of its guest")
    state: State = Field(description="What it does; `running` says that the hypervisor runs it")
    guest: GuestPhase = Field(description="Whether the agent in its guest answers")
    why: str | None = Field(description="How it came to that state, where nobody asked for it")
    fault: str | None = Field(description="Why its wish cannot come true, or what killed it")
    stage: str | None = Field(description="What its host is doing about it right now")
    description: str = Field(description="What it is for")
    tags: list[str] = Field(description="To find it by")
    environment: str = Field(description="Such as production or staging")
    owner: str = Field(description="Whom to ask about it")
    vcpu: int = Field(description="Virtual CPUs")
    mem_mib: int = Field(description="Memory in MiB")
    disk_size_bytes: int | None = Field(description="Size of the writable root")
    kernel_image_id: UUID = Field(description="The kernel image")
    kernel: str = Field(description="The kernel image's name")
    kernel_path: str = Field(description="Where the manager has that image")
    rootfs_image_id: UUID = Field(description="The root image")
    image: str = Field(description="The root image's name")
    rootfs_path: str = Field(description="Where the manager has that image")
    boot_args: str | None = Field(description="Appended to the kernel's command line")
    restart_policy: RestartPolicy = Field(description="always: it is started again when its host restarted under it")
    username: str = Field(description="The guest's user")
    ssh_authorized_keys: list[str] = Field(description="Public keys that may log in")
    host_id: UUID = Field(description="The host it is on")
    host_name: str = Field(description="That host's name")
    host_addr: str = Field(description="Where the manager reaches that host's agent")
    warnings: list[str] = Field(description="What of its configuration its guest could not apply, in the guest's words")
    pending_changes: list[str] = Field(
        description="What of its configuration the running boot does not have yet, such as vcpus or drives.data"
    )
    guest_ip: str | None = Field(description="The guest's first address")
    guest_mac: str | None = Field(description="The first interface's MAC")
    started_at: datetime | None = Field(description="When the present boot began")
    operation_id: UUID | None = Field(description="The operation that is running on it")
    template_id: UUID | None = Field(description="The template it was made from, while that is there")
    source_snapshot_id: UUID | None = Field(description="The snapshot it was made from, while that is there")
    cloned_from_id: UUID | None = Field(description="The VM it is a clone of, while that is there")
    actions: list[ActionBody] = Field(description="What may be done with it now")
    created_by_user_id: UUID | None = Field(description="Whose it is")
    created_at: datetime = Field(description="When it was asked for")
    updated_at: datetime = Field(description="When anything here last changed")


class ListedVm(VmBody):
    """A virtual machine in a list."""

    usage: UsageBody | None = Field(description="What it used last; null while it is off or nobody knows")


class VmList(Items[ListedVm]):
    """A page of VMs."""


class VmItem(Item[VmBody]):
    """A VM."""


class ShellCredentials(BaseModel):
    """Who may log in to the guest."""

    username: str = Field(description="The guest's user")
    password: str | None = Field(description="That user's password")


class ShellItem(BaseModel):
    item: ShellCredentials = Field(description="The credentials")
