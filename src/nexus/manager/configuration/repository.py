"""The SQL of VMs' settings."""

from uuid import UUID

from nexus.kit.db import Reader, Record
from nexus.manager.access import visible_to
from nexus.manager.machines.models import SETTINGS
from nexus.manager.vms.errors import VmNotFound

_COLUMNS = f"""
{", ".join(f"m.{name}" for name in SETTINGS)}, m.seen_vcpus, m.seen_memory_mib, host(m.address) as seen_address,
k.name as kernel, i.name as initramfs, host(c.address) as address
"""
_FROM = f"""
from vms v join machines m on m.id = v.machine_id
join images k on k.id = m.kernel_image_id join images i on i.id = m.initramfs_image_id
left join lateral (select n.address from nics n where n.machine_id = m.id order by n.id limit 1) c on true
where v.id = $1 and {visible_to(2, owner="v.created_by_user_id")}
"""


async def get(reader: Reader, vm_id: UUID, *, sees_only: UUID | None) -> Record:
    """All settings of a VM. Raises VmNotFound."""
    row = await reader.fetchrow(f"select {_COLUMNS} {_FROM}", vm_id, sees_only)
    if row is None:
        raise VmNotFound
    return row
