"""The build's progress as a bar on standard error."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.text import Text


class _Amount(DownloadColumn):
    """Bytes, for the steps that count them."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.fields.get("counts_bytes") else Text()


class Bar:
    """A context manager and a `Progress`. Without a terminal it prints one line a step."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr)
        self._rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            _Amount(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Bar":
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._complete()
        self._rich.stop()

    def stage(self, name: str) -> None:
        self._complete()
        if not self._console.is_terminal:
            self._console.print(name)
        self._task = self._rich.add_task(name, total=None)

    def advance(self, done: int, total: int) -> None:
        assert self._task is not None, "a step begins before it advances"
        self._rich.update(self._task, completed=done, total=total, counts_bytes=True)

    def _complete(self) -> None:
        if self._task is not None:
            task = self._rich.tasks[self._task]
            self._rich.update(self._task, completed=task.total or 1, total=task.total or 1)
