"""Versions of objects: `ETag` on what is read, `If-None-Match` to read only what is new, `If-Match` to change only what
one has seen (RFC 9110, sections 8.8.3 and 13.1).

A version is the digest of the very bytes that a get answers with. So it is strong, no writer can forget to raise it,
and two changes within one tick of a clock are two versions. What must stay true: `If-Match` is compared under the lock
of the change, against the object as it is then.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.responses import Response

from nexus.kit.envelopes import Json, item_json
from nexus.kit.problems import Malformed, Problem

_TAG = re.compile(r'[ \t]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|\Z)')
_LIST: dict[str, Any] = {"pattern": r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'}
"""What `_TAG` takes, for the API's description; a value that does not fit is malformed, not an invalid field."""


class Stale(Problem):
    """The object is not what the client has seen; the answer's `ETag` is what it is now."""

    status, code = 412, "stale"

    def __init__(self, current: str) -> None:
        super().__init__(
            "If-Match: what you have seen has been changed since.",
            suggestion=f"Get it again, and decide anew. Its version is now {current}.",
        )
        self.headers = {"ETag": current}


def version_of(body: bytes) -> str:
    """The entity tag of what a get answers, quotes included."""
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:18]).decode()}"'


@dataclass(frozen=True)
class Expected:
    """What the client of a change has seen: one of these versions; None: it does not say, or any will do."""

    versions: Sequence[str] | None = None

    async def require(self, item: Callable[[], Awaitable[str | None]]) -> None:
        """Raise Stale unless the object is as expected. `item` gives its JSON, as a get would, in the transaction that
        holds its lock."""
        if self.versions is None:
            return
        current = version_of(item_json(await item() or "null"))
        if current not in self.versions:  # weak ones never match here: RFC 9110, section 13.1.1
            raise Stale(current)


ANY = Expected()


@dataclass(frozen=True)
class Known:
    """What the client of a get has already: one of these versions; None: whatever there is."""

    versions: Sequence[str] | None = ()

    def answer(self, body: bytes) -> Response:
        """The body with its version, or 304 without a body for a client that has it."""
        current = version_of(body)
        headers = {"ETag": current, "Cache-Control": "private, no-cache"}
        if self.versions is None or current in (version.removeprefix("W/") for version in self.versions):
            return Response(status_code=304, headers=headers)
        return Json(body, headers=headers)


async def _expected(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(
            description="Change it only if its `ETag` is still (one of) these, or 412; `*`: whatever it is",
            json_schema_extra=_LIST,
        ),
    ] = None,
) -> Expected:
    return Expected(None if if_match is None else _read(request, "If-Match"))


async def _known(
    request: Request,
    if_none_match: Annotated[
        str | None,
        Header(description="Answer 304 if its `ETag` is still (one of) these, or with `*`", json_schema_extra=_LIST),
    ] = None,
) -> Known:
    return Known(() if if_none_match is None else _read(request, "If-None-Match"))


# async: FastAPI gives every other dependency to a thread, which costs more than it does
IfMatch = Annotated[Expected, Depends(_expected)]
IfNoneMatch = Annotated[Known, Depends(_known)]


def _read(request: Request, name: str) -> list[str] | None:
    """The entity tags of a header, in as many lines as it came; None for `*`. Raises Malformed."""
    value = ", ".join(request.headers.getlist(name))
    if value.strip() == "*":
        return None
    found: list[str] = []
    place = 0
    while match := _TAG.match(value, place):
        found.append(match[1])
        place = match.end()
        if place == len(value) and not match[0].endswith(","):
            return found
    raise Malformed(
        f"{name}: this is no list of entity tags.",
        suggestion='Send an ETag as it was answered, quotes included: "…"; several with commas between them; or *.',
    )
