"""Waiting for an operation in front of a person, or in a script.

At a terminal a spinner shows the stage and the time; elsewhere each new stage is a line. Ctrl-C ends the waiting, never
the operation.
"""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Protocol
from uuid import UUID

import typer

from nexus.cli.failures import INTERRUPTED, REFUSED, CliFailure
from nexus.cli.invocation import Cli

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from nexus.client.models import Operation

NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as the platform has recorded the wish.")]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0,
        show_default=False,
        help="Wait no longer than this (default: 300). The operation goes on.",
    ),
]
TIMEOUT_S = 300.0

_POLL_S = 1
"""How long the manager holds one question: a new stage shows after at most this long, the end at once."""


class Teller(Protocol):
    def tell(self, stage: str) -> None: ...


class _Lines:
    """For logs and pipes: a line whenever something changed."""

    def __init__(self, cli: Cli, label: str) -> None:
        self._cli = cli
        self._label = label
        self._told = ""

    def tell(self, stage: str) -> None:
        if stage and stage != self._told:
            self._cli.say(f"{self._label}: {stage}")
            self._told = stage


class _Spinner:
    def __init__(self, progress: "Progress", task: "TaskID", label: str) -> None:
        self._progress = progress
        self._task = task
        self._label = label

    def tell(self, stage: str) -> None:
        self._progress.update(self._task, description=f"{self._label}: {stage}" if stage else self._label)


@contextmanager
def teller(cli: Cli, label: str) -> Generator[Teller]:
    """Where progress goes while the block runs; nothing of it stays on a terminal."""
    if not sys.stderr.isatty():
        yield _Lines(cli, label)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Spinner(progress, progress.add_task(escape(label)), label)


def follow(cli: Cli, operation_id: UUID, *, label: str, timeout_s: float) -> "Operation":
    """Wait until the operation has ended well, and return it.

    Raises ApiError with the operation's own error if it failed, CliFailure if it was superseded, if `timeout_s` is
    over, or if the person interrupts.
    """
    return _kept(watch_to_end(cli, operation_id, label=label, timeout_s=timeout_s), label)


def watch_to_end(cli: Cli, operation_id: UUID, *, label: str, timeout_s: float) -> "Operation":
    """Wait until the operation has ended, however. Raises CliFailure if `timeout_s` is over, or if the person
    interrupts."""
    deadline = time.monotonic() + timeout_s
    try:
        with teller(cli, label) as told:
            operation = cli.client.operations.get(operation_id)
            while operation.status == "running":
                told.tell(operation.stage or "")
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise CliFailure(
                        f"{label}: not finished after {timeout_s:g} s. It goes on.",
                        suggestion=_watch_it(operation_id),
                        exit_code=REFUSED,
                    )
                operation = cli.client.operations.get(operation_id, wait_s=min(_POLL_S, max(1, int(left_s))))
    except KeyboardInterrupt:
        raise CliFailure(
            f"{label}: no longer waiting. The operation goes on.",
            suggestion=_watch_it(operation_id),
            exit_code=INTERRUPTED,
        ) from None
    return operation


def _kept(operation: "Operation", label: str) -> "Operation":
    from nexus.client.errors import ApiError

    if operation.status == "failed" and operation.error:
        raise ApiError(operation.error)
    if operation.status == "failed":
        raise CliFailure(f"{label}: failed, and the platform gave no reason.", exit_code=REFUSED)
    if operation.status == "superseded":
        raise CliFailure(
            f"{label}: overtaken by a later request for {operation.subject_name}.",
            suggestion="`nexus operation list` shows what was asked for.",
            exit_code=REFUSED,
        )
    return operation


def _watch_it(operation_id: UUID) -> str:
    return f"Watch it with: nexus operation watch {operation_id}"
