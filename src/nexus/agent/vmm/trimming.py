"""Keeps the logs of running VMMs bounded, each machine's console as its definition says."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from nexus.agent.vmm import logs
from nexus.kit import log

_log = log.get("nexus.agent.vmm")

TRIM_INTERVAL_S = 10.0


class Trimmer:
    """`consoles` and `own_logs`: where a machine's serial console and its VMM's own log are."""

    def __init__(self, *, console: Callable[[UUID], Path], own_log: Callable[[UUID], Path]) -> None:
        self._console = console
        self._own_log = own_log
        self._keep: dict[UUID, int] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, machine: UUID, keep_bytes: int | None) -> None:
        """Trim this machine's logs from now on, leaving so much of its console (None: `logs.KEEP_BYTES`)."""
        self._keep[machine] = keep_bytes or logs.KEEP_BYTES
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def forget(self, machine: UUID) -> None:
        self._keep.pop(machine, None)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def trim(self) -> None:
        """All of them, once."""
        for machine, keep_bytes in self._keep.items():
            self._trim(machine, [(self._console(machine), keep_bytes), (self._own_log(machine), logs.KEEP_BYTES)])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TRIM_INTERVAL_S)
            self.trim()

    @staticmethod
    def _trim(machine: UUID, files: Sequence[tuple[Path, int]]) -> None:
        for path, keep_bytes in files:
            try:
                logs.trim(path, keep_bytes=keep_bytes)
            except OSError as refused:
                _log.warning("log_not_trimmed", machine_id=str(machine), why=str(refused))
