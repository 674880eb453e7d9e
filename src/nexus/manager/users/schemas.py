"""Signing in, on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from nexus.kit.fields import Line, RequestBody
from nexus.manager.access.models import Role

Password = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class LoginRequest(RequestBody):
    username: Annotated[Line, StringConstraints(min_length=1, max_length=64)] = Field(description="User name")
    password: Password = Field(description="Password")


class PasswordRequest(RequestBody):
    current_password: Password = Field(description="The password as it is")
    new_password: Annotated[str, StringConstraints(min_length=8, max_length=1024)] = Field(
        description="The password as it shall be, 8 characters at least"
    )


class UserBody(BaseModel):
    """A user."""

    id: UUID = Field(description="Id")
    username: str = Field(description="User name")
    role: Role = Field(description="admin, user (changes what is theirs) or viewer (changes nothing)")
    has_default_password: bool = Field(description="True until the password everybody knows has been changed")


class UserItem(BaseModel):
    item: UserBody = Field(description="The user who is signed in")


class LoginAnswer(BaseModel):
    """A new session. Browsers get it as a cookie as well."""

    token: str = Field(description="Send it as `Authorization: Bearer …`; shown once")
    expires_at: datetime = Field(description="When it ends unless it is used; use prolongs it, up to 30 days")
    user: UserBody = Field(description="Who is signed in")


class Ok(BaseModel):
    """It is done."""

    ok: bool = Field(default=True, description="Always true")
