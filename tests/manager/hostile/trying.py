"""How hostile requests are tried: many in one test, each against what its answer must be."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import ValidationError

from nexus.kit.db import Db
from nexus.kit.problems import ProblemBody

JSON = {"Content-Type": "application/json"}
ANY_ID = "01890000-0000-7000-8000-000000000000"
FACTS: dict[str, Any] = {
    "name": "host-2",
    "vmm": "fake",
    "vmm_version": "1",
    "acceleration": "none",
    "why_vmm": "There is nothing else.",
    "offers": ["pause"],
    "vcpus": 1,
    "memory_mib": 1,
    "disk_bytes": 0,
    "agent_version": "1",
    "protocol_version": 1,
    "boot_id": "boot-1",
}
"""Of a host too small for anything."""
RESTLESS = ("hosts", "events", "event_log", "audit", "sessions", "flows")
"""Tables that change without a request, or with one that was refused: hosts report all the time, and failed logins are
on record. All others, those of slices to come included, only a request that was taken could have changed."""


@dataclass(frozen=True)
class Try:
    """A request, and the status that it must get. `content` is sent as it is, `body` as JSON."""

    status: int
    method: str
    path: str
    content: bytes | str | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    query: Any = None

    def __str__(self) -> str:
        sent = self.content if self.content is not None else self.body
        return f"{self.method} {self.path[:80]!r} {self.query or ''} {str(sent)[:100]!r} {self.headers or ''}"


def posts(path: str, status: int, bodies: Iterable[Any], *, method: str = "POST") -> list[Try]:
    """One try for each body. One that Python's JSON cannot write is given as the text itself."""
    return [
        Try(status, method, path, content=body, headers=JSON)
        if isinstance(body, str | bytes)
        else Try(status, method, path, content=json.dumps(body), headers=JSON)
        for body in bodies
    ]


def gets(path: str, status: int, queries: Iterable[Any]) -> list[Try]:
    return [Try(status, "GET", path, query=query) for query in queries]


class Trials:
    def __init__(self, client: httpx.AsyncClient, db: Db) -> None:
        self._client = client
        self._db = db

    async def all_refused(self, tries: Iterable[Try], *, client: httpx.AsyncClient | None = None) -> None:
        """Each gets its own status, in the one shape that errors have."""
        wrong: list[str] = []
        for one in tries:
            answer = await self._send(one, client or self._client)
            if complaint := _complaint(one.status, answer):
                wrong.append(f"{one}: {complaint}")
        assert wrong == [], "\n".join(wrong)

    async def _send(self, one: Try, client: httpx.AsyncClient) -> httpx.Response:
        return await client.request(
            one.method, one.path, content=one.content, json=one.body, headers=one.headers, params=one.query
        )

    async def content(self) -> dict[str, str]:
        """A digest of what each table holds."""
        found: dict[str, str] = {}
        tables = await self._db.fetch("select tablename from pg_tables where schemaname = 'public'")
        for table in sorted({row["tablename"] for row in tables} - set(RESTLESS)):
            rows = await self._db.fetch(f"select to_jsonb(t)::text as row from {table} t order by 1")
            found[table] = hashlib.sha256("\n".join(row["row"] for row in rows).encode()).hexdigest()
        return found


def _complaint(status: int, answer: httpx.Response) -> str | None:
    if answer.status_code != status:
        return f"{answer.status_code} instead of {status}: {answer.text[:300]}"
    try:
        told = ProblemBody.model_validate_json(answer.content)
    except ValidationError as other:
        return f"not the shape of errors: {other}"
    if set(answer.json()) != set(ProblemBody.model_fields):
        return f"fields are missing: {answer.text[:300]}"
    if told.status != status or not told.code or not told.error or told.request_id != answer.headers["x-request-id"]:
        return f"it contradicts itself: {answer.text[:300]}"
    return None
