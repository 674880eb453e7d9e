"""The endpoints of VMs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal
from uuid import UUID

from nexus.client.models import Accepted, Bulk, BulkAccepted, ConsoleChunk, Created, Credentials, Metrics, TriedOut, Vm
from nexus.client.transport import Transport, segment

Verb = Literal["start", "stop", "pause", "resume", "reboot", "ctrl-alt-del"]
BulkVerb = Literal["start", "stop", "pause", "resume", "delete"]


class Vms:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(
        self,
        *,
        q: str | None = None,
        state: str | None = None,
        tag: str | None = None,
        name: str | None = None,
        host: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> list[Vm]:
        """VMs you may see. `q` searches, `name` is exact, `host` is a name or id, `sort` is a field, with `-` before it
        for descending."""
        query = {"q": q, "state": state, "tag": tag, "name": name, "host": host, "sort": sort}
        return list(self._http.items(Vm, "/v1/vms", query=query, limit=limit))

    def get(self, vm_id: UUID) -> Vm:
        return self._http.item(Vm, _path(vm_id))

    def create(self, spec: Mapping[str, object]) -> Created:
        """Create a VM and start it, unless `spec` says `"start": false`."""
        return self._http.model(Created, "POST", "/v1/vms", body=spec, is_creation=True)

    def try_out(self, spec: Mapping[str, object]) -> TriedOut:
        """Which host a VM like this would go to, or why it would go to none. Nothing is made."""
        return self._http.model(TriedOut, "POST", "/v1/vms", query={"dry_run": "true"}, body=spec)

    def edit(self, vm_id: UUID, changes: Mapping[str, object]) -> Accepted:
        return self._http.model(Accepted, "PATCH", _path(vm_id), body=changes)

    def delete(self, vm_id: UUID) -> Accepted:
        return self._http.model(Accepted, "DELETE", _path(vm_id))

    def act(self, vm_id: UUID, verb: Verb, *, grace_s: int | None = None) -> Accepted:
        """A verb without an answer of its own. `grace_s` (stop only) is what the guest may take before power goes."""
        body = {} if grace_s is None else {"grace_s": grace_s}
        return self._http.model(Accepted, "POST", f"{_path(vm_id)}/{verb}", body=body)

    def bulk(
        self,
        verb: BulkVerb,
        *,
        ids: Sequence[UUID] | None = None,
        filter: Mapping[str, object] | None = None,
        grace_s: int | None = None,
    ) -> BulkAccepted:
        """A verb for many VMs: those of `ids`, or those that `filter` (q, state, tag) finds."""
        asked = {"verb": verb, "ids": None if ids is None else [str(one) for one in ids], "filter": filter}
        asked |= {"grace_s": grace_s}
        body = {name: value for name, value in asked.items() if value is not None}
        return self._http.model(BulkAccepted, "POST", "/v1/vms/bulk", body=body, is_creation=True)

    def get_bulk(self, bulk_id: UUID) -> Bulk:
        return self._http.item(Bulk, f"/v1/vms/bulk/{segment(bulk_id)}")

    def save_template(self, vm_id: UUID, *, name: str, description: str = "") -> Created:
        """Save a VM's configuration as a template."""
        body = {"name": name, "description": description}
        return self._http.model(Created, "POST", f"{_path(vm_id)}/template", body=body, is_creation=True)

    def credentials(self, vm_id: UUID) -> Credentials:
        return self._http.item(Credentials, f"{_path(vm_id)}/shell")

    def metrics(self, vm_id: UUID) -> Metrics:
        return self._http.item(Metrics, f"{_path(vm_id)}/metrics")

    def console(self, vm_id: UUID, *, offset: int) -> ConsoleChunk:
        """The serial console's log from byte `offset`, as much as the manager gives at once."""
        answer = self._http.send("GET", f"{_path(vm_id)}/console", query={"offset": offset})
        start = int(answer.headers.get("Nexus-Offset", offset))
        size = int(answer.headers.get("Nexus-Size", start + len(answer.content)))
        return ConsoleChunk(content=answer.content, offset=start, size_bytes=size)

    def follow_console(self, vm_id: UUID, *, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """The serial console's log from byte `offset` on, and then what comes."""
        query = {"offset": offset, "follow": True}
        return self._http.download(f"{_path(vm_id)}/console", query=query, is_patient=True)


def _path(vm_id: UUID) -> str:
    return f"/v1/vms/{segment(vm_id)}"
