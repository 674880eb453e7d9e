"""The children's log files. Children write to them directly, so that they outlive a supervisor that was killed.

That leaves truncation as the way to rotate (files are opened for appending, so writers go on at the start): a line
written between the copy and the truncation is lost, which a log may be.
"""

import json
import os
import shutil
from pathlib import Path
from typing import cast

LIMIT_BYTES = 10 << 20
_TAIL_BYTES = 16 << 10


def open_log(path: Path) -> int:
    """A descriptor to append to `path`, private to us; the caller closes it."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def rotate(path: Path, *, limit_bytes: int = LIMIT_BYTES) -> bool:
    """Move a log that has grown past the limit to `.1`, whose own content is dropped. True when that was done."""
    if not path.exists() or path.stat().st_size <= limit_bytes:
        return False
    shutil.copy2(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def last_words(path: Path, *, since: int = 0, lines: int = 3) -> str:
    """The last lines written after offset `since`, for a person: of JSON lines only what happened."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # a log rotated meanwhile is shorter than `since`
            file.seek(max(since if since <= size else 0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join([readable(line) for line in text.splitlines() if line.strip()][-lines:])


def readable(line: str) -> str:
    """One log line without its machinery."""
    try:
        event: object = json.loads(line)
    except ValueError:
        return line.rstrip()
    if not isinstance(event, dict) or "event" not in event:
        return line.rstrip()
    fields = cast("dict[str, object]", event)
    hidden = {"event", "at", "level", "process", "logger", "exception"}
    rest = [f"{key}={value}" for key, value in fields.items() if key not in hidden]
    return " ".join([str(fields["event"]), *rest])
