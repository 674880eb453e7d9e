"""What tests of this folder say and ask, in their own words."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nexus.agent.machines.registry import Machines
from nexus.agent.manager_link import ManagerLink
from nexus.agent.vmm.fake import FakeVmm
from nexus.kit.db import Db


class Reporting:
    """An agent's reports to its manager, which can be made to cease: the agent itself goes on and obeys."""

    def __init__(self, link: ManagerLink) -> None:
        self._link = link
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(self._link.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None


@dataclass(frozen=True)
class JoinedHost:
    """A running agent that has joined. `vmm` brings about what befalls guests by themselves."""

    machines: Machines
    vmm: FakeVmm
    socket: Path
    reporting: Reporting


async def until(claim: Callable[[], Awaitable[object]], *, within_s: float = 60) -> Any:
    """What `claim` answers as soon as that is true."""
    async with asyncio.timeout(within_s):
        while not (answer := await claim()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the world tells nobody; looking is the only way
        return answer


def ok(answer: httpx.Response) -> Any:
    """The body of an answer that must be a success."""
    assert answer.is_success, f"{answer.status_code}: {answer.text}"
    return answer.json()


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an answer that must be this error, in the one shape that errors have."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    body = answer.json()
    assert set(body) == {
        *("error", "suggestion", "fault_message", "status", "code", "request_id", "id", "operation_id"),
    }
    assert body["status"] == status
    assert body["error"]
    return body


async def create(client: httpx.AsyncClient, name: str = "web-1", *, wait: float | None = 30, **fields: object) -> UUID:
    """A VM of this client's, running unless `fields` say otherwise."""
    query = {} if wait is None else {"wait": wait}
    answer = ok(await client.post("/v1/vms", json={"name": name, **fields}, params=query))
    assert wait is None or answer["status"] == "done", answer
    return UUID(answer["id"])


async def vm_of(client: httpx.AsyncClient, vm_id: UUID) -> dict[str, Any]:
    return ok(await client.get(f"/v1/vms/{vm_id}"))["item"]


def signing_request(key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """A certificate signing request, of a new key if none is given."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


async def machine_of(db: Db, vm_id: UUID) -> UUID:
    return await db.fetchval("select machine_id from vms where id = $1", vm_id)
