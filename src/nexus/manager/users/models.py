"""Users as rows."""

from dataclasses import dataclass
from uuid import UUID

from nexus.manager.access.models import Role


@dataclass(frozen=True)
class User:
    id: UUID
    username: str
    role: Role
    password_hash: str
    has_default_password: bool
