"""The endpoints of VMs' terminals."""

from collections.abc import Sequence
from uuid import UUID

from nexus.client.models import Accepted, Terminal, TerminalList, TerminalOpened
from nexus.client.transport import Transport, segment


class Terminals:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def list(self, vm_id: UUID) -> list[Terminal]:
        return self._http.model(TerminalList, "GET", _path(vm_id)).items

    def get(self, vm_id: UUID, terminal_id: str) -> Terminal:
        return self._http.item(Terminal, f"{_path(vm_id)}/{segment(terminal_id)}")

    def open(
        self, vm_id: UUID, *, argv: Sequence[str] = (), username: str | None = None, cols: int = 80, rows: int = 24
    ) -> TerminalOpened:
        """A new terminal, with nobody connected; without `argv` a login shell."""
        body: dict[str, object] = {"argv": list(argv), "cols": cols, "rows": rows}
        if username is not None:
            body["username"] = username
        return self._http.model(TerminalOpened, "POST", _path(vm_id), body=body, is_creation=True)

    def close(self, vm_id: UUID, terminal_id: str) -> Accepted:
        """Kill what runs in it."""
        return self._http.model(Accepted, "DELETE", f"{_path(vm_id)}/{segment(terminal_id)}")


def _path(vm_id: UUID) -> str:
    return f"/v1/vms/{segment(vm_id)}/terminals"
