"""Deleting cannot be taken back, so a person is asked first.

Only a person: where standard input is no terminal nobody could answer, and a script that says "delete web-1" means it,
as with rm, docker or kubectl.
"""

from collections.abc import Callable, Sequence
from typing import Annotated
from uuid import UUID

import typer

from nexus.cli.command import Tally
from nexus.cli.failures import REFUSED, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.naming import Named

YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]


def require_consent(cli: Cli, targets: Sequence[Named], *, yes: bool, warning: str = "") -> None:
    """Ask whether these may go, with what is lost by it; raises CliFailure for a no."""
    names = ", ".join(target.name for target in targets)
    if not yes and cli.is_interactive and not cli.confirm(f"Delete {names}? {warning}".rstrip()):
        raise CliFailure("Nothing was deleted.", exit_code=REFUSED)


def delete_each(cli: Cli, targets: Sequence[Named], delete: Callable[[UUID], object]) -> None:
    """Delete one after another what is gone at once; one that is refused does not keep the rest."""

    def remove(target: Named) -> None:
        delete(target.id)
        cli.say(f"{target.name} is deleted.")

    tally = Tally(cli)
    for target in targets:
        tally.attempt(lambda target=target: remove(target))
    tally.close()
