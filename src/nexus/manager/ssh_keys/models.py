"""A row of `ssh_keys`, and a public key as it was read."""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from nexus.kit.db import Record
from nexus.manager.subjects import Subject

KIND = "ssh_key"


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
