"""The endpoints of SSH keys."""

from uuid import UUID

from nexus.client.models import Accepted, Created, SshKey
from nexus.client.transport import Transport, segment


class SshKeys:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self, *, name: str | None = None, q: str | None = None, limit: int | None = None) -> list[SshKey]:
        """Keys you may see. `name` is exact; `q` searches name, comment and fingerprint."""
        return list(self._http.items(SshKey, "/v1/ssh-keys", query={"name": name, "q": q}, limit=limit))

    def get(self, key_id: UUID) -> SshKey:
        return self._http.item(SshKey, f"/v1/ssh-keys/{segment(key_id)}")

    def create(self, *, name: str, public_key: str) -> Created:
        """Keep a public key: the line of an OpenSSH .pub file."""
        body = {"name": name, "public_key": public_key}
        return self._http.model(Created, "POST", "/v1/ssh-keys", body=body, is_creation=True)

    def rename(self, key_id: UUID, *, name: str) -> Accepted:
        return self._http.model(Accepted, "PATCH", f"/v1/ssh-keys/{segment(key_id)}", body={"name": name})

    def delete(self, key_id: UUID) -> Accepted:
        return self._http.model(Accepted, "DELETE", f"/v1/ssh-keys/{segment(key_id)}")
