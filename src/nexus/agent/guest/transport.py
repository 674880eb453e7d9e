"""What carries bytes to one guest's agent, without saying how.

The channel above knows streams only, so that a second carrier (vsock) is a second `Transport` and nothing else changes.
"""

from collections.abc import Callable
from typing import Protocol


class ByteStream(Protocol):
    """One connection to the guest's HTTP server. Both directions are flow controlled and close separately."""

    async def read(self, limit: int = 65536) -> bytes:
        """At least one byte and at most `limit`; empty at the end of what the guest sends.

        Raises ConnectionResetError when the guest or the carrier gave the stream up."""
        ...

    async def write(self, data: bytes) -> None:
        """Return once all of `data` is on its way. Raises ConnectionResetError for a dead stream."""
        ...

    def write_eof(self) -> None:
        """No more data from us; the guest's answer still comes."""
        ...

    def abort(self) -> None:
        """Give the stream up in both directions; harmless on one that has ended."""
        ...


class Transport(Protocol):
    """The carrier of one machine. `run` keeps it connected; `open` is possible while it is."""

    @property
    def is_ready(self) -> bool:
        """Whether the guest's agent has answered and has not gone since."""
        ...

    async def run(self, *, on_ready: Callable[[], None], on_lost: Callable[[str], None]) -> None:
        """Connect, and connect again whenever the guest is lost, until cancelled.

        `on_ready` and `on_lost(why)` are called in turns. Cancelling ends every open stream."""
        ...

    async def open(self) -> ByteStream:
        """A new stream. Raises ConnectionResetError when the guest is not there."""
        ...
