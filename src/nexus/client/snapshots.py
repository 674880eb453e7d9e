"""The endpoints of snapshots, and of what they do to VMs."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from nexus.client.errors import Unreachable
from nexus.client.models import Accepted, Cloned, Created, Snapshot, SnapshotTree, Suspended
from nexus.client.transport import Transport, segment
from nexus.kit.tar import TarBroken
from nexus.protocol.archives import MEDIA_TYPE, WholeArchive


@dataclass(frozen=True)
class Download:
    """Something long as it comes. `length`: how many bytes it will be, if that was said."""

    pieces: Iterator[bytes]
    length: int | None


class Snapshots:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(
        self,
        *,
        name: str | None = None,
        q: str | None = None,
        vm_id: UUID | None = None,
        state: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> list[Snapshot]:
        """Snapshots you may see. `name` is exact; `q` searches name, description and VM."""
        query = {"name": name, "q": q, "vm_id": str(vm_id) if vm_id else None, "state": state, "sort": sort}
        return list(self._http.items(Snapshot, "/v1/snapshots", query=query, limit=limit))

    def list_of(self, vm_id: UUID, *, limit: int | None = None) -> Sequence[Snapshot]:
        """A VM's snapshots."""
        return tuple(self._http.items(Snapshot, f"{_vm(vm_id)}/snapshots", query={}, limit=limit))

    def get(self, snapshot_id: UUID) -> Snapshot:
        return self._http.item(Snapshot, _path(snapshot_id))

    def tree(self, vm_id: UUID) -> SnapshotTree:
        """A VM's snapshots, and the VMs that were made of them."""
        return self._http.item(SnapshotTree, f"{_vm(vm_id)}/snapshots/tree")

    def create(
        self,
        vm_id: UUID,
        *,
        name: str | None = None,
        description: str = "",
        snapshot_type: str | None = None,
        parent_id: UUID | None = None,
        keep_last: int | None = None,
    ) -> Created:
        """Take a snapshot of a VM, which is left as it is. `parent_id`: of a Diff, what it is to be over."""
        asked = {
            "name": name,
            "description": description,
            "snapshot_type": snapshot_type,
            "parent_id": str(parent_id) if parent_id else None,
            "keep_last": keep_last,
        }
        body = {field: value for field, value in asked.items() if value is not None}
        return self._http.model(Created, "POST", f"{_vm(vm_id)}/snapshots", body=body, is_creation=True)

    def edit(self, snapshot_id: UUID, *, name: str | None = None, description: str | None = None) -> Accepted:
        asked = {"name": name, "description": description}
        body = {field: value for field, value in asked.items() if value is not None}
        return self._http.model(Accepted, "PATCH", _path(snapshot_id), body=body)

    def delete(self, snapshot_id: UUID) -> Accepted:
        return self._http.model(Accepted, "DELETE", _path(snapshot_id))

    def instantiate(self, snapshot_id: UUID, *, name: str | None = None, description: str | None = None) -> Created:
        """A new VM that begins from a snapshot."""
        asked = {"name": name, "description": description}
        body = {field: value for field, value in asked.items() if value is not None}
        return self._http.model(Created, "POST", f"{_path(snapshot_id)}/instantiate", body=body, is_creation=True)

    @contextmanager
    def export(self, snapshot_id: UUID) -> Generator[Download]:
        """A snapshot as one archive, as it comes. Raises ApiError, and Unreachable also where it is not whole."""
        with self._http.answer(f"{_path(snapshot_id)}/export", is_patient=True) as answer:
            length = answer.headers.get("content-length", "")
            yield Download(self._whole(answer.iter_raw()), int(length) if length.isdecimal() else None)

    def _whole(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces of an archive. Raises Unreachable in the end, unless it is whole."""
        archive = WholeArchive()
        for piece in pieces:
            archive.feed(piece)
            yield piece
        try:
            archive.check()
        except TarBroken as broken:
            raise Unreachable(self._http.url, f"the archive that came is not whole: {broken}") from broken

    def import_(
        self,
        pieces: Iterable[bytes],
        *,
        length: int | None = None,
        name: str | None = None,
        host_id: UUID | None = None,
    ) -> Created:
        """Make a snapshot of an archive, which is `length` bytes long if that is known. Never sent again."""
        query = {"name": name, "host_id": str(host_id) if host_id else None}
        path = "/v1/snapshots/import"
        answer = self._http.upload(path, pieces, media_type=MEDIA_TYPE, length=length, query=query)
        return self._http.read(Created, answer, path)

    def roll_back(self, vm_id: UUID, snapshot_id: UUID) -> Accepted:
        """Have a VM be what it was: everything since is lost."""
        body = {"snapshot_id": str(snapshot_id)}
        return self._http.model(Accepted, "POST", f"{_vm(vm_id)}/rollback", body=body)

    def clone(self, vm_id: UUID, *, name: str | None = None, count: int = 1, description: str | None = None) -> Cloned:
        """New VMs like this one as it is now."""
        asked = {"name": name, "count": count, "description": description}
        body = {field: value for field, value in asked.items() if value is not None}
        return self._http.model(Cloned, "POST", f"{_vm(vm_id)}/clone", body=body, is_creation=True)

    def suspend(self, vm_id: UUID) -> Suspended:
        """Keep a VM on disk; it goes on from there when it is started or resumed."""
        return self._http.model(Suspended, "POST", f"{_vm(vm_id)}/suspend", is_creation=True)


def _path(snapshot_id: UUID) -> str:
    return f"/v1/snapshots/{segment(snapshot_id)}"


def _vm(vm_id: UUID) -> str:
    return f"/v1/vms/{segment(vm_id)}"
