"""Keyset paging: whatever the sort, every row once; whatever the cursor, never a 500."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.kit.db import Db
from nexus.kit.ids import new_id
from nexus.kit.paging import BadCursor, Page, SortField, Sorts, ask
from nexus.kit.problems import InvalidField

SORTS = Sorts(
    {"name": SortField("name"), "size": SortField("size", int), "at": SortField("at", datetime)},
    tie="id",
    default="name",
)
parse: Any = partial(ask, SORTS, "/v1/things")


@pytest.mark.parametrize("sort", ["name", "-name", "size", "-size", "at", "-at"])
async def test_pages_cover_a_list_exactly_once_ties_and_newcomers_included(database_url: str, sort: str) -> None:
    db = Db(database_url, min_size=1, max_size=1)
    await db.open()
    await db.execute("create table things (id uuid primary key, name text, size bigint, at timestamptz)")
    now = datetime.now(UTC)
    for n in range(23):
        await _add(db, f"n{n % 3}", n % 4, now + timedelta(microseconds=n % 5))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        asked: Page = parse(limit=5, cursor=cursor, sort=sort)
        args: list[object] = [-1]
        query = asked.json_query(
            item="json_build_object('id', id)", source="things", where="size > $1 or size < $1", args=args
        )
        told = json.loads(asked.json_answer(await db.fetchrow(query, *args)))
        seen += [item["id"] for item in told["items"]]
        if not seen[5:]:
            await _add(db, "m", -7, now - timedelta(days=1))  # comes before or after: never moves the others
        cursor = told["next_cursor"]
        if cursor is None:
            break
    column, way = sort.removeprefix("-"), "desc" if sort.startswith("-") else "asc"
    wanted = [str(row["id"]) for row in await db.fetch(f"select id from things order by {column} {way}, id {way}")]
    assert len(seen) == len(set(seen))
    assert [row for row in wanted if row in seen] == seen
    assert len(seen) in (23, 24)
    await db.close()


async def _add(db: Db, name: str, size: int, at: datetime) -> None:
    await db.execute("insert into things values ($1, $2, $3, $4)", new_id(), name, size, at)


@given(st.text(max_size=200))
def test_whatever_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        parse(limit=5, cursor=cursor, sort="name")


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(), st.booleans(), st.lists(st.integers())), max_size=4))
def test_well_formed_json_in_a_cursor_is_checked_all_the_same(content: list[Any]) -> None:
    for sort in ("name", "size", "at"):
        forged = _signed(json.dumps([sort, *content]))
        try:
            taken: Page = parse(limit=5, cursor=forged, sort=sort)
        except BadCursor:
            continue
        assert isinstance(taken.after, SORTS.fields[sort].kind)


def _signed(content: str) -> str:
    """A cursor as whoever has read our source would forge it."""
    raw = content.encode()
    return base64.urlsafe_b64encode(hashlib.sha256(b"/v1/things\0" + raw).digest()[:6] + raw).decode()


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("name", '"\\ud800"'),
        ("name", '"\\u0000"'),
        ("size", str(2**63)),
        ("size", "1e400"),
        ("size", "true"),
        ("at", '"0001-01-01T00:00:00+14:00"'),
        ("at", '"9999-12-31T23:59:59-14:00"'),
    ],
)
def test_a_forged_cursor_holds_nothing_that_postgresql_cannot(sort: str, value: str) -> None:
    row_id = new_id().hex
    with pytest.raises(BadCursor):
        parse(limit=5, cursor=_signed(f'["{sort}", {value}, "{row_id}"]'), sort=sort)
    parse(limit=5, cursor=_signed(f'["name", "fine", "{row_id}"]'), sort="name")


def test_a_cursor_is_good_for_its_own_list_alone_and_only_whole() -> None:
    mine: Page = parse(limit=5, cursor=None, sort="name")
    cursor = mine.cursor("web-1", new_id())
    assert parse(limit=5, cursor=cursor, sort="name").after == "web-1"
    elsewhere: Any = partial(ask, SORTS, "/v1/others")
    changed = cursor[:20] + ("A" if cursor[20] != "A" else "B") + cursor[21:]
    for parser, unusable, sort in (
        (elsewhere, cursor, "name"),
        (parse, cursor, "-name"),
        (parse, cursor[:-4], "name"),
        (parse, changed, "name"),
    ):
        with pytest.raises(BadCursor):
            parser(limit=5, cursor=unusable, sort=sort)


def test_a_sort_the_list_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(InvalidField) as refused:
        parse(limit=5, cursor=None, sort="name; drop table things")
    assert refused.value.suggestion is not None
    assert "-size" in refused.value.suggestion
