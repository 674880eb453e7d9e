"""This host's own credential, got once for a join token and kept in a file that only we can read."""

from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from nexus.agent.storage.files import write_atomically
from nexus.agent.tls import Trust
from nexus.protocol.base import Message


class Credential(Message):
    host_id: UUID
    credential: str
    trust: Trust | None = None
    """None for an agent that has been on a Unix socket only."""


class CredentialUnreadable(Exception):
    """The file is there and is not a credential; the message says what to do."""


def load(path: Path) -> Credential | None:
    """None when this host has not joined yet. Raises CredentialUnreadable."""
    try:
        return Credential.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as broken:
        raise CredentialUnreadable(f"{path} is damaged; remove it and give the agent a new join token") from broken


def save(path: Path, credential: Credential) -> None:
    write_atomically(path, credential.model_dump_json().encode(), mode=0o600)
