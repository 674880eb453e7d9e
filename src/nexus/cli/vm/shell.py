"""`vm shell`: a terminal in a guest, as if it were here.

The shell lives in the guest. When the connection drops, we come back to the same session at the byte we had reached,
and the person sees a notice, no more. The terminal comes back as it was whatever ends us.
"""

import typer

from nexus.cli.command import command
from nexus.cli.failures import OWN_FAILURE
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import VmArgument, the_vm


def register(app: typer.Typer) -> None:
    @command(
        app,
        "shell",
        failure_code=OWN_FAILURE,
        examples=("nexus vm shell web-1", "echo 'uptime; exit' | nexus vm shell web-1"),
    )
    def shell_in_vm(cli: Cli, vm: VmArgument) -> None:
        """Open a shell in a VM, as its user, without a password.

        Ends with the shell's own exit code. Enter ~ . disconnects and hangs up; Enter ~ d leaves it running, see vm
        terminal; Enter ~ ~ sends a tilde. A connection that drops is opened again where it was.
        """
        from nexus.cli.vm.terminal import Terminal

        target = the_vm(cli, vm)
        raise typer.Exit(Terminal(transport=cli.client.transport, vm_id=target.id, vm=target.name, say=cli.say).run())
