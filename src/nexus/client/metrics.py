"""The endpoints of history."""

from datetime import datetime
from uuid import UUID

from nexus.client.models import History
from nexus.client.transport import Transport, segment


class MetricsHistory:
    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def of_vm(
        self, vm_id: UUID, *, since: datetime | None = None, to: datetime | None = None, step_s: int | None = None
    ) -> History:
        """What a VM used over time; without anything said, in the last hour."""
        return self._of(f"vms/{segment(vm_id)}", since, to, step_s)

    def of_host(
        self, host_id: UUID, *, since: datetime | None = None, to: datetime | None = None, step_s: int | None = None
    ) -> History:
        """What a host used over time."""
        return self._of(f"hosts/{segment(host_id)}", since, to, step_s)

    def _of(self, what: str, since: datetime | None, to: datetime | None, step_s: int | None) -> History:
        query = {"from": since and since.isoformat(), "to": to and to.isoformat(), "step": step_s}
        return self._http.model(History, "GET", f"/v1/metrics/{what}", query=query)
