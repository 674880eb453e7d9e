"""Keyset paging: a list goes on after the last row seen, so page 1000 costs what page 1 does and no row is skipped or
told twice when others come and go.

A list declares what it can be sorted by (`Sorts`); each sort ends in the unique id. The cursor holds the last row's
sort value and id, and a checksum over these and the list's path: one that was cut, changed or taken from another list
is refused, not followed to some other place. It is opaque, not secret: whoever forges one sees nothing that the list's
own conditions hide.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request

from nexus.kit.db import Record
from nexus.kit.fields import MOST_INT8
from nexus.kit.problems import InvalidField, Malformed

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
_CHECKSUM_BYTES = 6
_SQL_TYPES: Mapping[type, str] = {
    str: "text",
    int: "bigint",
    float: "double precision",
    datetime: "timestamptz",
}


class BadCursor(Malformed):
    code = "bad_cursor"


@dataclass(frozen=True)
class SortField:
    """A NOT NULL column as SQL names it in the list's query, and its type: str, int, float or datetime."""

    column: str
    kind: type[str] | type[int] | type[float] | type[datetime] = str


@dataclass(frozen=True)
class Sorts:
    """What a list can be sorted by. `tie` is the unique id column; `default` as the `sort` parameter spells it."""

    fields: Mapping[str, SortField]
    tie: str
    default: str

    @property
    def names(self) -> str:
        return ", ".join(f"{name}, -{name}" for name in self.fields)


@dataclass(frozen=True)
class Page:
    """One page as asked for of the list at `path`: sorted by `sort`, beginning after the row (`after`, `after_id`)."""

    sorts: Sorts
    path: str
    sort: str
    limit: int = DEFAULT_LIMIT
    after: str | int | float | datetime | None = None
    after_id: UUID | None = None

    @property
    def _field(self) -> SortField:
        return self.sorts.fields[self.sort.removeprefix("-")]

    def where(self, args: list[object]) -> str:
        """The condition that skips what was already told; its parameters are appended to `args`."""
        if self.after_id is None:
            return "true"
        args += [self.after, self.after_id]
        than = "<" if self.sort.startswith("-") else ">"
        # typed here, or PostgreSQL takes the column's type, and a number too large for that could not even be sent
        key = f"${len(args) - 1}::{_SQL_TYPES[self._field.kind]}"
        return f"({self._field.column}, {self.sorts.tie}) {than} ({key}, ${len(args)}::uuid)"

    def order(self) -> str:
        """What stands after ORDER BY."""
        way = "desc" if self.sort.startswith("-") else "asc"
        return f"{self._field.column} {way}, {self.sorts.tie} {way}"

    def json_query(self, *, item: str, source: str, where: str, args: list[object], rows: str = "") -> str:
        """A statement whose single row, given to `json_answer`, is the whole list answer, built by PostgreSQL.

        `item` is an expression of type json for one row of `source` (what stands after FROM), `where` the list's own
        conditions over the parameters in `args`, to which the page's are appended. Where `item` needs more than that,
        `rows` gives it: joins that begin at the page's own rows (`join things t on t.id = page_id join …`) and find one
        row for each, so that a page costs the same out of many."""
        conditions = f"({where}) and {self.where(args)}"
        way = "desc" if self.sort.startswith("-") else "asc"
        rows = rows or f"join {source} on {self.sorts.tie} = page_id"
        # The limit is a number and no parameter, for PostgreSQL must know how few rows the joins will meet. Item, sort
        # and limit are the program's own words; what a client sends is only ever a parameter.
        return f"""
            with page as materialized (
                select {self._field.column} as page_key, {self.sorts.tie} as page_id
                from {source} where {conditions} order by {self.order()} limit {self.limit + 1}
            ), told as (
                select {item} as item, page_key, page_id
                from page {rows} order by page_key {way}, page_id {way}
            ), numbered as (select *, row_number() over () as n from told)
            select coalesce(json_agg(item) filter (where n <= {self.limit}), '[]')::text as items,
                   count(*) > {self.limit} as has_more,
                   (array_agg(page_key) filter (where n = {self.limit}))[1] as key,
                   (array_agg(page_id) filter (where n = {self.limit}))[1] as id
            from numbered
            """  # noqa: S608

    def json_answer(self, row: Record | None) -> bytes:
        """The body `{"items": […], "next_cursor": …}` from the row that `json_query` gave."""
        if row is None:
            raise RuntimeError("an aggregate always has one row")
        cursor = self.cursor(row["key"], row["id"]) if row["has_more"] else None
        return f'{{"items":{row["items"]},"next_cursor":{json.dumps(cursor)}}}'.encode()

    def cut(self, rows: list[Record]) -> tuple[list[Record], str | None]:
        """For lists built in Python: of up to `limit + 1` rows holding columns `key` (the sort column) and `id`, those
        to tell, and the next cursor or None."""
        if len(rows) <= self.limit:
            return rows, None
        told = rows[: self.limit]
        return told, self.cursor(told[-1]["key"], told[-1]["id"])

    def cursor(self, key: str | int | float | datetime, row_id: UUID) -> str:
        """The cursor for going on after the row with this sort value and id."""
        value = key.isoformat() if isinstance(key, datetime) else key
        raw = json.dumps([self.sort, value, row_id.hex], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_checksum(self.path, raw) + raw).decode().rstrip("=")


