"""Bytes that arrive in pieces of any size, taken in pieces that somebody wants. Never holds more than one of each."""

from collections.abc import AsyncIterator

PIECE_BYTES = 1 << 20
"""How much of something long is taken at once."""


class EndedEarly(Exception):
    """No more comes, and there should be."""

    def __init__(self, taken_bytes: int) -> None:
        super().__init__(f"it ends after {taken_bytes} bytes, in the middle")


class Incoming:
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.taken_bytes = 0
        """How much was taken so far."""

    async def exactly(self, length: int) -> bytes:
        """So many bytes. Raises EndedEarly, and whatever brings them."""
        found = bytearray()
        while len(found) < length:
            if not self._rest and not await self._more():
                raise EndedEarly(self.taken_bytes + len(found))
            wanted = length - len(found)
            found += self._rest[:wanted]
            self._rest = self._rest[wanted:]
        self.taken_bytes += length
        return bytes(found)

    async def parts(self, length: int) -> AsyncIterator[bytes]:
        """So many bytes, PIECE_BYTES at a time."""
        while length:
            part = await self.exactly(min(length, PIECE_BYTES))
            length -= len(part)
            yield part

    async def is_over(self) -> bool:
        """Whether nothing more comes."""
        return not self._rest and not await self._more()

    async def _more(self) -> bool:
        async for piece in self._pieces:
            if piece:
                self._rest = memoryview(piece)
                return True
        return False
