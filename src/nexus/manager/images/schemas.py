"""Images on the wire. `size`/`host_path` and `size_bytes`/`path` are two names for the same: some clients know these,
some those."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import FromText, Prose, RequestBody, Spelled, Text
from nexus.manager.images.models import ImageFormat, ImageKind

ImageName = Annotated[
    str,
    Spelled(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", "at most 63 letters, digits and . _ -, with a letter or digit first"),
]


class ImageBody(BaseModel):
    """A file that VMs start from."""

    id: UUID = Field(description="Its id")
    kind: ImageKind = Field(description="What it is for")
    name: str = Field(description="Unique among images of its kind")
    description: str = Field(description="What it is; free text")
    format: ImageFormat = Field(description="What the file holds")
    sha256: str = Field(description="The digest of its content")
    size: int = Field(description="Bytes; the same as size_bytes")
    size_bytes: int = Field(description="Bytes")
    host_path: str = Field(description="Where the manager has it; the same as path")
    path: str = Field(description="Where the manager has it")
    is_default: bool = Field(description="Used when a VM names no image of this kind")
    created_at: datetime = Field(description="When it was registered")
    updated_at: datetime = Field(description="When anything here last changed")


class ImageList(Items[ImageBody]):
    """A page of images."""


class ImageItem(Item[ImageBody]):
    """An image."""


class CreateImage(RequestBody):
    """Registers a file that is already below the manager's image directory."""

    kind: Annotated[ImageKind, FromText] = Field(description="What it is for")
    name: ImageName = Field(description="Letters, digits, dots, hyphens and underscores; at most 63")
    description: Prose = Field(default="", max_length=1000, description="What it is; free text")
    path: Text = Field(default="", max_length=4096, description="The file, below MANAGER_IMAGE_ROOT")
    host_path: Text = Field(default="", max_length=4096, description="The same as path")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="Refused unless the file has this digest"
    )
    size: int | None = Field(default=None, ge=0, description="Refused unless the file has this many bytes")
    is_default: bool = Field(default=False, description="Use it when a VM names no image of this kind")

    @model_validator(mode="after")
    def _one_path(self) -> "CreateImage":
        if not (self.path or self.host_path):
            raise ValueError("path is missing")
        if self.path and self.host_path and self.path != self.host_path:
            raise ValueError("path and host_path name different files")
        return self
