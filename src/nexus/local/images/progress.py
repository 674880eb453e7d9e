"""How a build tells whoever waits what it is doing."""

from typing import Protocol


class Progress(Protocol):
    """Receives what happens, in order, from one thread."""

    def stage(self, name: str) -> None:
        """A new step has begun; `name` is in plain words for a person to read."""
        ...

    def advance(self, done: int, total: int) -> None:
        """`done` of `total` bytes of the present step; may never come, or stop short of the end."""
        ...


class Silent:
    """For callers that do not watch."""

    def stage(self, name: str) -> None:
        pass

    def advance(self, done: int, total: int) -> None:
        pass
