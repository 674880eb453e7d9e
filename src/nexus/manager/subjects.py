"""What operations, events, flows and audit rows are about: a thing named by kind and id, on any slice."""

from dataclasses import dataclass
from uuid import UUID

DEFAULT_PROJECT = UUID("00000000-0000-7000-8000-000000000001")
"""The one project there is until projects come; made by the first migration."""


@dataclass(frozen=True)
class Subject:
    """`kind` is the singular noun of the API (`vm`, `image`, `user`); `name` is what people call it."""

    kind: str
    id: UUID
    name: str = ""
    project_id: UUID = DEFAULT_PROJECT
