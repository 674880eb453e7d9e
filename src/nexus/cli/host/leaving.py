"""`host cordon`, `uncordon`, `drain`, `abandon` and `delete`: taking a host out of use, for a while or for good."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nexus.cli.command import command
from nexus.cli.completing import host_names
from nexus.cli.deleting import YesOption, delete_each, require_consent
from nexus.cli.failures import REFUSED, CliFailure
from nexus.cli.host.subject import HostArgument, the_host
from nexus.cli.invocation import Cli
from nexus.cli.output import Column, Format
from nexus.cli.vm.subject import say_recorded
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout, follow

if TYPE_CHECKING:
    from nexus.client.models import Host, Operation

_WORDS = {"was_off": "was off already", "deleted": "is deleted"}
Told = dict[str, Any]


def register(app: typer.Typer) -> None:
    @command(app, "cordon", examples="nexus host cordon lab-2")
    def cordon_host(cli: Cli, host: HostArgument) -> None:
        """Let a host take no new VMs, nor start those that are off. What runs on it runs on."""
        target = the_host(cli, host)
        cli.client.hosts.cordon(target.id)
        cli.say(f"{target.name} takes no new VMs.")

    @command(app, "uncordon", examples="nexus host uncordon lab-2")
    def uncordon_host(cli: Cli, host: HostArgument) -> None:
        """Let a cordoned host take VMs again. What was stopped to drain it stays off until somebody starts it."""
        target = the_host(cli, host)
        cli.client.hosts.uncordon(target.id)
        cli.say(f"{target.name} takes VMs again.")

    @command(app, "drain", examples=("nexus host drain lab-2 --stop", "nexus host drain lab-2 --stop --grace 120"))
    def drain_host(
        cli: Cli,
        host: HostArgument,
        *,
        stop: Annotated[bool, typer.Option("--stop", help="Needed: VMs cannot move, so they are stopped.")] = False,
        grace: Annotated[
            int, typer.Option(metavar="SECONDS", min=0, max=600, help="How long each guest may take to shut down.")
        ] = 30,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Empty a host for maintenance: it takes no new VMs, and every VM on it is stopped.

        They stay off. Afterwards: `nexus host uncordon`, and start them again.
        """
        if not stop:
            raise CliFailure(
                "VMs cannot move to another host, so draining one stops every VM on it.",
                suggestion=f"If that is meant: nexus host drain {host} --stop. See them with: nexus host vms {host}",
                exit_code=2,
            )
        target = the_host(cli, host)
        accepted = cli.client.hosts.drain(target.id, grace_s=grace)
        if no_wait or accepted.operation_id is None:
            say_recorded(cli, name=target.name, operation_id=accepted.operation_id)
            cli.result(accepted)
            return
        try:
            follow(cli, accepted.operation_id, label=f"Draining {target.name}", timeout_s=timeout)
        finally:
            _tell(cli, cli.client.operations.get(accepted.operation_id))
        cli.say(f"{target.name} is drained: no VM runs on it, and it takes none.")

    @command(
        app,
        "abandon",
        examples=("nexus host abandon lab-2", "nexus host abandon lab-2 --confirm lab-2   # in a script"),
    )
    def abandon_host(
        cli: Cli,
        host: HostArgument,
        *,
        confirm: Annotated[
            str | None, typer.Option("--confirm", metavar="NAME", help="The host's name, instead of typing it.")
        ] = None,
    ) -> None:
        """Give up a host that is lost for good, with every VM on it and their disks. It cannot be taken back.

        First make sure that it is off, or cut from the network: its VMs may still run there, and nobody can stop them
        from here. The host is refused from then on; its VMs can be deleted, and then the host.
        """
        target = the_host(cli, host)
        _require_name(cli, target, confirm)
        lost = cli.client.hosts.abandon(target.id, name=target.name)
        cli.say(f"{target.name} is given up, and {lost.vms} VM{'s' * (lost.vms != 1)} with it.")
        if lost.vms:
            cli.say(f"See them with: nexus host vms {target.name}")
        cli.result(lost)

    @command(app, "delete", examples=("nexus host delete lab-2", "nexus host delete --yes lab-2"))
    def delete_hosts(
        cli: Cli,
        host: Annotated[list[str], typer.Argument(metavar="HOST", help="Names or ids.", autocompletion=host_names)],
        *,
        yes: YesOption = False,
    ) -> None:
        """Remove hosts that no VM is on. What they joined with opens nothing any more; stop their agents too."""
        targets = [the_host(cli, one) for one in host]
        require_consent(cli, targets, yes=yes)
        delete_each(cli, targets, cli.client.hosts.delete)


def _tell(cli: Cli, operation: "Operation") -> None:
    """What became of each VM, also where not all went well."""
    if cli.format is not Format.TABLE:
        cli.result(operation)
        return
    if operation.result is None:
        return  # nobody has looked yet which VMs are on it
    vms: Sequence[Told] = operation.result.get("vms", [])
    columns: list[Column[Told]] = [
        Column("VM", lambda vm: vm["name"]),
        Column("BECAME", lambda vm: _WORDS.get(vm["outcome"], vm["outcome"])),
        Column("WHY", lambda vm: vm["why"]),
    ]
    cli.list(vms, columns, empty="No VM was on it.")


def _require_name(cli: Cli, target: "Host", confirm: str | None) -> None:
    """Raises CliFailure unless the host's name was given once more."""
    if confirm is None and cli.is_interactive:
        cli.say(f"{target.name} and all VMs on it are given up, with their disks. This cannot be taken back.")
        confirm = cli.ask("Type the host's name to go on")
    if confirm is None:
        raise CliFailure(
            "Giving up a host must be confirmed.", suggestion=f"Add: --confirm {target.name}", exit_code=REFUSED
        )
    if confirm != target.name:
        raise CliFailure(f"That is not its name, {target.name}. Nothing was changed.", exit_code=REFUSED)
