"""Data on standard output: a table for people, JSON or YAML for programs.

Tables are plain columns two spaces apart, upper-case heads, nothing cut: stable for `awk` and for golden files. Colour
only on a terminal, and never where NO_COLOR is set.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TextIO, TypeVar, cast

T = TypeVar("T")

_COLOURS = {
    "running": "32",
    "ready": "32",
    "done": "32",
    "up": "32",
    "creating": "33",
    "starting": "33",
    "stopping": "33",
    "deleting": "33",
    "booting": "33",
    "paused": "36",
    "suspended": "36",
    "error": "31",
    "failed": "31",
    "down": "31",
    "unknown": "35",
}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table, or a line of a record: its head and how to read its cell off a row."""

    head: str
    cell: Callable[[T], object]


def may_colour(stream: TextIO) -> bool:
    """Whether escape sequences are welcome on `stream`."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def plain(value: object) -> str:
    """A cell's text: nothing as `-`, and no control characters, whoever chose the text."""
    if isinstance(value, (list, tuple)):
        value = ", ".join(str(part) for part in cast("Sequence[object]", value))
    return _UNPRINTABLE.sub("�", str(value)) if value not in (None, "") else "-"


def table(rows: Iterable[T], columns: Sequence[Column[T]], *, colour: bool) -> str:
    """The table as text, one line per row and the heads; empty for no rows."""
    lines = [[column.head for column in columns]]
    lines += [[plain(column.cell(row)) for column in columns] for row in rows]
    if len(lines) == 1:
        return ""
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return "".join(f"{_line(cells, widths, colour=colour)}\n" for cells in lines)


def record(value: T, columns: Sequence[Column[T]], *, colour: bool) -> str:
    """One object as text, a line per column."""
    width = max(len(column.head) for column in columns)
    lines = [(column.head.ljust(width), plain(column.cell(value))) for column in columns]
    return "".join(f"{head}  {_painted(cell, cell, colour=colour)}\n" for head, cell in lines)


def _line(cells: Sequence[str], widths: Sequence[int], *, colour: bool) -> str:
    padded = [_painted(cell, cell.ljust(width), colour=colour) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def _painted(word: str, text: str, *, colour: bool) -> str:
    code = _COLOURS.get(word) if colour else None
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def serialised(value: object, form: Format) -> str:
    """`value` (models, or plain data) as JSON or YAML text."""
    data = _data(value)
    if form is Format.JSON:
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    import yaml

    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def line(value: object, form: Format) -> str:
    """One of a stream of values: a line of JSON, or a YAML document."""
    if form is Format.JSON:
        return json.dumps(_data(value), ensure_ascii=False) + "\n"
    return "---\n" + serialised(value, form)


def _data(value: object) -> Any:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        return [_data(one) for one in cast("Sequence[object]", value)]
    return value


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
