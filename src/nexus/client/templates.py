"""The endpoints of templates."""

from collections.abc import Mapping
from uuid import UUID

from nexus.client.models import Accepted, Created, Template
from nexus.client.transport import Transport, segment


class Templates:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self, *, name: str | None = None, q: str | None = None, limit: int | None = None) -> list[Template]:
        """Templates you may see. `name` is exact; `q` searches name and description."""
        return list(self._http.items(Template, "/v1/templates", query={"name": name, "q": q}, limit=limit))

    def get(self, template_id: UUID) -> Template:
        return self._http.item(Template, _path(template_id))

    def create(self, *, name: str, description: str, spec: Mapping[str, object]) -> Created:
        """Save a VM configuration."""
        body = {"name": name, "description": description, "spec": spec}
        return self._http.model(Created, "POST", "/v1/templates", body=body, is_creation=True)

    def replace(self, template_id: UUID, *, name: str, description: str, spec: Mapping[str, object]) -> Accepted:
        """Have the template say this, whole, from now on."""
        body = {"name": name, "description": description, "spec": spec}
        return self._http.model(Accepted, "PUT", _path(template_id), body=body)

    def clone(self, template_id: UUID, *, name: str) -> Created:
        return self._http.model(Created, "POST", f"{_path(template_id)}/clone", body={"name": name}, is_creation=True)

    def instantiate(self, template_id: UUID, spec: Mapping[str, object]) -> Created:
        """Create a VM; what `spec` leaves out is as in the template."""
        path = f"{_path(template_id)}/instantiate"
        return self._http.model(Created, "POST", path, body=spec, is_creation=True)

    def delete(self, template_id: UUID) -> Accepted:
        return self._http.model(Accepted, "DELETE", _path(template_id))


def _path(template_id: UUID) -> str:
    return f"/v1/templates/{segment(template_id)}"
