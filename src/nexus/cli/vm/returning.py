"""Coming back to a session after its connection was lost: where to, and for how long to try."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from nexus.cli.failures import CliFailure
from nexus.client.errors import ApiError, ClientError, Unreachable
from nexus.client.sessions import Opened, Session

RECONNECT_S = 60.0
PAUSE_S = 0.5
ACKNOWLEDGE_BYTES = 64 * 1024
_PASSING = (502, 503, 504)


@dataclass(kw_only=True)
class Return:
    """`session` is None until there is one; `offset` is the number of output bytes received of it."""

    notice: Callable[[str], None]
    way_out: str = ""
    """How the person gives up, told with the loss."""
    session: str | None = None
    offset: int = 0
    _lost_at: float | None = None
    _said: int = 0

    @property
    def is_possible(self) -> bool:
        return self.session is not None

    def arrive(self, opened: Opened) -> None:
        """Remember the session, and say so if output was missed."""
        if self.session is not None and opened.offset > self.offset:
            self.notice(f"{opened.offset - self.offset} bytes of output were lost meanwhile")
        self.session, self.offset, self._lost_at = opened.id, opened.offset, None

    async def took(self, session: Session, size: int) -> None:
        """So many more bytes of output have been printed; say so from time to time, that the guest may forget them."""
        self.offset += size
        if self.offset - self._said >= ACKNOWLEDGE_BYTES:
            await self.acknowledge(session)

    async def acknowledge(self, session: Session) -> None:
        """Say how far we are; at the beginning of each connection, too."""
        self._said = self.offset
        with suppress(Unreachable):  # whoever reads from the connection meets that too
            await session.acknowledge(self.offset)

    def consider(self, lost: ClientError) -> None:
        """Return if it is worth coming back after `lost`; raises it, or CliFailure once it took too long."""
        is_passing = isinstance(lost, Unreachable) or (isinstance(lost, ApiError) and lost.status in _PASSING)
        if not self.is_possible or not is_passing:
            raise lost
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            self.notice(f"connection lost, coming back{self.way_out}")
        if time.monotonic() - self._lost_at > RECONNECT_S:
            raise CliFailure(f"The connection did not come back in {RECONNECT_S:g} s.") from lost
