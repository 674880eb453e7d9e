"""`vm exec`: one command in a guest, as if it ran here.

Standard output and error stay apart and unchanged; standard input goes along when it is a pipe or a file (with `-i`
also from a terminal); signals are passed on; the exit code is the guest's.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from nexus.cli.command import command
from nexus.cli.failures import OWN_FAILURE, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import VmArgument, the_vm


class ExecCommand(TyperCommand):
    """Takes `exec web-1 ls -l` as well as `exec web-1 --user bob -- ls -l`.

    Without a `--` everything after the VM is the command, or one of its options could be taken for one of ours.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_interspersed_args = "--" in args
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    @command(
        app,
        "exec",
        failure_code=OWN_FAILURE,
        cls=ExecCommand,
        examples=(
            "nexus vm exec web-1 -- uname -a",
            "nexus vm exec web-1 -- sh -c 'echo $HOME; exit 3'; echo $?",
            "tar c . | nexus vm exec --cwd /srv web-1 -- tar x",
            "nexus vm exec -t web-1 -- top",
        ),
    )
    def exec_in_vm(
        cli: Cli,
        vm: VmArgument,
        argv: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run; no shell is involved.")],
        *,
        user: Annotated[
            str | None, typer.Option("-u", "--user", metavar="NAME", help="Run as this user (default: the VM's).")
        ] = None,
        cwd: Annotated[
            str | None, typer.Option("-w", "--cwd", metavar="DIRECTORY", help="Run in this directory.")
        ] = None,
        env: Annotated[
            list[str] | None, typer.Option("-e", "--env", metavar="K=V", help="Set a variable. Repeatable.")
        ] = None,
        timeout: Annotated[
            float | None, typer.Option(metavar="SECONDS", min=0.001, help="Kill the command after this many seconds.")
        ] = None,
        tty: Annotated[bool, typer.Option("-t", "--tty", help="Give the command a terminal.")] = False,
        interactive: Annotated[
            bool, typer.Option("-i", "--interactive", help="Pass standard input on even from a terminal.")
        ] = False,
    ) -> None:
        """Run a command in a VM; the exit code is the command's."""
        from nexus.cli.vm.conversing import terminal_size
        from nexus.cli.vm.execution import Execution
        from nexus.client.sessions import ExecRequest

        target = the_vm(cli, vm)
        size = terminal_size() if tty else None
        request = ExecRequest(
            argv=tuple(argv),
            user=user,
            cwd=cwd,
            env=dict(_variable(one) for one in env or ()),
            timeout_s=timeout,
            tty=tty,
            cols=size[0] if size else None,
            rows=size[1] if size else None,
        )
        passes_input = interactive or tty or not sys.stdin.isatty()
        command_run = Execution(
            transport=cli.client.transport, vm_id=target.id, request=request, passes_input=passes_input, say=cli.say
        )
        raise typer.Exit(command_run.run())


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CliFailure(f"{text!r} is no variable.", suggestion="Write it like --env NAME=VALUE.", exit_code=USAGE)
    return name, value