def conditions(args: list[object], *asked: tuple[str, object]) -> str:
    """What stands in WHERE for the filters that were asked for: pairs of a condition, with `{}` for its parameter, and
    the parameter's value, which goes into `args`. A filter whose value is None is left out.

    Left out, and not written as `$1 is null or …`: PostgreSQL would guess that few rows pass, and sort the whole table
    to find them instead of walking an index to the end of the page."""
    found = ["true"]
    for condition, value in asked:
        if value is not None:
            args.append(value)
            found.append(condition.format(f"${len(args)}"))
    return " and ".join(found)


def page(sorts: Sorts) -> Any:
    """A FastAPI dependency giving the `Page` asked for: `page: Annotated[Page, page(SORTS)]`.
    It raises what `ask` does."""

    # async: FastAPI gives every other dependency to a thread, which costs more than it does
    async def parse(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items in one answer")] = DEFAULT_LIMIT,
        cursor: Annotated[
            str | None, Query(max_length=2048, description="`next_cursor` of the answer before, to go on after it")
        ] = None,
        sort: Annotated[
            str | None, Query(max_length=64, description=f"One of {sorts.names}; default {sorts.default}")
        ] = None,
    ) -> Page:
        return ask(sorts, request.scope["path"], limit=limit, cursor=cursor, sort=sort)

    return Depends(parse)


def ask(sorts: Sorts, path: str, *, limit: int, cursor: str | None, sort: str | None) -> Page:
    """The page of the list at `path` that these parameters mean.

    Raises InvalidField for a sort the list does not have, BadCursor for a cursor that is not of this list and sort."""
    chosen = sort or sorts.default
    if chosen.removeprefix("-") not in sorts.fields:
        raise InvalidField(f"sort: this list cannot be sorted by {chosen!r}.", suggestion=f"Use {sorts.names}.")
    if cursor is None:
        return Page(sorts, path, chosen, limit)
    after, after_id = _read(cursor, path, chosen, sorts.fields[chosen.removeprefix("-")].kind)
    return Page(sorts, path, chosen, limit, after, after_id)


def _checksum(path: str, raw: bytes) -> bytes:
    return hashlib.sha256(path.encode() + b"\0" + raw).digest()[:_CHECKSUM_BYTES]


def _read(cursor: str, path: str, sort: str, kind: type) -> tuple[str | int | float | datetime, UUID]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        checksum, raw = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
        if checksum != _checksum(path, raw):
            raise ValueError("cut, changed, or another list's")
        made_for, value, row_id = json.loads(raw)
        if made_for != sort:
            raise ValueError("another sort")
        after = datetime.fromisoformat(value).astimezone(UTC) if kind is datetime else value
        if not isinstance(after, kind) or isinstance(after, bool):
            raise ValueError("another type")
        if isinstance(after, int) and abs(after) > MOST_INT8:
            raise ValueError("out of range")
        if isinstance(after, str) and b"\0" in after.encode():
            raise ValueError("NUL")
        return after, UUID(hex=row_id)
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError, binascii.Error) as unusable:
        raise BadCursor(
            "cursor: this is not a cursor of this list in this order.",
            suggestion="Pass next_cursor of the previous answer unchanged, with the same sort; or list from the start.",
        ) from unusable
