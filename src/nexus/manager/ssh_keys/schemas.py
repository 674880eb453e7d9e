"""SSH keys on the wire."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from nexus.kit.envelopes import Item, Items
from nexus.kit.fields import RequestBody
from nexus.manager.ssh_keys.models import KeyName, KeyType, PublicKeyText


class CreateSshKey(RequestBody):
    """A public key to keep under a name."""

    name: KeyName
    public_key: PublicKeyText


class PatchSshKey(RequestBody):
    """What to change. The key itself cannot: another key is another object."""

    name: KeyName


class SshKeyBody(BaseModel):
    """A public SSH key."""

    id: UUID = Field(description="Id of the key")
    name: str = Field(description="Unique among its owner's keys; `ssh_keys` of a new VM takes it")
    type: KeyType = Field(description="Its algorithm, as SSH names it")
    bits: int = Field(description="Its size")
    comment: str = Field(description="What stood behind the key in its file; may be empty")
    fingerprint: str = Field(description="SHA256:…, as `ssh-keygen -l` prints it; unique among its owner's keys")
    public_key: str = Field(description="The key as a line of authorized_keys")
    created_by_user_id: UUID = Field(description="Its owner")
    created_at: datetime = Field(description="When it was added")
    updated_at: datetime = Field(description="When it was last changed")


class SshKeyList(Items[SshKeyBody]):
    """A page of SSH keys."""


class SshKeyItem(Item[SshKeyBody]):
    """An SSH key."""
