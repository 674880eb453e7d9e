"""The SQL of networks, and of the addresses they give out.

A network counts the addresses it has given out for the first time (`next_host`); those given back wait in
`released_addresses`, and the oldest is taken when no fresh one is left. So an address rests for as long as can be, and
giving one out never searches.
"""

from uuid import UUID

from nexus.kit.db import Reader, Tx
from nexus.kit.paging import Page, conditions
from nexus.manager.networks.models import Network

DEFAULT = "default"
"""The network a NIC hangs on when none is named; made by the first migration."""


async def find(reader: Reader, project_id: UUID, named: UUID | str) -> Network | None:
    """The network of this id or name."""
    column = "id" if isinstance(named, UUID) else "name"
    row = await reader.fetchrow(
        f"select id, name, bridge, gateway, nat, dns from networks where project_id = $1 and {column} = $2",
        project_id,
        named,
    )
    if row is None:
        return None
    return Network(
        id=row["id"],
        name=row["name"],
        bridge=row["bridge"],
        gateway=row["gateway"],
        nat=row["nat"],
        dns=tuple(row["dns"]),
    )


async def take_address(tx: Tx, network_id: UUID) -> str | None:
    """An address that nobody else has; None when all are given out. The network stays locked until `tx` ends."""
    while fresh := await tx.fetchrow(_NEXT, network_id):
        if not fresh["was_claimed"]:
            return fresh["address"]
    return await tx.fetchval(
        """
        delete from released_addresses where (network_id, address) = (
            select r.network_id, r.address from released_addresses r
            where r.network_id = $1 and not exists (
                select from machines m
                where m.id = r.machine_id and m.seen in ('on', 'paused') and m.seen_boot <= r.boot
            )
            order by r.released_at, r.address limit 1 for update of r skip locked
        ) returning host(address)
        """,
        network_id,
    )


_NEXT = """
with fresh as (
    update networks set next_host = next_host + 1
    where id = $1 and network(gateway) + next_host < broadcast(gateway)
    returning network(gateway) + next_host - 1 as address
)
select host(f.address) as address,
       exists (select from nics where network_id = $1 and address = host(f.address)::inet)
       or exists (select from released_addresses where network_id = $1 and address = host(f.address)::inet)
           as was_claimed
from fresh f
"""
"""The next address in turn, and whether it has been asked for by name before that."""


async def claim_address(tx: Tx, network_id: UUID, address: str, *, by: UUID) -> bool:
    """Take this address, which is one of the network's, for a machine. False: a NIC has it, or a boot of another
    machine that goes on may still use it. The network stays locked until `tx` ends."""
    await tx.fetchval("select id from networks where id = $1 for update", network_id)
    is_taken = await tx.fetchval(
        """
        select exists (select from nics where network_id = $1 and address = $2::text::inet) or exists (
            select from released_addresses r join machines m on m.id = r.machine_id
            where r.network_id = $1 and r.address = $2::text::inet
              and m.seen in ('on', 'paused') and m.seen_boot <= r.boot and m.id <> $3
        )
        """,
        network_id,
        address,
        by,
    )
    if not is_taken:
        await tx.execute(
            "delete from released_addresses where network_id = $1 and address = $2::text::inet", network_id, address
        )
    return not is_taken


async def give_back(tx: Tx, machine_id: UUID) -> None:
    """Take back the addresses of a machine's NICs, which are about to go."""
    await tx.execute(
        """
        insert into released_addresses (network_id, address)
        select network_id, address from nics where machine_id = $1 and address is not null on conflict do nothing
        """,
        machine_id,
    )


async def give_back_one(tx: Tx, nic_id: UUID, *, boot: int) -> None:
    """Take back the address of a NIC that is about to go, to be given out again when that boot of its machine is
    over."""
    await tx.execute(
        """
        insert into released_addresses (network_id, address, machine_id, boot)
        select network_id, address, machine_id, $2 from nics where id = $1 and address is not null
        on conflict do nothing
        """,
        nic_id,
        boot,
    )


ITEM = """
json_build_object(
    'id', n.id, 'name', n.name, 'bridge', n.bridge, 'gateway', host(n.gateway), 'cidr', network(n.gateway)::text,
    'nat', n.nat, 'dns', (select coalesce(json_agg(host(d)), '[]') from unnest(n.dns) d),
    'created_at', n.created_at, 'updated_at', n.updated_at
)
"""
"""A network as `schemas.NetworkBody` describes it."""


async def list_json(reader: Reader, page: Page, *, project_id: UUID, name: str | None, q: str | None) -> bytes:
    args: list[object] = []
    where = conditions(
        args, ("n.project_id = {}", project_id), ("n.name = {}", name), ("strpos(lower(n.name), lower({})) > 0", q)
    )
    sql = page.json_query(item=ITEM, source="networks n", where=where, args=args)
    return page.json_answer(await reader.fetchrow(sql, *args))


async def find_json(reader: Reader, network_id: UUID, *, project_id: UUID) -> str | None:
    return await reader.fetchval(
        f"select ({ITEM})::text from networks n where n.id = $1 and n.project_id = $2", network_id, project_id
    )
