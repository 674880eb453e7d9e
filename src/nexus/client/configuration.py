"""The endpoints of VMs' settings."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from nexus.client.models import Changed, Setting
from nexus.client.transport import Transport, segment

_Whole = Literal["machine-config", "boot-source", "cpu-config", "vsock", "entropy", "serial", "logger", "balloon"]
Readable = _Whole | Literal["balloon/statistics", "guest-ip", "mmds", "user-data"]
Settable = _Whole | Literal["mmds", "mmds/config", "user-data"]
Patchable = Literal["machine-config", "boot-source", "balloon", "balloon/statistics", "mmds"]
Removable = Literal["mmds", "user-data"]


class Configuration:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def get(self, vm_id: UUID, setting: Readable) -> Setting:
        return self._http.item(Setting, _path(vm_id, setting))

    def put(self, vm_id: UUID, setting: Settable, body: Mapping[str, object]) -> Changed:
        """Set all of a setting; what is left out is its default."""
        return self._http.model(Changed, "PUT", _path(vm_id, setting), body=body)

    def patch(self, vm_id: UUID, setting: Patchable, body: Mapping[str, object]) -> Changed:
        """Change some of a setting; what is left out stays."""
        return self._http.model(Changed, "PATCH", _path(vm_id, setting), body=body)

    def remove(self, vm_id: UUID, setting: Removable) -> Changed:
        return self._http.model(Changed, "DELETE", _path(vm_id, setting))

    def set_address(self, vm_id: UUID, address: str) -> Changed:
        """Give the first interface another address of its network."""
        return self._http.model(Changed, "POST", _path(vm_id, "guest-ip"), body={"ip": address})

    def flush_metrics(self, vm_id: UUID) -> None:
        self._http.send("POST", _path(vm_id, "flush-metrics"))


def _path(vm_id: UUID, setting: str) -> str:
    return f"/v1/vms/{segment(vm_id)}/{setting}"
