"""Bytes between the host and something in a guest: a port, a tree of files (docs/protocol/guest.md, Pipes).

A pipe is a stream of the channel itself, not a connection on `guest.sock`: only there an end can be told from a cut.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from nexus.agent.guest.answers import MAX_HEAD_BYTES, parse_head, trouble_of
from nexus.agent.guest.transport import ByteStream
from nexus.protocol.guest import Pipe
from nexus.protocol.trouble import Retryable

OPENING_TIMEOUT_S: Final = 15.0
"""A program in the guest has ten seconds to accept a connection."""
_SWITCHED: Final = 101


class PipeStream:
    """Each direction ends by itself. What breaks raises Retryable: nothing of a pipe can be taken up again."""

    def __init__(self, stream: ByteStream, *, begun: bytes) -> None:
        """`begun`: what has been read of it already."""
        self._stream = stream
        self._begun = begun

    async def receive(self) -> bytes:
        """At least one byte; none at the end of what the guest says."""
        if begun := self._begun:
            self._begun = b""
            return begun
        try:
            return await self._stream.read()
        except ConnectionError as lost:
            raise Retryable("the guest cut the pipe") from lost

    async def send(self, data: bytes) -> bool:
        """Whether the guest takes it; returns when it can take more. One that does not has said all it had to say."""
        try:
            await self._stream.write(data)
        except ConnectionError:
            return False
        return True

    def end(self) -> None:
        """Nothing more will be sent."""
        self._stream.write_eof()


@asynccontextmanager
async def open_pipe(
    opening: AbstractAsyncContextManager[ByteStream], pipe: Pipe, *, query: str
) -> AsyncGenerator[PipeStream]:
    """A pipe over the stream that `opening` gives; `query` is what docs/protocol/guest.md has for this one.

    Raises Refused when there is no such thing in the guest, Retryable when the guest does not answer."""
    try:
        async with opening as stream:
            async with asyncio.timeout(OPENING_TIMEOUT_S):
                begun = await _ask(stream, f"/v1/pipes/{pipe}?{query}")
            yield PipeStream(stream, begun=begun)
    except TimeoutError as late:
        raise Retryable("the guest's agent did not answer in time") from late
    except ConnectionError as lost:
        raise Retryable("the guest's agent is not there") from lost


async def _ask(stream: ByteStream, path: str) -> bytes:
    """Upgrade; what came behind the answer's head."""
    head = f"GET {path} HTTP/1.1\r\nHost: guest\r\nConnection: Upgrade\r\nUpgrade: nexus-pipe\r\n\r\n"
    await stream.write(head.encode("ascii"))
    answer, rest = await _until(stream, b"\r\n\r\n")
    try:
        status, headers = parse_head(answer)
        length = int(headers.get("content-length", "0"))
    except (ValueError, LookupError) as unfit:
        raise Retryable("the guest's agent answered with a head that makes no sense") from unfit
    if status == _SWITCHED:
        return rest
    while len(rest) < min(length, MAX_HEAD_BYTES) and (more := await stream.read()):
        rest += more
    raise trouble_of(status, rest[:MAX_HEAD_BYTES])


async def _until(stream: ByteStream, mark: bytes) -> tuple[bytes, bytes]:
    got = b""
    while mark not in got:
        if len(got) > MAX_HEAD_BYTES or not (more := await stream.read(MAX_HEAD_BYTES)):
            raise Retryable("the guest's agent answered with a head that makes no sense")
        got += more
    head, _, rest = got.partition(mark)
    return head, rest
