"""A row of `templates`, and the configuration that it saves.

What must stay true: a template holds nothing that is secret and nothing that only one VM can have (name, password,
addresses), so that any number of VMs can be made from it.
"""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator

from nexus.kit.db import Record
from nexus.kit.fields import FromText, Id, Line, RequestBody, Spelled
from nexus.manager.labels import ImageRef, Label, Tags, UserName
from nexus.manager.machines.lifecycle import RestartPolicy
from nexus.manager.ssh_keys.models import PublicKeyText
from nexus.manager.subjects import Subject

KIND = "template"

_SPELLING = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
TemplateName = Annotated[
    str,
    Spelled(_SPELLING, "at most 63 letters, digits and . _ -, with a letter or digit first"),
    Field(description="Letters, digits and . _ - after a letter or digit; at most 63; unique", examples=["web-small"]),
]
TemplateRef = Annotated[
    str,
    Spelled(
        _SPELLING, "the name or id of a template: at most 63 letters, digits and . _ -, with a letter or digit first"
    ),
]


class TemplateSpec(RequestBody):
    """The configuration that VMs are made with, under the names that `POST /v1/vms` has for it."""

    vcpu: int = Field(default=1, ge=1, le=32, description="Virtual CPUs")
    mem_mib: int = Field(default=512, ge=128, le=1 << 20, description="Memory in MiB")
    kernel_image_id: Id | None = Field(default=None, description="Kernel image; without it what is the default now")
    kernel: ImageRef | None = Field(default=None, description="The kernel image's name or id, instead of its id")
    rootfs_image_id: Id | None = Field(
        default=None, description="Root file system image; without it what is the default now"
    )
    image: ImageRef | None = Field(default=None, description="The root image's name or id, instead of its id")
    username: UserName = Field(default="root", description="The guest's user; made if it is missing")
    ssh_authorized_keys: list[PublicKeyText] = Field(
        default=[], max_length=32, description="Public keys that may log in, as in an OpenSSH .pub file"
    )
    disk_size_bytes: int | None = Field(
        default=None,
        ge=64 << 20,
        le=1 << 44,
        description="Size of the writable root; without it the image's own, or 4 GiB over a read-only image",
    )
    tags: Tags = []
    environment: Label = Field(default="", description="Such as production or staging; free text")
    owner: Label = Field(default="", description="Whom to ask about it; free text")
    boot_args: Line | None = Field(default=None, max_length=1024, description="Appended to the kernel's command line")
    restart_policy: Annotated[RestartPolicy, FromText] = Field(
        default=RestartPolicy.NEVER, description="always: start it again when its host restarted while it ran"
    )

    @model_validator(mode="after")
    def _named_once(self) -> "TemplateSpec":
        if self.kernel is not None and self.kernel_image_id is not None:
            raise ValueError("name the kernel by kernel or by kernel_image_id, not both")
        if self.image is not None and self.rootfs_image_id is not None:
            raise ValueError("name the root image by image or by rootfs_image_id, not both")
        return self

    def settings(self) -> dict[str, Any]:
        """What has no column of its own."""
        return self.model_dump(mode="json", exclude=_COLUMNS)


_COLUMNS = {"vcpu", "mem_mib", "kernel_image_id", "kernel", "rootfs_image_id", "image"}


@dataclass(frozen=True, kw_only=True)
class Template:
    id: UUID
    project_id: UUID
    created_by_user_id: UUID | None
    name: str
    description: str
    vcpus: int
    memory_mib: int
    kernel_image_id: UUID
    rootfs_image_id: UUID
    settings: dict[str, Any]

    @property
    def subject(self) -> Subject:
        return Subject(KIND, self.id, self.name, self.project_id)

    @property
    def fields(self) -> dict[str, Any]:
        """The configuration as a body of JSON has it, with images by id."""
        return {
            "vcpu": self.vcpus,
            "mem_mib": self.memory_mib,
            "kernel_image_id": str(self.kernel_image_id),
            "rootfs_image_id": str(self.rootfs_image_id),
            **self.settings,
        }


COLUMNS = """t.id, t.project_id, t.created_by_user_id, t.name, t.description, t.vcpus, t.memory_mib, t.kernel_image_id,
t.rootfs_image_id, t.settings"""


def template_of(row: Record) -> Template:
    return Template(**dict(row))
