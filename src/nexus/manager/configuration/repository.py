"""The SQL of VMs' settings."""

from uuid import UUID

from nexus.kit.db import Reader
from nexus.manager.access import visible_to
from nexus.manager.configuration.schemas import MachineConfigBody

_FROM = f"""
from vms v join machines m on m.id = v.machine_id where v.id = $1 and {visible_to(2, owner="v.created_by_user_id")}
"""


async def find_size(reader: Reader, vm_id: UUID, *, sees_only: UUID | None) -> MachineConfigBody | None:
    row = await reader.fetchrow(
        f"select m.vcpus, m.memory_mib, m.seen_vcpus, m.seen_memory_mib {_FROM}", vm_id, sees_only
    )
    if row is None:
        return None
    return MachineConfigBody(
        vcpu=row["vcpus"],
        mem_mib=row["memory_mib"],
        running_vcpu=row["seen_vcpus"],
        running_mem_mib=row["seen_memory_mib"],
    )
