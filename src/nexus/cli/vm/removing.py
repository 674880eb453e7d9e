"""`vm delete`, and deleting whatever else takes an operation."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import typer

from nexus.cli.command import Tally, command
from nexus.cli.deleting import YesOption, require_consent
from nexus.cli.invocation import Cli
from nexus.cli.naming import Named
from nexus.cli.vm.subject import VmArguments, recorded, say_recorded, settle, the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout

if TYPE_CHECKING:
    from nexus.client.models import Accepted


def register(app: typer.Typer) -> None:
    @command(app, "delete", examples=("nexus vm delete web-1", "nexus vm delete --yes web-1 web-2"))
    def delete_vm(
        cli: Cli,
        vm: VmArguments,
        *,
        yes: YesOption = False,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Delete VMs, running or not, with their disks. At a terminal it asks first; in a script it does not."""
        targets = [the_vm(cli, one) for one in vm]
        require_consent(cli, targets, yes=yes, warning="What is on the disks is lost.")
        delete_and_watch(cli, targets, cli.client.vms.delete, no_wait=no_wait, timeout_s=timeout)


def delete_and_watch(
    cli: Cli, targets: Sequence[Named], delete: "Callable[[UUID], Accepted]", *, no_wait: bool, timeout_s: float
) -> None:
    """Have all deleted that may be, then see each through, unless nobody is to wait."""

    def see_gone(target: Named, answer: "Accepted") -> None:
        settle(cli, answer, label=f"Deleting {target.name}", timeout_s=timeout_s)
        cli.say(f"{target.name} is deleted.")

    tally = Tally(cli)
    accepted: list[tuple[Named, Accepted]] = []
    for target in targets:
        tally.attempt(lambda target=target: accepted.append((target, delete(target.id))))
    for target, answer in accepted:
        if no_wait:
            say_recorded(cli, name=target.name, operation_id=answer.operation_id)
        else:
            tally.attempt(lambda target=target, answer=answer: see_gone(target, answer))
    cli.result([recorded(name=one.name, vm_id=one.id, operation_id=answer.operation_id) for one, answer in accepted])
    tally.close()
