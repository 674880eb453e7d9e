"""One request over a stream straight to the guest, for what is asked of every guest all the time: a whole HTTP client,
its Unix socket and the relay behind it cost ten times as much.

What must stay true: as in `client`, what comes is not believed: nothing longer than an answer may be, nothing but a
Trouble is raised.
"""

import asyncio
import re
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from nexus.agent.guest.transport import ByteStream
from nexus.protocol.trouble import Retryable

_M = TypeVar("_M", bound=BaseModel)
MAX_ANSWER_BYTES: Final = 256 << 10
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


async def ask(kind: type[_M], stream: ByteStream, path: str, *, timeout_s: float, body: BaseModel | None = None) -> _M:
    """What the guest answers to `GET path`, or to a POST of `body`. Raises Retryable when nothing fitting came in
    time."""
    method, sent = ("GET", b"") if body is None else ("POST", body.model_dump_json().encode())
    try:
        async with asyncio.timeout(timeout_s):
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: guest\r\nConnection: close\r\nContent-Length: {len(sent)}\r\n\r\n"
            )
            await stream.write(head.encode() + sent)
            stream.write_eof()
            answer = await _answer(stream)
    except (OSError, TimeoutError) as lost:
        raise Retryable("the guest's agent did not answer in time") from lost
    try:
        return kind.model_validate_json(answer)
    except ValidationError as unfit:
        raise Retryable(f"the guest's agent answered {path} with something else") from unfit


async def _answer(stream: ByteStream) -> bytes:
    """The body of an answer of status 200 that says its length."""
    received = bytearray()
    end = length = -1
    while end < 0 or len(received) < end + length:
        part = await stream.read()
        received += part
        if not part or len(received) > MAX_ANSWER_BYTES:
            raise Retryable("the guest's agent broke off its answer, or it was too long")
        if end < 0 and (found := received.find(_HEAD_END)) >= 0:
            head = bytes(received[: found + 2])
            told = _LENGTH.search(head)
            if told is None or head.split(b" ", 2)[1:2] != [b"200"]:
                raise Retryable("the guest's agent refused to answer")
            end, length = found + len(_HEAD_END), int(told[1])
    return bytes(received[end : end + length])
