"""The endpoints of hosts."""

from uuid import UUID

from nexus.client.models import Abandoned, Accepted, Host, JoinToken
from nexus.client.transport import Transport, segment


class Hosts:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self) -> list[Host]:
        return list(self._http.items(Host, "/v1/hosts"))

    def get(self, host_id: UUID) -> Host:
        return self._http.item(Host, _path(host_id))

    def create_join_token(self, *, expires_in_s: int) -> JoinToken:
        """A token with which one host can join. It is in the answer and nowhere else, so the request bears no key under
        which the answer would be kept."""
        body = {"expires_in_s": expires_in_s}
        return self._http.model(JoinToken, "POST", "/v1/hosts/join-tokens", body=body)

    def cordon(self, host_id: UUID) -> Accepted:
        return self._http.model(Accepted, "POST", f"{_path(host_id)}/cordon")

    def uncordon(self, host_id: UUID) -> Accepted:
        return self._http.model(Accepted, "POST", f"{_path(host_id)}/uncordon")

    def drain(self, host_id: UUID, *, grace_s: int) -> Accepted:
        """Stop every VM on it. `grace_s` is what each guest may take before its power goes."""
        return self._http.model(Accepted, "POST", f"{_path(host_id)}/drain", body={"stop": True, "grace_s": grace_s})

    def abandon(self, host_id: UUID, *, name: str) -> Abandoned:
        """Give it up for lost, with every VM on it; `name` must be the host's."""
        return self._http.model(Abandoned, "POST", f"{_path(host_id)}/abandon", body={"name": name})

    def delete(self, host_id: UUID) -> Accepted:
        return self._http.model(Accepted, "DELETE", _path(host_id))


def _path(host_id: UUID) -> str:
    return f"/v1/hosts/{segment(host_id)}"
