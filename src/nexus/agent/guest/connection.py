"""One connection to a QEMU chardev socket: the handshake, and the streams of the session behind it.

virtio-serial is not a connection (docs/protocol/guest.md), so nothing read before the echo of our newest nonce is
believed, and a session ends with the first byte that makes no sense. A session can end while the socket stays: then
`hello` begins the next one on the same socket.
"""

import array
import asyncio
import fcntl
import os
import socket as sockets
import termios
from typing import cast

from nexus.agent.guest.frames import (
    FILLER,
    NONCE_BYTES,
    Desynchronized,
    EchoFinder,
    FrameReader,
    FrameType,
    MuxFrame,
    encode,
)
from nexus.agent.guest.stream import MuxStream


class MuxConnection(asyncio.Protocol):
    """`hello()`, wait for `answered`, `open()` streams, wait for `ended`; then `hello()` again unless `is_closed`."""

    def __init__(self, *, greeting: bytes = b"") -> None:
        """`greeting`: what its nonces begin with, so that only who waits for that answers."""
        self._greeting = greeting
        self.is_closed = False
        self.answered = asyncio.Event()
        self.ended = asyncio.Event()
        self.why_ended = ""
        self.received_bytes = 0
        self.discarded_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._streams: dict[int, MuxStream] = {}
        self._next_number = 1
        self._finder: EchoFinder | None = None
        self._reader = FrameReader()

    def hello(self) -> None:
        """End the session there was, and ask the guest for a new one."""
        self._end("a new session begins")
        self.answered.clear()
        self.ended.clear()
        self._next_number = 1
        self._reader = FrameReader()
        nonce = self._greeting + os.urandom(NONCE_BYTES - len(self._greeting))
        self._finder = EchoFinder(nonce)
        self._write(FILLER + encode(FrameType.HELLO, 0, nonce))

    def ping(self) -> None:
        """Ask for a sign of life: the guest sends the frame back."""
        self.send(FrameType.PING, 0, b"")

    def open(self) -> MuxStream:
        """A new stream. Raises ConnectionResetError when there is no session."""
        if not self.answered.is_set():
            raise ConnectionResetError("the guest's agent is not there")
        number = self._next_number
        self._next_number += 1
        stream = MuxStream(number, send=self.send, writable=self._writable.wait, forget=self._forget)
        self._streams[number] = stream
        self.send(FrameType.OPEN, number, b"")
        return stream

    def send(self, kind: FrameType, number: int, payload: bytes | memoryview) -> None:
        self._write(encode(kind, number, payload))

    def has_unread_bytes(self) -> bool:
        """Whether what we wrote still waits outside the guest, because it has not opened its port yet."""
        if self._transport is None or self.is_closed:
            return False
        if self._transport.get_write_buffer_size():
            return True
        socket = cast(sockets.socket, self._transport.get_extra_info("socket"))
        waiting = array.array("i", [0])
        fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, waiting)
        return waiting[0] > 0

    def give_up(self, why: str) -> None:
        """End the session on our side: its guest is silent."""
        self._end(why)

    def abort(self) -> None:
        """Drop the socket at once."""
        self._end("closed")
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self._finder is not None:
            rest = self._finder.feed(data)
            if rest is None:
                return
            self.discarded_bytes += self._finder.discarded_bytes
            self._finder = None
            self.answered.set()
            data = rest
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except Desynchronized as header:
            self._end(f"bytes that are no frame: {header}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._writable.set()
        self._end("the machine's channel closed")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _take(self, frame: MuxFrame) -> None:
        if frame.type is FrameType.HELLO:
            raise Desynchronized("HELLO inside a session")
        if frame.type is FrameType.RST and frame.stream == 0:
            self._end("the guest's agent has started anew")
        elif stream := self._streams.get(frame.stream):
            stream.feed(frame.type, frame.payload)

    def _end(self, why: str) -> None:
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.die()
        self.answered.clear()
        if not self.ended.is_set():
            self.why_ended = why
            self.ended.set()

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.is_closed:
            self._transport.write(data)
