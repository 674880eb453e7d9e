"""`vm bulk`: one verb for many VMs, named or found, with what became of each."""

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli.command import command
from nexus.cli.completing import vm_names
from nexus.cli.deleting import YesOption
from nexus.cli.failures import REFUSED, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format
from nexus.cli.vm.subject import the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout, watch_to_end

if TYPE_CHECKING:
    from nexus.client.models import Bulk, BulkItem


class BulkVerb(StrEnum):
    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"


_COLUMNS: "list[Column[BulkItem]]" = [
    Column("NAME", lambda item: item.name or item.vm_id),
    Column("STATUS", lambda item: item.status),
    Column("WHY", lambda item: item.error.error if item.error else None),
]


def register(app: typer.Typer) -> None:
    @command(
        app,
        "bulk",
        examples=(
            "nexus vm bulk stop --tag staging",
            "nexus vm bulk start web-1 web-2 web-3",
            "nexus vm bulk delete --state error --yes",
        ),
    )
    def bulk_vms(
        cli: Cli,
        verb: Annotated[BulkVerb, typer.Argument(metavar="VERB", help="start, stop, pause, resume or delete.")],
        vm: Annotated[
            list[str] | None, typer.Argument(metavar="VM", help="Names or ids.", autocompletion=vm_names)
        ] = None,
        *,
        tag: Annotated[
            list[str] | None, typer.Option(metavar="TAG", help="Those with this tag; repeated, with all of them.")
        ] = None,
        state: Annotated[
            list[str] | None, typer.Option(metavar="STATE", help="Those in this state; repeatable.")
        ] = None,
        search: Annotated[
            str | None, typer.Option("-q", "--search", metavar="TEXT", help="Those with this in name or description.")
        ] = None,
        grace: Annotated[
            int | None,
            typer.Option(metavar="SECONDS", min=0, max=600, help="With stop: how long each guest may take."),
        ] = None,
        yes: YesOption = False,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Start, stop, pause, resume or delete many VMs at once: those named, or those found.

        One that is refused keeps none of the others. One that is already there is left alone (unchanged).
        """
        meant = {"q": search, "state": state or None, "tag": tag or None}
        found = {field: value for field, value in meant.items() if value is not None}
        if bool(vm) == bool(found):
            raise CliFailure("Say which VMs: by name, or by --tag, --state or --search.", exit_code=USAGE)
        named = ", ".join(vm) if vm else " and ".join(_said(meant))
        question = f"Delete all of these VMs ({named}), with what is on their disks?"
        if verb is BulkVerb.DELETE and not yes and cli.is_interactive and not cli.confirm(question):
            raise CliFailure("Nothing was deleted.", exit_code=REFUSED)
        ids = [the_vm(cli, one).id for one in vm] if vm else None
        accepted = cli.client.vms.bulk(verb.value, ids=ids, filter=found or None, grace_s=grace)
        if not no_wait and accepted.operation_id:
            watch_to_end(cli, accepted.operation_id, label=f"{verb} of {accepted.bulk.total}", timeout_s=timeout)
        _tell(cli, cli.client.vms.get_bulk(accepted.bulk.id))


def _said(meant: dict[str, str | list[str] | None]) -> list[str]:
    """A filter in words: `tag web`, `state stopped or error`, `name or description with 'db'`."""
    said: list[str] = []
    if meant["q"]:
        said.append(f"name or description with {meant['q']!r}")
    said += [f"state {' or '.join(meant['state'])}"] if meant["state"] else []
    said += [f"tag {tag}" for tag in meant["tag"] or ()]
    return said


def _tell(cli: Cli, bulk: "Bulk") -> None:
    if cli.format is Format.TABLE:
        cli.list(list(bulk.items), _COLUMNS, empty="No VM matches.")
    else:
        cli.result(bulk)
    counts = Counter(item.status for item in bulk.items)
    if counts["failed"]:
        raise CliFailure(f"{counts['failed']} of {bulk.total} VMs did not {bulk.verb}.", exit_code=REFUSED)
