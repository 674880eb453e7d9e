"""The SQL of NICs. Who may see a NIC is who may see its VM; the machine's row is locked by whoever changes one."""

from typing import Any
from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.manager.access import visible_to
from nexus.manager.limits.bodies import Device, stored
from nexus.manager.nics.models import NewNic, Nic, nic_of
from nexus.protocol.machines import NetworkSpec, NicSpec


async def add(tx: Tx, nic_id: UUID, machine_id: UUID, new: NewNic, *, network_id: UUID, mac: str, address: str) -> bool:
    """Add a NIC. False: some other has this MAC."""
    added = await tx.fetchval(
        """
        insert into nics (id, machine_id, iface_id, network_id, mac, address, rx_rate_limiter, tx_rate_limiter)
        values ($1, $2, $3, $4, $5::text::macaddr, $6::text::inet, $7, $8) on conflict (mac) do nothing returning id
        """,
        nic_id,
        machine_id,
        new.iface_id,
        network_id,
        mac,
        address,
        stored(new.rx_rate_limiter, device=Device.NIC),
        stored(new.tx_rate_limiter, device=Device.NIC),
    )
    return added is not None


async def find(reader: Reader, machine_id: UUID, named: UUID | str) -> Nic | None:
    """The machine's NIC of this id, or of this iface_id."""
    column = "id" if isinstance(named, UUID) else "iface_id"
    row = await reader.fetchrow(
        f"""
        select c.id, c.iface_id, c.rx_rate_limiter, c.tx_rate_limiter from nics c
        where c.machine_id = $1 and c.{column} = $2
        """,
        machine_id,
        named,
    )
    return None if row is None else nic_of(row)


async def described(reader: Reader, machine_id: UUID) -> list[dict[str, Any]]:
    """What there is to a machine's NICs but their MACs and addresses, as JSON, in the order they were added."""
    return await reader.fetchval(
        """
        select coalesce(jsonb_agg(jsonb_build_object(
            'id', c.id, 'iface_id', c.iface_id, 'network_id', c.network_id, 'rx_rate_limiter', c.rx_rate_limiter,
            'tx_rate_limiter', c.tx_rate_limiter) order by c.id), '[]')
        from nics c where c.machine_id = $1
        """,
        machine_id,
    )


async def names(reader: Reader, machine_id: UUID) -> list[str]:
    """The `iface_id` of each of a machine's NICs."""
    rows = await reader.fetch("select iface_id from nics where machine_id = $1", machine_id)
    return [row["iface_id"] for row in rows]


async def limit(tx: Tx, nic: Nic) -> None:
    """Store a NIC's limits."""
    await tx.execute(
        "update nics set rx_rate_limiter = $2, tx_rate_limiter = $3, updated_at = now() where id = $1",
        nic.id,
        stored(nic.rx_rate_limiter, device=Device.NIC),
        stored(nic.tx_rate_limiter, device=Device.NIC),
    )


async def first(reader: Reader, machine_id: UUID) -> tuple[UUID, str, UUID, str | None] | None:
    """Of a machine's first NIC: id, iface_id, network's id, address."""
    row = await reader.fetchrow(
        "select id, iface_id, network_id, host(address) from nics where machine_id = $1 order by id limit 1", machine_id
    )
    return None if row is None else (row[0], row[1], row[2], row[3])


async def move(tx: Tx, nic_id: UUID, address: str) -> None:
    """Give a NIC another address of its network."""
    await tx.execute("update nics set address = $2::text::inet, updated_at = now() where id = $1", nic_id, address)


async def remove(tx: Tx, nic_id: UUID) -> None:
    await tx.execute("delete from nics where id = $1", nic_id)


async def specs(reader: Reader, machine_id: UUID) -> tuple[NicSpec, ...]:
    """A machine's NICs as its host must provide them, in the order they were added."""
    rows = await reader.fetch(
        """
        select c.id, c.iface_id, c.mac::text as mac, host(c.address) || '/' || masklen(n.gateway) as address,
               n.id as network_id, n.bridge, n.gateway::text as gateway, n.nat,
               (select array_agg(host(d)) from unnest(n.dns) d) as dns, c.rx_rate_limiter, c.tx_rate_limiter
        from nics c join networks n on n.id = c.network_id where c.machine_id = $1 order by c.id
        """,
        machine_id,
    )
    return tuple(
        NicSpec.model_validate(
            {
                "id": row["id"],
                "iface_id": row["iface_id"],
                "mac": row["mac"],
                "address": row["address"],
                "dns": row["dns"] or (),
                "rx_rate_limiter": row["rx_rate_limiter"],
                "tx_rate_limiter": row["tx_rate_limiter"],
                "network": NetworkSpec.model_validate(
                    {"id": row["network_id"], "bridge": row["bridge"], "gateway": row["gateway"], "nat": row["nat"]}
                ),
            }
        )
        for row in rows
    )


_TOLD = """
select v.id as vm_id, c.id, c.iface_id, c.mac::text as guest_mac, n.id as network_id, n.name as network,
       host(c.address) as address, c.rx_rate_limiter, c.tx_rate_limiter, c.created_at, c.updated_at,
       'nics.' || c.iface_id = any(m.seen_pending) as is_pending, h.facts -> 'offers' ? 'bridge' as has_device
from vms v join machines m on m.id = v.machine_id join hosts h on h.id = m.host_id
left join nics c on c.machine_id = m.id left join networks n on n.id = c.network_id
"""


async def told(reader: Reader, vm_id: UUID, *, sees_only: UUID | None) -> list[dict[str, Any]] | None:
    """What is told of the NICs of a VM, in the order they were added; None for a VM that is not there, or not the
    asker's. `has_device`: whether the host has a device for each."""
    rows = await reader.fetch(
        f"{_TOLD} where v.id = $1 and {visible_to(2, owner='v.created_by_user_id')} order by c.id", vm_id, sees_only
    )
    return [dict(row) for row in rows if row["id"] is not None] if rows else None


async def told_of(reader: Reader, nic_id: UUID) -> dict[str, Any] | None:
    """The same of one NIC."""
    row = await reader.fetchrow(f"{_TOLD} where c.id = $1", nic_id)
    return None if row is None else dict(row)
