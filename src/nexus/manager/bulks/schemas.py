"""Bulks on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from nexus.kit.envelopes import Item
from nexus.kit.fields import FromText, Id, RequestBody, Text
from nexus.kit.problems import ProblemBody
from nexus.manager.bulks.models import MOST_ITEMS, BulkVerb, ItemStatus
from nexus.manager.labels import Tag
from nexus.manager.operations import Done
from nexus.manager.vms.lifecycle import State


class BulkFilter(RequestBody):
    """Which VMs, as the list of VMs is filtered; all of it must hold, and something must be said."""

    q: Annotated[Text, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, description="Only with this in name or description"
    )
    state: list[Annotated[State, FromText]] = Field(default=[], max_length=10, description="Only in one of these")
    tag: list[Tag] = Field(default=[], max_length=32, description="Only with all of these tags")

    @model_validator(mode="after")
    def _says_something(self) -> "BulkFilter":
        if self.q is None and not self.state and not self.tag:
            raise ValueError("say which VMs are meant: by q, state or tag")
        return self


class BulkVms(RequestBody):
    """One verb for many VMs: those of `ids`, or those that `filter` finds now."""

    verb: Annotated[BulkVerb, FromText] = Field(description="What is to be done with each")
    ids: list[Id] | None = Field(default=None, min_length=1, max_length=MOST_ITEMS, description="Which VMs")
    filter: BulkFilter | None = Field(default=None, description=f"Or which VMs are meant; at most {MOST_ITEMS}")
    grace_s: int = Field(
        default=30, ge=0, le=600, description="With stop: seconds each guest has before its power is cut"
    )

    @model_validator(mode="after")
    def _named_once(self) -> "BulkVms":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or filter")
        return self


class BulkItemBody(BaseModel):
    """What became of one VM."""

    vm_id: UUID = Field(description="The VM")
    name: str = Field(description="Its name when it was asked for; empty: there is none that you may see")
    status: ItemStatus = Field(
        description="waiting for its turn, running, and then done, unchanged (it was there already) or failed"
    )
    operation_id: UUID | None = Field(description="Its own operation")
    error: ProblemBody | None = Field(description="Why it failed, as a request for it alone would have been answered")


class BulkBody(BaseModel):
    """One verb for many VMs, and what became of each."""

    id: UUID = Field(description="Its id")
    verb: BulkVerb = Field(description="What was asked for")
    total: int = Field(description="How many VMs it is about")
    items: list[BulkItemBody] = Field(description="Each of them, in the order asked for")
    created_at: datetime = Field(description="When it was asked for")


class BulkItem(Item[BulkBody]):
    """A bulk."""


class BulkDone(Done):
    """The answer to a bulk. With ?wait, `status` is failed if any item has; without, what has come of it so far."""

    bulk: BulkBody = Field(description="The bulk; see it again at /v1/vms/bulk/{id}")
