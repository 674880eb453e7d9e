"""A row of `snapshots`: what is wanted of it, how far it is, and what its host reported."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from nexus.kit.db import Record
from nexus.kit.fields import Spelled
from nexus.manager.access import Actor, Role
from nexus.manager.hosts.models import REF_COLUMNS, HostRef, ref_of
from nexus.manager.subjects import Subject
from nexus.manager.vms.copying import Definition
from nexus.protocol.snapshots import SnapshotType

KIND = "snapshot"
FLOW = "snapshot"
LONGEST_NAME = 100

SnapshotName = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", "at most 100 letters, digits and . _ -, with a letter or digit first"
    ),
    Field(
        description="Letters, digits and . _ - after a letter or digit; at most 100; unique",
        examples=["before-upgrade"],
    ),
]


class SnapshotState(StrEnum):
    """Where a snapshot stands. FAILED: nothing can be made of it; one with a size is on its host until deleted."""

    CREATING = "creating"
    COMPLETED = "completed"
    FAILED = "failed"
    DELETING = "deleting"


class Purpose(StrEnum):
    """What a snapshot was taken for. Only the first kind is kept until somebody deletes it."""

    KEEP = "keep"
    SUSPEND = "suspend"
    """Holds what its VM goes on from; goes when it has."""
    CLONE = "clone"
    """Clones begin from it; goes when they have."""


VERB_OF = {Purpose.KEEP: "create", Purpose.SUSPEND: "suspend", Purpose.CLONE: "clone"}
"""What the operation is called by which a snapshot comes to be."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """`host_is_lost`: that was abandoned, and the snapshot with it. `owner` is None once whoever asked is no user any
    more."""

    id: UUID
    project_id: UUID
    created_by_user_id: UUID | None
    owner: Actor | None
    name: str
    description: str
    vm_id: UUID | None
    vm_name: str
    machine_id: UUID
    type: SnapshotType
    parent_id: UUID | None
    has_memory: bool
    purpose: Purpose
    keep_last: int | None
    is_wanted: bool
    generation: int
    state: SnapshotState
    fault: str | None
    vm_generation: int | None
    resumes: bool
    definition: Definition
    host: HostRef
    host_is_lost: bool
    is_imported: bool = False
    """It came as an archive: nobody here takes it."""
    is_overdue: bool = False
    """Of one that comes in: its host should know of it by now."""

    @property
    def verb(self) -> str:
        """What the operation is called by which it comes to be."""
        return "import" if self.is_imported else VERB_OF[self.purpose]

    @property
    def subject(self) -> Subject:
        return Subject(KIND, self.id, self.name, self.project_id)

    @property
    def composing_bytes(self) -> int:
        """What its host needs of its disk while something begins from it."""
        return self.definition.memory_mib << 20 if self.type is SnapshotType.DIFF and self.has_memory else 0


ARRIVES_WITHIN_S = 60
"""How long after an archive began to come in its host may not know of that."""
SELECT = f"""
select s.id, s.project_id, s.created_by_user_id, s.name, s.description, s.is_imported,
       s.created_at < now() - interval '{ARRIVES_WITHIN_S} seconds' as is_overdue,
       s.vm_id, s.vm_name, s.machine_id, s.type, s.parent_id,
       coalesce(s.has_memory, false) as has_memory, s.purpose, s.keep_last,
       s.goal = 'kept' as is_wanted, s.generation, s.state, s.fault, s.vm_generation, s.resumes, s.definition,
       h.id as host_id, {REF_COLUMNS}, h.abandoned_at is not null as host_is_lost, u.username, u.role
from snapshots s join hosts h on h.id = s.host_id left join users u on u.id = s.created_by_user_id
"""
"""What `snapshot_of` reads; add a WHERE."""


def snapshot_of(row: Record) -> Snapshot:
    owner = None
    if row["username"] is not None:
        owner = Actor(row["created_by_user_id"], row["username"], Role(row["role"]), row["project_id"])
    return Snapshot(
        id=row["id"],
        owner=owner,
        project_id=row["project_id"],
        created_by_user_id=row["created_by_user_id"],
        name=row["name"],
        description=row["description"],
        is_imported=row["is_imported"],
        is_overdue=row["is_overdue"],
        vm_id=row["vm_id"],
        vm_name=row["vm_name"],
        machine_id=row["machine_id"],
        type=SnapshotType(row["type"]),
        parent_id=row["parent_id"],
        has_memory=row["has_memory"],
        purpose=Purpose(row["purpose"]),
        keep_last=row["keep_last"],
        is_wanted=row["is_wanted"],
        generation=row["generation"],
        state=SnapshotState(row["state"]),
        fault=row["fault"],
        vm_generation=row["vm_generation"],
        resumes=row["resumes"],
        definition=Definition.model_validate(row["definition"]),
        host=ref_of(row),
        host_is_lost=row["host_is_lost"],
    )
