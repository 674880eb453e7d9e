"""The endpoints, one method each, grouped by noun as in the API."""

from collections.abc import Mapping
from functools import cached_property
from uuid import UUID

from nexus.client.configuration import Configuration
from nexus.client.devices import Drives, Nics, Presets
from nexus.client.hosts import Hosts
from nexus.client.logs import Logs
from nexus.client.metrics import MetricsHistory
from nexus.client.models import (
    Accepted,
    Created,
    Image,
    Login,
    Operation,
    User,
)
from nexus.client.snapshots import Snapshots
from nexus.client.ssh_keys import SshKeys
from nexus.client.templates import Templates
from nexus.client.terminals import Terminals
from nexus.client.transport import Transport, segment
from nexus.client.vms import Vms


class Client:
    """The API of one manager: `Client(Transport(url=…, token=…)).vms.list()`. Close it, or use it in `with`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_error: object) -> None:
        self.transport.close()

    @cached_property
    def auth(self) -> "Auth":
        return Auth(self.transport)

    @cached_property
    def vms(self) -> Vms:
        return Vms(self.transport)

    @cached_property
    def configuration(self) -> Configuration:
        return Configuration(self.transport)

    @cached_property
    def terminals(self) -> Terminals:
        return Terminals(self.transport)

    @cached_property
    def images(self) -> "Images":
        return Images(self.transport)

    @cached_property
    def drives(self) -> Drives:
        return Drives(self.transport)

    @cached_property
    def nics(self) -> Nics:
        return Nics(self.transport)

    @cached_property
    def presets(self) -> Presets:
        return Presets(self.transport)

    @cached_property
    def ssh_keys(self) -> SshKeys:
        return SshKeys(self.transport)

    @cached_property
    def templates(self) -> Templates:
        return Templates(self.transport)

    @cached_property
    def snapshots(self) -> Snapshots:
        return Snapshots(self.transport)

    @cached_property
    def metrics(self) -> MetricsHistory:
        return MetricsHistory(self.transport)

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.transport)

    @cached_property
    def hosts(self) -> Hosts:
        return Hosts(self.transport)

    @cached_property
    def operations(self) -> "Operations":
        return Operations(self.transport)

    def health(self) -> Mapping[str, object]:
        """GET /health"""
        return self.transport.json("GET", "/health")


class Auth:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def login(self, *, username: str, password: str) -> Login:
        """A new session; raises ApiError (401) for a wrong name or password."""
        return self._http.model(Login, "POST", "/v1/auth/login", body={"username": username, "password": password})

    def logout(self) -> None:
        """End this session; its token is worth nothing afterwards."""
        self._http.send("POST", "/v1/auth/logout")

    def me(self) -> User:
        return self._http.item(User, "/v1/auth/me")

    def change_password(self, *, current_password: str, new_password: str) -> None:
        body = {"current_password": current_password, "new_password": new_password}
        self._http.send("PUT", "/v1/auth/password", body=body)


class Images:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self, *, kind: str | None = None, name: str | None = None) -> list[Image]:
        return list(self._http.items(Image, "/v1/images", query={"kind": kind, "name": name}))

    def get(self, image_id: UUID) -> Image:
        return self._http.item(Image, f"/v1/images/{segment(image_id)}")

    def create(self, spec: Mapping[str, object]) -> Created:
        """Register a file that is already under the manager's image directory."""
        return self._http.model(Created, "POST", "/v1/images", body=spec, is_creation=True)

    def delete(self, image_id: UUID) -> Accepted:
        return self._http.model(Accepted, "DELETE", f"/v1/images/{segment(image_id)}")


class Operations:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(
        self,
        *,
        status: str | None = None,
        subject_id: UUID | None = None,
        vm_id: UUID | None = None,
        limit: int | None = None,
    ) -> list[Operation]:
        """What was asked for, the newest first. `vm_id`: of that VM, and of snapshots that were taken of it."""
        query = {"status": status, "subject_id": subject_id, "vm_id": vm_id}
        return list(self._http.items(Operation, "/v1/operations", query=query, limit=limit))

    def get(self, operation_id: UUID, *, wait_s: int | None = None) -> Operation:
        """The operation now, or as soon as it has ended within `wait_s` seconds (at most 60)."""
        path = f"/v1/operations/{segment(operation_id)}"
        return self._http.item(Operation, path, query={"wait": wait_s}, wait_s=wait_s or 0)
