"""Shells and commands as a manager would offer them, run here: real processes, one of them on a real terminal.

A shell outlives its connection and is found again by id and offset, as the API promises.
"""

import asyncio
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
from dataclasses import dataclass, field
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

_STANDARD_OUTPUT, _STANDARD_ERROR = b"\x01", b"\x02"


@dataclass
class GuestShell:
    """`talk` is the handler of `shell/ws`. `hang_up` drops the connection that is there."""

    argv: list[str] = field(default_factory=lambda: ["sh"])
    output: bytearray = field(default_factory=bytearray)
    resizes: list[tuple[int, int]] = field(default_factory=lambda: list[tuple[int, int]]())
    signals: list[int] = field(default_factory=lambda: list[int]())
    connections: int = 0
    refuses: bool = False
    _fd: int = -1
    _has_ended: bool = False
    _process: "subprocess.Popen[bytes] | None" = None
    _drop: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    async def talk(self, socket: WebSocket) -> None:
        if self.refuses:
            gone = {"error": "The shell is gone.", "status": 404, "code": "not_found", "request_id": "req-8"}
            await socket.send_json({"type": "error"} | gone)
            return
        self.connections += 1
        self._loop = asyncio.get_running_loop()
        self._drop = asyncio.Event()
        query = socket.query_params
        if query.get("session") != "s1":
            self._start(rows=int(query["rows"]), cols=int(query["cols"]))
        offset = int(query.get("offset", 0))
        await socket.send_json({"type": "session", "id": "s1", "offset": offset})
        tasks = [
            asyncio.create_task(one) for one in (self._hear(socket), self._tell(socket, offset), self._drop.wait())
        ]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks[2] in done:
            await socket.close(1011)

    def hang_up(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._drop.set)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            os.close(self._fd)

    def _start(self, *, rows: int, cols: int) -> None:
        self._fd, inner = pty.openpty()
        self._resize(cols=cols, rows=rows)
        environment = {"PATH": os.environ["PATH"], "PS1": "guest$ "}
        self._process = subprocess.Popen(
            self.argv, stdin=inner, stdout=inner, stderr=inner, start_new_session=True, env=environment,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(inner)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._has_ended = True
        self.output += data

    def _resize(self, *, cols: int, rows: int) -> None:
        self.resizes.append((cols, rows))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    async def _hear(self, socket: WebSocket) -> None:
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if data := message.get("bytes"):
                    os.write(self._fd, data)
                elif (said := json.loads(message.get("text") or "{}"))["type"] == "resize":
                    self._resize(cols=said["cols"], rows=said["rows"])
                elif said["type"] == "eof":
                    os.write(self._fd, b"\x04")
                elif said["type"] == "signal" and self._process is not None:
                    self.signals.append(said["signal"])
                    os.killpg(self._process.pid, said["signal"])
        except WebSocketDisconnect:
            return

    async def _tell(self, socket: WebSocket, offset: int) -> None:
        assert self._process is not None
        while not self._has_ended or offset < len(self.output):
            if offset < len(self.output):
                data = bytes(self.output[offset : offset + 1000])
                await socket.send_bytes(data)
                offset += len(data)
            else:
                await asyncio.sleep(0.005)
        await socket.send_json({"type": "exit", "code": await asyncio.to_thread(self._process.wait)})
        await socket.close()


@dataclass
class GuestExec:
    """`talk` is the handler of `exec/ws`: runs the command here, as a process group of its own."""

    requests: list[dict[str, Any]] = field(default_factory=lambda: list[dict[str, Any]]())
    signals: list[int] = field(default_factory=lambda: list[int]())

    async def talk(self, socket: WebSocket) -> None:
        request = await socket.receive_json()
        self.requests.append(request)
        pipe = asyncio.subprocess.PIPE
        try:
            child = await asyncio.create_subprocess_exec(
                *request["argv"], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except FileNotFoundError:
            await socket.send_json({"type": "exit", "code": 127})
            return
        hearing = asyncio.create_task(self._hear(socket, child))
        try:
            await asyncio.gather(
                _pump(child.stdout, socket, _STANDARD_OUTPUT), _pump(child.stderr, socket, _STANDARD_ERROR)
            )
            code = await child.wait()
            await socket.send_json({"type": "exit", "code": code if code >= 0 else 128 - code})
            await socket.close()
        except WebSocketDisconnect:
            child.kill()
        finally:
            hearing.cancel()

    async def _hear(self, socket: WebSocket, child: asyncio.subprocess.Process) -> None:
        assert child.stdin
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            if data := message.get("bytes"):
                child.stdin.write(data)
                await child.stdin.drain()
                continue
            said = json.loads(message.get("text") or "{}")
            if said["type"] == "eof":
                child.stdin.close()
            elif said["type"] == "signal":
                self.signals.append(said["signal"])
                os.killpg(child.pid, signal.Signals(said["signal"]))


async def _pump(stream: asyncio.StreamReader | None, socket: WebSocket, which: bytes) -> None:
    assert stream
    while data := await stream.read(65536):
        await socket.send_bytes(which + data)
