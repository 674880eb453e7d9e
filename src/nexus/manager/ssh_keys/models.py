"""A row of `ssh_keys`, a public key as it was read, and how requests of any slice name or hold one."""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from nexus.kit.db import Record
from nexus.kit.fields import Spelled
from nexus.manager.subjects import Subject

KIND = "ssh_key"

KeyName = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9][A-Za-z0-9@._-]{0,62}$", "at most 63 letters, digits and @ . _ -, with a letter or digit first"
    ),
    Field(
        description="Letters, digits and @ . _ - after a letter or digit; at most 63; unique among its owner's",
        examples=["ada@laptop"],
    ),
]
KeyRef = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9][A-Za-z0-9@._-]{0,62}$",
        "the name or id of a key: at most 63 letters, digits and @ . _ -, with a letter or digit first",
    ),
]
"""A key's name or id."""
PublicKeyText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=8192),
    Field(
        description="The line of an OpenSSH .pub file: ed25519, ECDSA, their security-key kinds, or RSA from 2048 bits",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada@laptop"],
    ),
]


class KeyType(StrEnum):
    """What sshd accepts today, under its name on the wire (sshd(8)). DSA went with OpenSSH 10."""

    ED25519 = "ssh-ed25519"
    RSA = "ssh-rsa"
    ECDSA_256 = "ecdsa-sha2-nistp256"
    ECDSA_384 = "ecdsa-sha2-nistp384"
    ECDSA_521 = "ecdsa-sha2-nistp521"
    ED25519_SK = "sk-ssh-ed25519@openssh.com"
    ECDSA_SK = "sk-ecdsa-sha2-nistp256@openssh.com"


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """A public key. `blob` is its wire format (RFC 4253 section 6.6), which is what makes it this key."""

    type: KeyType
    bits: int
    blob: bytes
    comment: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        """The key as a line of authorized_keys."""
        return f"{self.type} {base64.b64encode(self.blob).decode()} {self.comment}".rstrip()


@dataclass(frozen=True, kw_only=True)
class SshKey:
    id: UUID
    project_id: UUID
    created_by_user_id: UUID
    name: str

    @property
    def subject(self) -> Subject:
        return Subject(KIND, self.id, self.name, self.project_id)


COLUMNS = "k.id, k.project_id, k.created_by_user_id, k.name"


def ssh_key_of(row: Record) -> SshKey:
    return SshKey(
        id=row["id"],
        project_id=row["project_id"],
        created_by_user_id=row["created_by_user_id"],
        name=row["name"],
    )
