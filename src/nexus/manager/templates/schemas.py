"""Templates on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import RequestBody
from nexus.manager.labels import Text
from nexus.manager.machines.lifecycle import RestartPolicy
from nexus.manager.templates.models import TemplateName, TemplateSpec


class TemplateWanted(RequestBody):
    """A template, whole: what is left out has its default."""

    name: TemplateName
    description: Text = Field(default="", description="What it is for; free text")
    spec: TemplateSpec = Field(description="The configuration of VMs made from it")


class CloneTemplate(RequestBody):
    """What a copy is called."""

    name: TemplateName


class TemplateSpecBody(BaseModel):
    """The configuration of VMs made from a template; as `spec` of a request it makes the same again."""

    vcpu: int = Field(description="Virtual CPUs")
    mem_mib: int = Field(description="Memory in MiB")
    kernel_image_id: UUID = Field(description="The kernel image")
    rootfs_image_id: UUID = Field(description="The root image")
    username: str = Field(description="The guest's user")
    ssh_authorized_keys: list[str] = Field(description="Public keys that may log in")
    disk_size_bytes: int | None = Field(description="Size of the writable root; null: by the image")
    tags: list[str] = Field(description="To find the VMs by")
    environment: str = Field(description="Such as production or staging")
    owner: str = Field(description="Whom to ask about the VMs")
    boot_args: str | None = Field(description="Appended to the kernel's command line")
    restart_policy: RestartPolicy = Field(description="always: VMs are started again when their host restarted")


class TemplateBody(BaseModel):
    """A saved VM configuration."""

    id: UUID = Field(description="Its id")
    name: str = Field(description="Unique in its project")
    description: str = Field(description="What it is for")
    spec: TemplateSpecBody = Field(description="The configuration of VMs made from it")
    vcpu: int = Field(description="Virtual CPUs, as in `spec`")
    mem_mib: int = Field(description="Memory in MiB, as in `spec`")
    kernel: str = Field(description="The kernel image's name")
    kernel_path: str = Field(description="Where the manager has that image")
    image: str = Field(description="The root image's name")
    rootfs_path: str = Field(description="Where the manager has that image")
    usage_count: int = Field(description="How many VMs have been made from it, those deleted since included")
    created_by_user_id: UUID | None = Field(description="Whose it is")
    created_at: datetime = Field(description="When it was made")
    updated_at: datetime = Field(description="When it was last changed")


class TemplateList(Items[TemplateBody]):
    """A page of templates."""


class TemplateItem(Item[TemplateBody]):
    """A template."""
