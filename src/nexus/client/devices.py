"""The endpoints of VMs' drives and NICs, and of the rate limiters that have names."""

from collections.abc import Mapping
from uuid import UUID

from nexus.client.models import Changed, Drive, DriveChanged, DriveRemoved, Nic, NicChanged, Preset
from nexus.client.transport import Transport, segment


class Drives:
    """A drive is named by its id or its `drive_id`."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self, vm_id: UUID) -> list[Drive]:
        """As the guest counts them: the first is vda."""
        return self._http.whole(Drive, _path(vm_id, "drives"))

    def get(self, vm_id: UUID, drive: str) -> Drive:
        return self._http.item(Drive, _path(vm_id, "drives", drive))

    def add(self, vm_id: UUID, spec: Mapping[str, object]) -> DriveChanged:
        return self._http.model(DriveChanged, "POST", _path(vm_id, "drives"), body=spec, is_creation=True)

    def edit(self, vm_id: UUID, drive: str, changes: Mapping[str, object]) -> DriveChanged:
        return self._http.model(DriveChanged, "PATCH", _path(vm_id, "drives", drive), body=changes)

    def remove(self, vm_id: UUID, drive: str) -> DriveRemoved:
        return self._http.model(DriveRemoved, "DELETE", _path(vm_id, "drives", drive))


class Nics:
    """A NIC is named by its id or its `iface_id`."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self, vm_id: UUID) -> list[Nic]:
        return self._http.whole(Nic, _path(vm_id, "nics"))

    def get(self, vm_id: UUID, nic: str) -> Nic:
        return self._http.item(Nic, _path(vm_id, "nics", nic))

    def add(self, vm_id: UUID, spec: Mapping[str, object]) -> NicChanged:
        return self._http.model(NicChanged, "POST", _path(vm_id, "nics"), body=spec, is_creation=True)

    def edit(self, vm_id: UUID, nic: str, changes: Mapping[str, object]) -> NicChanged:
        return self._http.model(NicChanged, "PATCH", _path(vm_id, "nics", nic), body=changes)

    def remove(self, vm_id: UUID, nic: str) -> Changed:
        return self._http.model(Changed, "DELETE", _path(vm_id, "nics", nic))


class Presets:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self) -> list[Preset]:
        """Rate limiters that have names."""
        return self._http.whole(Preset, "/v1/rate-limiter-presets")


def _path(vm_id: UUID, noun: str, named: str | None = None) -> str:
    path = f"/v1/vms/{segment(vm_id)}/{noun}"
    return path if named is None else f"{path}/{segment(named)}"
