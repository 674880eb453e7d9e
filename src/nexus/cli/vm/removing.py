"""`vm delete`."""

from typing import TYPE_CHECKING

import typer

from nexus.cli.command import Tally, command
from nexus.cli.deleting import YesOption, require_consent
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import VmArguments, recorded, settle, the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout

if TYPE_CHECKING:
    from nexus.client.models import Accepted, Vm


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
        _delete(cli, targets, no_wait=no_wait, timeout_s=timeout)


def _delete(cli: Cli, targets: "list[Vm]", *, no_wait: bool, timeout_s: float) -> None:
    tally = Tally(cli)
    accepted: list[tuple[Vm, Accepted]] = []
    for vm in targets:
        tally.attempt(lambda vm=vm: accepted.append((vm, cli.client.vms.delete(vm.id))))
    for vm, answer in accepted:
        if not no_wait:
            tally.attempt(lambda vm=vm, answer=answer: _see_through(cli, vm, answer, timeout_s=timeout_s))
    cli.result([recorded(name=vm.name, vm_id=vm.id, operation_id=answer.operation_id) for vm, answer in accepted])
    tally.close()


def _see_through(cli: Cli, vm: "Vm", answer: "Accepted", *, timeout_s: float) -> None:
    settle(cli, answer, label=f"Deleting {vm.name}", timeout_s=timeout_s)
    cli.say(f"{vm.name} is deleted.")
