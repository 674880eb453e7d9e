"""The SQL of NICs."""

from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.protocol.machines import NetworkSpec, NicSpec


async def add(
    tx: Tx, nic_id: UUID, machine_id: UUID, *, iface_id: str, network_id: UUID, mac: str, address: str
) -> bool:
    """Add a NIC. False: some other has this MAC."""
    added = await tx.fetchval(
        """
        insert into nics (id, machine_id, iface_id, network_id, mac, address)
        values ($1, $2, $3, $4, $5::text::macaddr, $6::text::inet) on conflict (mac) do nothing returning id
        """,
        nic_id,
        machine_id,
        iface_id,
        network_id,
        mac,
        address,
    )
    return added is not None


async def specs(reader: Reader, machine_id: UUID) -> tuple[NicSpec, ...]:
    """A machine's NICs as its host must provide them, in the order they were added."""
    rows = await reader.fetch(
        """
        select c.id, c.iface_id, c.mac::text as mac, host(c.address) || '/' || masklen(n.gateway) as address,
               n.id as network_id, n.bridge, n.gateway::text as gateway, n.nat,
               (select array_agg(host(d)) from unnest(n.dns) d) as dns
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
                "network": NetworkSpec.model_validate(
                    {"id": row["network_id"], "bridge": row["bridge"], "gateway": row["gateway"], "nat": row["nat"]}
                ),
            }
        )
        for row in rows
    )
