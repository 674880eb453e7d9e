"""`vm clone` and `vm suspend`: what snapshots do that nobody sees."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from nexus.cli.command import command
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import VmArgument, recorded, say_recorded, settle, the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout, follow

MOST_NAMED = 10


def register(app: typer.Typer) -> None:
    @command(app, "clone", examples=("nexus vm clone web-1 web-2", "nexus vm clone web-1 worker --count 10"))
    def clone_vm(
        cli: Cli,
        vm: VmArgument,
        name: Annotated[
            str | None, typer.Argument(metavar="NAME", help="Of the clone; of several, -1, -2 … is put behind it.")
        ] = None,
        *,
        count: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="How many.")] = 1,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Make VMs like this one as it is now, running or off. It is left as it is."""
        began = time.monotonic()
        target = the_vm(cli, vm)
        cloned = cli.client.snapshots.clone(target.id, name=name, count=count)
        names = _named([item.name for item in cloned.items])
        if no_wait:
            say_recorded(cli, name=names, operation_id=cloned.operation_id)
            cli.result([recorded(name=i.name, vm_id=i.id, operation_id=i.operation_id) for i in cloned.items])
            return
        if cloned.operation_id:
            follow(cli, cloned.operation_id, label=f"Cloning {target.name}", timeout_s=timeout)
        are = "is" if len(cloned.items) == 1 else "are"
        cli.say(f"{names} {are} running ({time.monotonic() - began:.1f} s).")
        cli.result([cli.client.vms.get(item.id) for item in cloned.items])

    @command(app, "suspend", examples=("nexus vm suspend web-1", "nexus vm resume web-1"))
    def suspend_vm(cli: Cli, vm: VmArgument, *, no_wait: NoWait = False, timeout: Timeout = TIMEOUT_S) -> None:
        """Keep a VM on disk as it is, and free its memory. It goes on when it is started or resumed."""
        began = time.monotonic()
        target = the_vm(cli, vm)
        accepted = cli.client.snapshots.suspend(target.id)
        if no_wait:
            say_recorded(cli, name=target.name, operation_id=accepted.operation_id)
            cli.result(recorded(name=target.name, vm_id=target.id, operation_id=accepted.operation_id))
            return
        settle(cli, accepted, label=f"Suspending {target.name}", timeout_s=timeout)
        cli.say(f"{target.name} is suspended ({time.monotonic() - began:.1f} s). Go on: nexus vm resume {target.name}")
        cli.result(cli.client.vms.get(target.id))


def _named(names: Sequence[str]) -> str:
    """In a sentence, which a hundred names are not."""
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{names[0]} … {names[-1]} ({len(names)} VMs)"
