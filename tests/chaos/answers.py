"""The database's word against the model's: what users were answered, and what of it is on record."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
from tests.chaos.model import COPIES, GONE, Entry, GuestEnd, Outcome, descriptions, ends, is_disturbed, sizes
from tests.chaos.plan import Ask

REPEATABLE = (Ask.DELETE, Ask.EDIT, Ask.RESIZE)
"""What says the same when it is said again, and so is on record once or more often."""
ABOUT_OTHERS = (Ask.ATTACH, Ask.DETACH, Ask.PLUG, Ask.UNPLUG, Ask.SNAPSHOT, Ask.FORGET, Ask.SUSPEND)
"""What is on record as a change of the VM's configuration, or as something done to a snapshot (`kept.py`)."""
STOPPABLE = (Ask.SNAPSHOT, Ask.FORGET, Ask.SUSPEND, Ask.CLONE)
"""What may honestly fail when something else is done with the VM meanwhile."""
_OPERATIONS = """
select id::text, verb, subject_id::text, status, error ->> 'error' as error, finished_at - created_at as took,
       status = 'failed' as has_failed,
       status = 'failed' and (error ->> 'code' not like '%overdue' or finished_at < deadline) as is_wrong
from operations
"""


def against_answers(vms: Sequence[Any], entries: Sequence[Entry], ended: Sequence[GuestEnd]) -> list[str]:
    """The model's word against the database's."""
    found: list[str] = []
    by_vm: dict[str, list[Entry]] = defaultdict(list)
    unknown: Counter[str] = Counter()
    for entry in entries:
        if entry.vm_id is not None:
            by_vm[entry.vm_id].append(entry)
        elif entry.ask in (Ask.CREATE, *COPIES) and entry.outcome is Outcome.UNKNOWN:
            unknown[entry.name] += 1
    guests = _by_name(ended)
    there = {vm["id"] for vm in vms}
    for vm in vms:
        if vm["id"] not in by_vm:
            unknown[vm["name"]] -= 1
            if unknown[vm["name"]] < 0:
                found.append(f"nobody asked for {vm['name']} ({vm['id']})")
            continue
        mine = by_vm[vm["id"]]
        possible = ends(mine, ended=guests[vm["name"]])
        if vm["state"] not in possible:
            found.append(f"{account(vm)}, and may be {sorted(possible)} after {_told(mine)}")
        if vm["description"] not in (may_be := descriptions(mine)):
            found.append(f"{vm['name']} is described {vm['description']!r} and may be {sorted(may_be)}")
        if (may_be := sizes(mine)) is not None and vm["memory_mib"] not in may_be:
            found.append(f"{vm['name']} has {vm['memory_mib']} MiB and may have {sorted(may_be)}")
    for vm_id, mine in by_vm.items():
        if vm_id not in there and GONE not in ends(mine):
            found.append(f"lost: {mine[0].name} ({vm_id}) after {_told(mine)}")
    return found


def _by_name(ended: Sequence[GuestEnd]) -> dict[str, list[GuestEnd]]:
    found: dict[str, list[GuestEnd]] = defaultdict(list)
    for end in ended:
        found[end.name].append(end)
    return found


async def with_ends(database: "asyncpg.Connection[asyncpg.Record]", entries: Sequence[Entry]) -> list[Entry]:
    """What was asked, with whether it failed."""
    failed = {row["id"] for row in await database.fetch(_OPERATIONS) if row["has_failed"]}
    return [replace(entry, has_failed=entry.operation_id in failed) for entry in entries]


async def against_records(
    database: "asyncpg.Connection[asyncpg.Record]", entries: Sequence[Entry], ended: Sequence[GuestEnd]
) -> list[str]:
    """Each wish that was accepted is on record once, and its promise was kept, or broken where its time was over. Of
    VMs whose guests were ended, promises may be broken."""
    found = await gaps(database)
    operations = {row["id"]: row for row in await database.fetch(_OPERATIONS)}
    guests = _by_name(ended)
    for entry in entries:
        if entry.outcome is not Outcome.ACCEPTED or entry.operation_id is None:
            continue
        operation = operations.get(entry.operation_id)
        if operation is None:
            found.append(f"operation {entry.operation_id} ({entry.ask} {entry.name}) was promised and is nowhere")
        elif entry.ask in STOPPABLE and is_disturbed(entry, entries):
            continue
        elif operation["is_wrong"] and not any(end.may_break(entry) for end in _guests_of(entry, entries, guests)):
            found.append(f"{entry.ask} {entry.name} failed after {operation['took']}: {operation['error']}")
    found += _counts("operations", Counter((row["subject_id"], row["verb"]) for row in operations.values()), entries)
    audited = await database.fetch("select subject_id::text, verb from audit where subject_kind = 'vm'")
    return found + _counts("audit rows", Counter((row["subject_id"], row["verb"]) for row in audited), entries)


def _guests_of(entry: Entry, entries: Sequence[Entry], guests: dict[str, list[GuestEnd]]) -> list[GuestEnd]:
    """The ends of its own guest, and of the one that it was made of."""
    sources = {other.name for other in entries if entry.source_id is not None and other.vm_id == entry.source_id}
    return [end for name in {entry.name, *sources} for end in guests[name]]


def _counts(what: str, counted: Counter[tuple[str, str]], entries: Sequence[Entry]) -> list[str]:
    """Each accepted request changed something once; one whose answer was lost at most once."""
    least: Counter[tuple[str, str]] = Counter()
    most: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        if entry.vm_id is None or entry.outcome is Outcome.REFUSED:
            continue
        if entry.ask is Ask.SUSPEND:  # it is paused for that, and goes on where that came to nothing
            most.update({(entry.vm_id, Ask.PAUSE.value): 1, (entry.vm_id, Ask.RESUME.value): 1})
        if entry.ask in (*REPEATABLE, *ABOUT_OTHERS):
            continue
        verb = Ask.CREATE if entry.ask in COPIES else entry.bulk_verb or entry.ask
        least[entry.vm_id, verb.value] += entry.outcome is Outcome.ACCEPTED
        most[entry.vm_id, verb.value] += 1
    return [
        f"{counted[key]} {what} of {key[1]} {key[0]}, and {least[key]} to {most[key]} were asked for"
        for key in most
        if not least[key] <= counted[key] <= most[key]
    ]


async def gaps(database: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """Events are numbered without a gap."""
    row = await database.fetchrow("""
        select (select count(*) from events) as events, (select last_seq - compacted_seq from event_log) as numbered
        """)
    assert row is not None
    return [] if row["events"] == row["numbered"] else [f"{row['events']} events under {row['numbered']} numbers"]


def _told(entries: Sequence[Entry]) -> str:
    return ", ".join(
        f"{entry.ask}:{entry.outcome}[{entry.began:.2f}-{entry.ended:.2f} {entry.said}]"
        for entry in sorted(entries, key=lambda entry: entry.began)[-6:]
        if entry.outcome is not Outcome.REFUSED
    )


def account(vm: Any) -> str:
    said = "; ".join(f"{key} {vm[key]}" for key in ("why", "fault", "seen_fault") if vm[key])
    return f"{vm['name']} ({vm['id']}) is {vm['state']} ({said or 'no reason given'})"
