"""`vm start`, `stop`, `pause`, `resume`, `reboot`, `ctrl-alt-del`: each on one VM or on several at once."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli.command import Tally, command
from nexus.cli.invocation import Cli
from nexus.cli.output import Format
from nexus.cli.vm.subject import VmArgument, VmArguments, recorded, say_recorded, settle, the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout

if TYPE_CHECKING:
    from nexus.client.models import Accepted, Vm
    from nexus.client.vms import Verb


@dataclass(frozen=True, kw_only=True)
class Deed:
    """A verb, how it is told while it happens and when it has, and how long to stay for that."""

    verb: "Verb"
    doing: str
    done: str
    no_wait: bool
    timeout_s: float
    grace_s: int | None = None


def register(app: typer.Typer) -> None:
    @command(app, "start", examples=("nexus vm start web-1", "nexus vm start web-1 web-2 --no-wait"))
    def start_vm(cli: Cli, vm: VmArguments, *, no_wait: NoWait = False, timeout: Timeout = TIMEOUT_S) -> None:
        """Start VMs that are off, and wait until their guests answer."""
        deed = Deed(verb="start", doing="Starting", done="running", no_wait=no_wait, timeout_s=timeout)
        _do(cli, vm, deed)

    @command(app, "stop", examples=("nexus vm stop web-1", "nexus vm stop web-1 --grace 0"))
    def stop_vm(
        cli: Cli,
        vm: VmArguments,
        *,
        grace: Annotated[
            int | None,
            typer.Option(metavar="SECONDS", min=0, max=600, help="Seconds the guest may take before its power is cut."),
        ] = None,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Shut VMs down in order, and cut the power of one that does not go."""
        deed = Deed(verb="stop", doing="Stopping", done="stopped", no_wait=no_wait, timeout_s=timeout, grace_s=grace)
        _do(cli, vm, deed)

    @command(app, "pause", examples="nexus vm pause web-1")
    def pause_vm(cli: Cli, vm: VmArguments, *, no_wait: NoWait = False, timeout: Timeout = TIMEOUT_S) -> None:
        """Freeze running VMs; their memory stays."""
        _do(cli, vm, Deed(verb="pause", doing="Pausing", done="paused", no_wait=no_wait, timeout_s=timeout))

    @command(app, "resume", examples="nexus vm resume web-1")
    def resume_vm(cli: Cli, vm: VmArguments, *, no_wait: NoWait = False, timeout: Timeout = TIMEOUT_S) -> None:
        """Let paused or suspended VMs go on."""
        _do(cli, vm, Deed(verb="resume", doing="Resuming", done="running again", no_wait=no_wait, timeout_s=timeout))

    @command(app, "reboot", examples="nexus vm reboot web-1")
    def reboot_vm(cli: Cli, vm: VmArguments, *, no_wait: NoWait = False, timeout: Timeout = TIMEOUT_S) -> None:
        """Restart VMs in order, and wait until their guests answer again."""
        _do(cli, vm, Deed(verb="reboot", doing="Rebooting", done="running again", no_wait=no_wait, timeout_s=timeout))

    @command(app, "ctrl-alt-del", examples="nexus vm ctrl-alt-del web-1")
    def press_keys(cli: Cli, vm: VmArgument) -> None:
        """Press Ctrl+Alt+Del at a VM's keyboard; what happens is the guest's choice."""
        target = the_vm(cli, vm)
        cli.client.vms.act(target.id, "ctrl-alt-del")
        cli.say(f"{target.name}: Ctrl+Alt+Del pressed.")


def _do(cli: Cli, given: list[str], deed: Deed) -> None:
    """Ask for all, then wait for each: they happen side by side."""
    began = time.monotonic()
    targets = [the_vm(cli, one) for one in given]
    tally = Tally(cli)
    accepted: list[tuple[Vm, Accepted]] = []
    for vm in targets:
        tally.attempt(lambda vm=vm: accepted.append((vm, cli.client.vms.act(vm.id, deed.verb, grace_s=deed.grace_s))))
    if deed.no_wait:
        for vm, answer in accepted:
            say_recorded(cli, name=vm.name, operation_id=answer.operation_id)
        cli.result([recorded(name=vm.name, vm_id=vm.id, operation_id=answer.operation_id) for vm, answer in accepted])
    for vm, answer in accepted:
        if not deed.no_wait:
            tally.attempt(lambda vm=vm, answer=answer: _see_through(cli, vm, answer, deed, began=began))
    if not deed.no_wait and cli.format is not Format.TABLE:
        cli.result([cli.client.vms.get(vm.id) for vm, _ in accepted])
    tally.close()


def _see_through(cli: Cli, vm: "Vm", answer: "Accepted", deed: Deed, *, began: float) -> None:
    settle(cli, answer, label=f"{deed.doing} {vm.name}", timeout_s=deed.timeout_s)
    cli.say(f"{vm.name} is {deed.done} ({time.monotonic() - began:.1f} s).")
