"""A VM: what a user named and configured, with the machine that it is and the host that it is on."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from nexus.kit.db import Record
from nexus.kit.fields import Spelled
from nexus.manager.hosts.models import REF_COLUMNS, HostRef, ref_of
from nexus.manager.machines.models import COLUMNS as MACHINE_COLUMNS
from nexus.manager.machines.models import Machine, machine_of
from nexus.manager.subjects import Subject
from nexus.manager.vms.lifecycle import Circumstances, State

KIND = "vm"
FLOW = "vm"

VmName = Annotated[
    str,
    Spelled(
        r"^[A-Za-z0-9]([A-Za-z0-9-]{1,61}[A-Za-z0-9])$",
        "3 to 63 letters, digits and hyphens, with a letter or digit at both ends",
    ),
    Field(description="3 to 63 letters, digits and hyphens, a valid host name; unique", examples=["web-1"]),
]


@dataclass(frozen=True, kw_only=True)
class Vm:
    id: UUID
    project_id: UUID
    created_by_user_id: UUID | None
    name: str
    state: State
    username: str
    machine: Machine
    host: HostRef

    @property
    def subject(self) -> Subject:
        return Subject(KIND, self.id, self.name, self.project_id)

    @property
    def circumstances(self) -> Circumstances:
        facts = self.machine.facts
        return Circumstances.of(facts.seen_guest, self.host.offers, is_abandoned=facts.is_abandoned)


SELECT = f"""
select v.id, v.project_id, v.created_by_user_id, v.name, v.state, v.username, {MACHINE_COLUMNS},
       {REF_COLUMNS}
from vms v join machines m on m.id = v.machine_id join hosts h on h.id = m.host_id
"""
"""What `vm_of` reads; add a WHERE."""


def vm_of(row: Record) -> Vm:
    return Vm(
        id=row["id"],
        project_id=row["project_id"],
        created_by_user_id=row["created_by_user_id"],
        name=row["name"],
        state=State(row["state"]),
        username=row["username"],
        machine=machine_of(row),
        host=ref_of(row),
    )


def password_purpose(vm_id: UUID) -> str:
    """What a VM's sealed password is bound to (kit.seal)."""
    return f"vm-password:{vm_id}"
