"""Networks on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from nexus.kit.envelopes import Item, Items


class NetworkBody(BaseModel):
    """What the interfaces of VMs hang on."""

    id: UUID = Field(description="Its id")
    name: str = Field(description="Unique in its project")
    bridge: str = Field(description="The bridge on every host; not used by hosts whose network mode is user")
    gateway: str = Field(description="The host's address on the bridge")
    cidr: str = Field(description="The network's addresses")
    nat: bool = Field(description="Whether VMs reach the outside through their host's address")
    dns: list[str] = Field(description="Name servers of its VMs; empty: the host's own")
    created_at: datetime = Field(description="When it was made")
    updated_at: datetime = Field(description="When anything here last changed")


class NetworkList(Items[NetworkBody]):
    """A page of networks."""


class NetworkItem(Item[NetworkBody]):
    """A network."""
