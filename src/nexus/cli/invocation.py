"""One run of the CLI: what was asked for, the manager to talk to, and where words go.

Data goes to standard output, talk to standard error. Nothing here touches the network before `client` is used.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from nexus.cli import contexts, output
from nexus.cli.failures import CliFailure
from nexus.cli.output import Column, Format
from nexus.local.typed import as_typed

if TYPE_CHECKING:
    from nexus.client.api import Client
    from nexus.client.transport import Call

T = TypeVar("T")


@dataclass(kw_only=True)
class Cli:
    """What every command gets first."""

    format: Format = Format.TABLE
    debug: bool = False
    context: str | None = None

    @cached_property
    def target(self) -> contexts.Context:
        """The manager to talk to, and the session on it."""
        return contexts.effective(self.context)

    @cached_property
    def client(self) -> "Client":
        return self.client_of(self.target)

    def client_of(self, target: contexts.Context) -> "Client":
        """A client of `target`, whose calls show under --debug."""
        from nexus.client.api import Client
        from nexus.client.transport import Transport

        transport = Transport(url=target.url, token=target.token)
        if self.debug:
            transport.watch = self._show_call
        return Client(transport)

    def _show_call(self, call: "Call") -> None:
        sys.stderr.write(f"+ {as_curl(call)}\n")  # as it was sent: a `nexus` in it is data
        sys.stderr.flush()

    def say(self, words: str) -> None:
        """A line for the person, not part of the result."""
        sys.stderr.write(f"{as_typed(words)}\n")
        sys.stderr.flush()

    @property
    def is_interactive(self) -> bool:
        """Whether somebody is there to be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        """What the person types in one line."""
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip()

    def confirm(self, question: str) -> bool:
        """Ask, with no as the default."""
        return self.ask(f"{question} [y/N]").lower() in ("y", "yes")

    def list(self, rows: Sequence[T], columns: Sequence[Column[T]], *, empty: str) -> None:
        """Print a list as asked for; `empty` is what to say where a table would have no rows."""
        if self.format is not Format.TABLE:
            output.write(output.serialised(rows, self.format))
        elif rows:
            output.write(output.table(rows, columns, colour=output.may_colour(sys.stdout)))
        else:
            self.say(empty)

    def show(self, value: T, columns: Sequence[Column[T]]) -> None:
        """Print one object as asked for."""
        if self.format is Format.TABLE:
            output.write(output.record(value, columns, colour=output.may_colour(sys.stdout)))
        else:
            output.write(output.serialised(value, self.format))

    def result(self, value: object) -> None:
        """What a verb leaves behind, for programs; a person has been told in words."""
        if self.format is not Format.TABLE:
            output.write(output.serialised(value, self.format))


_SECRET_FIELDS = ("password", "current_password", "new_password", "user_data")


def as_curl(call: "Call") -> str:
    """The call as a command that could be pasted, but for its secrets."""
    import json

    words = ["curl", "-X", call.method, call.url]
    for name, value in call.headers.items():
        words += ["-H", f"{name}: {'Bearer $NEXUS_TOKEN' if name == 'Authorization' else value}"]
    if call.body is not None:
        # all of a VM's metadata is somebody's own, and may hold what nobody else is to read
        is_secret = call.url.endswith("/mmds")
        body = {name: "***" if is_secret or name in _SECRET_FIELDS else value for name, value in call.body.items()}
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return shlex.join(words).replace("'Authorization: Bearer $NEXUS_TOKEN'", '"Authorization: Bearer $NEXUS_TOKEN"')


def from_stdin(*, prompt: str) -> str:
    """A secret from the first line of standard input, or typed unseen at a terminal. Never from the command line."""
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"{prompt}: ", stream=sys.stderr)
    secret = sys.stdin.readline().rstrip("\n")
    if not secret:
        raise CliFailure(f"{prompt}: nothing came on standard input.", exit_code=2)
    return secret
