"""What the API answers, as far as a client relies on it.

Mirrors the schemas of the manager's OpenAPI document (a drift test compares the names). Fields the client does not
know are kept, not dropped: a newer manager's answer passes through `-o json` whole.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict

from nexus.kit.problems import ProblemBody


def _without_prefix(value: object) -> object:
    return value.partition("/")[0] if isinstance(value, str) else value


Address = Annotated[str, BeforeValidator(_without_prefix)]
"""An IP address; PostgreSQL may write an inet as 10.0.0.2/32."""


class Answer(BaseModel):
    """Base of every model: frozen, and unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class User(Answer):
    id: UUID
    username: str
    role: Literal["admin", "user", "viewer"]


class Login(Answer):
    """POST /v1/auth/login. `token` goes into the Authorization header of every later request."""

    token: str
    expires_at: datetime
    user: User


class Action(Answer):
    """What may be done with an object now; `refusal` says why not, and is None where it may."""

    verb: str
    refusal: str | None = None


class Vm(Answer):
    """`state` is what the hypervisor does; `guest` is whether the in-guest agent answers (booting, ready, absent)."""

    id: UUID
    name: str
    state: str
    guest: str = "absent"
    why: str | None = None
    vcpu: int
    mem_mib: int
    host_id: UUID | None = None
    host_name: str | None = None
    address: Address | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    environment: str = ""
    owner: str = ""
    username: str = "root"
    actions: tuple[Action, ...] = ()
    started_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class Credentials(Answer):
    """GET /v1/vms/{id}/shell: who may sign in to the guest. `password` is None where none was set."""

    username: str
    password: str | None = None


class Image(Answer):
    id: UUID
    kind: str
    name: str
    description: str = ""
    format: str | None = None
    sha256: str
    size_bytes: int
    path: str | None = None
    is_default: bool = False
    created_at: datetime
    updated_at: datetime


class Amounts(Answer):
    vcpus: int
    memory_mib: int
    disk_bytes: int


class Host(Answer):
    """Amounts are the whole host's; `capacity` and `reserved` come only with a single host, not in lists."""

    id: UUID
    name: str
    state: str
    is_cordoned: bool
    address: str
    vmm: str
    vmm_version: str
    acceleration: str
    why_vmm: str
    offers: tuple[str, ...]
    agent_version: str
    vcpus: int
    memory_mib: int
    disk_bytes: int
    last_seen_at: datetime
    created_at: datetime
    updated_at: datetime
    capacity: Amounts | None = None
    reserved: Amounts | None = None


class Operation(Answer):
    """A promise about a change: `running` until it is kept (`done`), overtaken (`superseded`) or `failed`."""

    id: UUID
    verb: str
    status: Literal["running", "done", "superseded", "failed"]
    progress: int = 0
    stage: str | None = None
    subject_kind: str
    subject_id: UUID
    subject_name: str
    error: ProblemBody | None = None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


class Created(Answer):
    """Answer of a POST that makes something. `operation_id` is None where nothing is left to be done."""

    id: UUID
    operation_id: UUID | None = None


class Accepted(Answer):
    """Answer of a verb: recorded, and done once the operation is. `operation_id` is None where it is done already."""

    ok: bool = True
    operation_id: UUID | None = None


class Metrics(Answer):
    """One sample of a machine: what its host sees, and what its guest says where it answers."""

    at: datetime
    host: dict[str, object]
    guest: dict[str, object] | None = None


class ConsoleChunk(Answer):
    """A piece of the serial console's log: `content` starts at byte `offset` of `size_bytes` written so far."""

    content: bytes
    offset: int
    size_bytes: int


class Happening(Answer):
    """An event, or (without a subject) a marker of the stream: hello, heartbeat, dropped."""

    type: str
    seq: int
    at: datetime | None = None
    subject_kind: str | None = None
    subject_id: UUID | None = None
    data: dict[str, object] = {}
    why: str | None = None
