"""What archives that go out and those that come in have in common."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

from nexus.kit.incoming import PIECE_BYTES
from nexus.kit.streaming import StreamBroken
from nexus.manager.images.models import Image
from nexus.manager.snapshots.errors import TooManyTransfers

MOST_AT_ONCE = 16
"""Of one manager's. Each holds a connection to a host, of those that everything else is asked over too."""


class Transfers:
    def __init__(self) -> None:
        self._under_way = 0

    @contextmanager
    def one(self) -> Generator[None]:
        """Room for an archive that is under way. Raises TooManyTransfers."""
        if self._under_way >= MOST_AT_ONCE:
            raise TooManyTransfers
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


async def pieces_of(path: Path, image: Image) -> AsyncGenerator[bytes]:
    """An image's content. Raises StreamBroken where its file is not what was registered."""
    digest, left = hashlib.sha256(), image.size_bytes
    try:
        with await asyncio.to_thread(path.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, min(PIECE_BYTES, left)):
                digest.update(piece)
                left -= len(piece)
                yield piece
    except OSError as unreadable:
        raise StreamBroken(f"image {image.name} cannot be read: {unreadable.strerror}") from unreadable
    if left or digest.hexdigest() != image.sha256:
        raise StreamBroken(f"the file of image {image.name} is not what was registered")
