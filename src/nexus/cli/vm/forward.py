"""`vm forward`: ports of a guest on this machine, through the guest's own channel."""

from typing import Annotated

import typer

from nexus.cli.command import command
from nexus.cli.failures import INTERRUPTED, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import VmArgument, the_vm

_PORTS = range(1, 65536)


def register(app: typer.Typer) -> None:
    @command(
        app,
        "forward",
        examples=(
            "nexus vm forward web-1 8080:80",
            "nexus vm forward db-1 5432 9090:9090",
            "nexus vm forward web-1 0:80        # any free port here; it is printed",
        ),
    )
    def forward_ports(
        cli: Cli,
        vm: VmArgument,
        port: Annotated[
            list[str], typer.Argument(metavar="[LOCAL:]PORT", help="A port here and one in the guest. Repeatable.")
        ],
        *,
        bind: Annotated[
            str, typer.Option(metavar="ADDRESS", help="Listen there; whoever reaches it reaches the guest.")
        ] = "127.0.0.1",
    ) -> None:
        """Reach TCP ports of a VM from here, until Ctrl-C. Needs neither a network in the guest nor rights here."""
        import asyncio

        from nexus.cli.vm.forwarding import Forwarding

        wanted = [_ports(one) for one in port]
        target = the_vm(cli, vm)
        forwarding = Forwarding(transport=cli.client.transport, vm_id=target.id, vm=target.name, say=cli.say)
        try:
            asyncio.run(forwarding.run(wanted, bind=bind))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _ports(text: str) -> tuple[int, int]:
    local, _, remote = text.rpartition(":")
    if not remote.isdecimal() or not (local.isdecimal() or not local) or text.startswith(":"):
        raise CliFailure(f"{text!r} is no pair of ports.", suggestion="Write it like 8080:80.", exit_code=USAGE)
    here, there = int(local or remote), int(remote)
    if there not in _PORTS or here > _PORTS[-1]:
        raise CliFailure(f"{text!r}: ports go from 1 to 65535.", exit_code=USAGE)
    return here, there
