"""Who is asking, and what of the platform they may see."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from nexus.manager.subjects import DEFAULT_PROJECT


class Role(StrEnum):
    """ADMIN may do everything; USER what concerns their own; VIEWER reads everything and changes nothing."""

    ADMIN = "admin"
    USER = "user"
    VIEWER = "viewer"


@dataclass(frozen=True)
class Actor:
    """The signed-in user on whose behalf something happens. `session_id` is the login they came with, if any."""

    user_id: UUID
    username: str
    role: Role
    project_id: UUID = DEFAULT_PROJECT
    session_id: UUID | None = None

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def sees_only(self) -> UUID | None:
        """Whose resources this actor may see: a user's own, or None for everybody's. See `visible_to`."""
        return self.user_id if self.role is Role.USER else None


def visible_to(parameter: int, *, owner: str = "created_by_user_id") -> str:
    """A condition for WHERE that hides what is not the actor's; pass `actor.sees_only` as `$parameter`.

    `f"select … from vms v where v.id = $1 and {visible_to(2, owner='v.created_by_user_id')}"`, with arguments
    `(vm_id, actor.sees_only)`. A row hidden so is a 404, never a 403: its existence is nobody else's business.
    """
    return f"(${parameter}::uuid is null or {owner} = ${parameter})"
