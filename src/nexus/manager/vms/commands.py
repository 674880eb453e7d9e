"""Running one command in a guest and answering with all that it said: `POST /v1/vms/{id}/exec`."""

import asyncio
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from nexus.kit.fields import RequestBody, Spelled
from nexus.manager.access import Actor
from nexus.manager.agents.sessions import SessionStream
from nexus.manager.labels import UserName
from nexus.manager.vms.guest import Guests, Reached, told
from nexus.manager.vms.lifecycle import Verb, wording
from nexus.protocol.guest import Frame, SessionExit, SessionKind, SessionRequest, TerminalSize
from nexus.protocol.trouble import Retryable

MOST_OUTPUT_BYTES = 1 << 20
"""Of each stream; what comes after it is read and dropped."""
_SLACK_S = 15.0
"""How much longer than the command's own time limit its answer may take."""

Word = Annotated[str, StringConstraints(max_length=65536, pattern=r"^[^\x00]*$")]
EnvName = Annotated[
    str, Spelled(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$", "at most 128 letters, digits and _, with a letter or _ first")
]


class CommandBody(RequestBody):
    """A command to run in a guest: `argv`, or `command` for its shell."""

    argv: list[Word] = Field(default=[], max_length=1024, description="The program and its arguments")
    command: Word | None = Field(default=None, description="Instead of argv: a line for `sh -c`")
    user: UserName | None = Field(default=None, description="Run as; without it the VM's user")
    cwd: Annotated[str, StringConstraints(max_length=4096, pattern=r"^/[^\x00]*$")] | None = Field(
        default=None, description="Absolute directory to run in; without it the user's home"
    )
    env: dict[EnvName, Word] = Field(default={}, max_length=256, description="Added to its environment")

    @model_validator(mode="after")
    def _one_command(self) -> "CommandBody":
        if bool(self.argv) == (self.command is not None):
            raise ValueError("give either argv or command")
        if self.argv and not self.argv[0]:
            raise ValueError("argv[0] names no program")
        return self

    def request(
        self, *, kind: SessionKind, timeout_s: float | None, size: TerminalSize | None = None
    ) -> SessionRequest:
        """The session that runs it."""
        return SessionRequest(
            kind=kind,
            argv=tuple(self.argv) or ("/bin/sh", "-c", self.command or ""),
            user=self.user,
            cwd=self.cwd,
            env=self.env,
            timeout_ms=None if timeout_s is None else max(1, round(timeout_s * 1000)),
            size=size,
        )


class ExecBody(CommandBody):
    """A command with its input, to be run to its end."""

    stdin: str = Field(default="", max_length=MOST_OUTPUT_BYTES, description="Its standard input")
    timeout_s: float = Field(
        default=60, gt=0, le=3600, description="Kill it and all it started after this many seconds"
    )


class ExecResult(BaseModel):
    """What became of a command."""

    exit_code: int = Field(description="As a shell gives it: 128 + signal number when it was killed")
    stdout: str = Field(description="At most 1 MiB; bytes that are no UTF-8 are replaced")
    stderr: str = Field(description="At most 1 MiB; bytes that are no UTF-8 are replaced")
    truncated: bool = Field(description="Whether there was more output than that")
    timed_out: bool = Field(description="Whether it was killed at its time limit")


class _Kept:
    """The beginning of an output."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.is_truncated = False

    def add(self, payload: bytes) -> None:
        room = MOST_OUTPUT_BYTES - len(self._bytes)
        self._bytes += payload[:room]
        self.is_truncated = self.is_truncated or len(payload) > room

    def text(self) -> str:
        return self._bytes.decode(errors="replace")


async def run(guests: Guests, actor: Actor, vm_id: UUID, body: ExecBody) -> ExecResult:
    """Run a command in the guest to its end. Raises VmStateConflict, or as_problem's for a guest that will not."""
    reached = await guests.reach(actor, vm_id, verb=Verb.EXEC)
    request = body.request(kind=SessionKind.EXEC, timeout_s=body.timeout_s)
    limit_s = body.timeout_s + _SLACK_S
    async with told(wording(Verb.EXEC, reached.vm.name)):
        session_id = await guests.open_session(actor, reached, Verb.EXEC, request)
        try:
            async with asyncio.timeout(limit_s):
                return await _converse(reached, session_id, body.stdin.encode())
        except TimeoutError as late:
            await reached.agent.discard_session(reached.vm.machine.id, session_id)
            raise Retryable(f"the guest did not end it within {limit_s:.0f} s") from late


async def _converse(reached: Reached, session_id: str, stdin: bytes) -> ExecResult:
    out, err = _Kept(), _Kept()
    ended = SessionExit(code=-1)
    async with reached.agent.session(reached.vm.machine.id, session_id, offset=0) as stream:
        feeding = asyncio.create_task(_feed(stream, stdin))
        try:
            async for frame, payload in stream.frames():
                if frame is Frame.OUTPUT:
                    out.add(payload)
                elif frame is Frame.ERROR_OUTPUT:
                    err.add(payload)
                elif frame is Frame.EXIT:
                    ended = SessionExit.model_validate_json(payload)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
    return ExecResult(
        exit_code=ended.code,
        stdout=out.text(),
        stderr=err.text(),
        truncated=out.is_truncated or err.is_truncated,
        timed_out=ended.timed_out,
    )


async def _feed(stream: SessionStream, stdin: bytes) -> None:
    """Give a command its input while its output is being read: either may wait for the other."""
    if stdin:
        await stream.send(Frame.INPUT, stdin)
    await stream.send(Frame.END_OF_INPUT)
