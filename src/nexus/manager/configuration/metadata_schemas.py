"""What a guest can find out about itself, on the wire."""

from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, RootModel, model_validator

from nexus.kit.envelopes import Item
from nexus.kit.fields import FromText, RequestBody, Text
from nexus.protocol.machines import MOST_USER_DATA

MOST_METADATA_BYTES = 50 << 10
"""As Firecracker's MMDS takes by default."""
_MOST_DEPTH = 32


def _link_local(address: IPv4Address) -> IPv4Address:
    if not address.is_link_local or address.packed[2] in (0, 255):
        raise ValueError("must be between 169.254.1.0 and 169.254.254.255")
    return address


def check_tree(tree: object, depth: int = 0) -> None:
    """Raises ValueError for what no path can lead to, and for NUL, which cannot be stored."""
    if depth > _MOST_DEPTH:
        raise ValueError(f"is deeper than {_MOST_DEPTH} levels")
    if isinstance(tree, str) and "\0" in tree:
        raise ValueError("must not contain NUL")
    if isinstance(tree, dict):
        for name, value in tree.items():  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(name, str) or not name or "/" in name or "\0" in name:
                raise ValueError("names must not be empty nor contain / or NUL")
            check_tree(value, depth + 1)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(tree, list):
        for value in tree:  # pyright: ignore[reportUnknownVariableType]
            check_tree(value, depth + 1)  # pyright: ignore[reportUnknownArgumentType]


class Tree(RootModel[dict[str, Any]]):
    """A tree of objects; each path in it is one of the metadata service's."""

    @model_validator(mode="after")
    def _can_be_served(self) -> Self:
        check_tree(self.root)
        if len(self.model_dump_json().encode()) > MOST_METADATA_BYTES:
            raise ValueError(f"is longer than {MOST_METADATA_BYTES} bytes")
        return self


class MetadataConfig(RequestBody):
    """How the metadata service in a guest answers. What a PUT leaves out is as it is at first."""

    version: Literal["V1", "V2"] = Field(
        default="V1",
        description="V2: only who fetches a token first is answered; V1: tokens are taken, not needed",
    )
    ipv4_address: Annotated[IPv4Address, FromText, AfterValidator(_link_local)] = Field(
        default=IPv4Address("169.254.169.254"), description="Where in the guest it is, link-local"
    )
    imds_compat: bool = Field(default=False, description="Answer with text, as EC2 does, also those who accept JSON")


class MetadataBody(BaseModel):
    """A VM's metadata."""

    data: dict[str, Any] | None = Field(description="The tree that was set; null: there is no metadata service")
    config: MetadataConfig = Field(description="How it answers")


class MetadataItem(Item[MetadataBody]):
    """A VM's metadata."""


class UserData(RequestBody):
    """What cloud-init in the guest is to do."""

    user_data: Text = Field(
        max_length=MOST_USER_DATA, description="A script with #!, or #cloud-config, or any other format of cloud-init"
    )


class UserDataBody(BaseModel):
    """What cloud-init in the guest is to do."""

    user_data: str | None = Field(description="null: nothing")


class UserDataItem(Item[UserDataBody]):
    """What cloud-init in the guest is to do."""
