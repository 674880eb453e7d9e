"""NICs on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import Id, RequestBody, Spelled
from nexus.kit.ids import read_id
from nexus.manager.limits.bodies import NicLimiterAnswer, NicLimiterBody
from nexus.manager.nics.models import Mac, NicName
from nexus.manager.vms.changing import Changed

NetworkRef = Annotated[
    str, Spelled(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", "the name or id of a network: letters, digits and . _ -")
]


class CreateNic(RequestBody):
    """A NIC to add."""

    iface_id: NicName = Field(description="What to call it; unique among the VM's NICs", examples=["eth1"])
    network_id: Id | None = Field(default=None, description="The network to be on; without it the default")
    network: NetworkRef | None = Field(default=None, description="The network's name or id, instead of its id")
    guest_mac: Mac | None = Field(
        default=None,
        description="Its MAC address, unique on this platform; without it one is made",
        examples=["02:00:00:00:00:2a"],
    )
    host_dev_name: None = Field(
        default=None, description="Not to be given: the host makes the device and names it; see the answer"
    )
    rx_rate_limiter: NicLimiterBody | None = Field(default=None, description="Limits what the guest receives")
    tx_rate_limiter: NicLimiterBody | None = Field(default=None, description="Limits what the guest sends")

    @model_validator(mode="after")
    def _is_one_nic(self) -> "CreateNic":
        if self.network is not None and self.network_id is not None:
            raise ValueError("name the network by network or by network_id, not both")
        if read_id(self.iface_id) is not None:
            raise ValueError("iface_id must not read as an id")
        return self


class PatchNic(RequestBody):
    """What to change; a limiter that is left out stays, null takes it away."""

    rx_rate_limiter: NicLimiterBody | None = Field(default=None, description="Limits what the guest receives")
    tx_rate_limiter: NicLimiterBody | None = Field(default=None, description="Limits what the guest sends")


class NicBody(BaseModel):
    """An interface of a VM."""

    id: UUID = Field(description="Its id")
    vm_id: UUID = Field(description="The VM it belongs to")
    iface_id: str = Field(description="What it is called; paths take this or the id")
    host_dev_name: str | None = Field(description="The host's device behind it; null where the host has none")
    guest_mac: str = Field(description="Its MAC address")
    network_id: UUID = Field(description="The network it is on")
    network: str = Field(description="That network's name")
    address: str | None = Field(
        description="The guest's address there; on hosts whose network mode is user the guest has another"
    )
    rx_rate_limiter: NicLimiterAnswer | None = Field(description="Limits what the guest receives; null: nothing does")
    tx_rate_limiter: NicLimiterAnswer | None = Field(description="Limits what the guest sends; null: nothing does")
    is_pending: bool = Field(description="Whether the running VM does not have it, or not so, before its next start")
    created_at: datetime = Field(description="When it was added")
    updated_at: datetime = Field(description="When anything here last changed")


class NicList(Items[NicBody]):
    """The NICs of a VM, in the order in which its guest has them."""


class NicItem(Item[NicBody]):
    """A NIC."""


class NicChanged(Changed, NicBody):
    """The NIC as it is now, and when that takes effect."""
