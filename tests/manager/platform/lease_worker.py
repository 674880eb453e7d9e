"""A worker in a process of its own: `python -m tests.manager.platform.lease_worker DATABASE_URL NAME LEASE_S`.

It lights lamps with the engine that managers run. What it does to the world is a row in `deeds`; a worker named in
`held` does not get further than that, either in the world or inside its transaction.
"""

import asyncio
import sys
from dataclasses import dataclass
from uuid import UUID

from nexus.kit import log
from nexus.kit.db import Db, Listener, Reader, Tx
from nexus.manager.flows import Engine, Flow, Flows, Next, finish, hop, in_tx, on_agent
from nexus.protocol.trouble import Refused

LAMP = "lamp"
SCHEMA = """
create table lamps (id uuid primary key, wanted int not null, lit int not null, lit_by text);
create table deeds (number serial primary key, worker text not null, wanted int not null, at timestamptz not null);
create table held (worker text not null, step text not null);
"""


@dataclass
class Lamp:
    id: UUID
    wanted: int
    lit: int
    lit_by: str | None


class LampFlow(Flow[Lamp]):
    name = LAMP

    def __init__(self, db: Db, worker: str) -> None:
        self._db = db
        self._worker = worker

    async def load(self, tx: Tx, subject_id: UUID) -> Lamp | None:
        row = await tx.fetchrow("select * from lamps where id = $1 for update", subject_id)
        return Lamp(**dict(row)) if row else None

    def decide(self, facts: Lamp) -> str | Next:
        return "light" if facts.lit < facts.wanted else finish()

    @on_agent
    async def light(self, facts: Lamp) -> Next:
        await self._db.execute(
            "insert into deeds (worker, wanted, at) values ($1, $2, clock_timestamp())", self._worker, facts.wanted
        )
        await self._while_held(self._db, "light")
        return hop("settle", found=facts.wanted)

    async def absorb(self, tx: Tx, facts: Lamp, found: object) -> None:
        await tx.execute("update lamps set lit = $2, lit_by = $3 where id = $1", facts.id, found, self._worker)

    @in_tx
    async def settle(self, tx: Tx, facts: Lamp) -> Next:
        await self._while_held(tx, "settle")
        return hop()

    async def refused(self, tx: Tx, facts: Lamp, step: str, error: Refused) -> Next:
        return finish()

    async def _while_held(self, reader: Reader, step: str) -> None:
        sql = "select exists (select from held where worker = $1 and step = $2)"
        while await reader.fetchval(sql, self._worker, step):
            log.get("worker").info("held", step=step)
            await asyncio.sleep(0.02)


async def work(dsn: str, worker: str, lease_s: float) -> None:
    db, listener, flows = Db(dsn, idle_in_transaction_s=lease_s / 2), Listener(dsn), Flows()
    await db.open()
    engine = Engine(db, listener, flows, [LampFlow(db, worker)], lease_s=lease_s, step_timeout_s=lease_s * 0.9)
    listener.start()
    engine.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    log.setup(process=sys.argv[2], level="info")
    asyncio.run(work(sys.argv[1], sys.argv[2], float(sys.argv[3])))
