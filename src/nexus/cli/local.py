"""`nexus up`, `down`, `doctor`, `manager`, `agent`: Nexus on this machine, started and examined; nothing over HTTP."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from nexus.cli.command import command
from nexus.cli.invocation import Cli
from nexus.cli.output import Column

_SettingsFile = typer.Option(exists=True, dir_okay=False, help="Instead of the file in the data directory.")
_PASS_ON: dict[str, object] = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    command(app, "up", examples=("nexus up", "nexus up --detach", "NEXUS_DATA_DIR=/srv/nexus nexus up"))(_up)
    command(app, "down", examples=("nexus down", "nexus down --stop-guests"))(_down)
    command(app, "doctor", examples=("nexus doctor", "nexus doctor --strict", "nexus doctor -o json"))(_doctor)
    app.command("manager", context_settings=_PASS_ON)(_manager)
    app.command("agent", context_settings=_PASS_ON)(_agent)


def _up(
    cli: Cli,
    *,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Return once it is ready; stop it with down.")] = False,
    manager_config: Annotated[Path | None, _SettingsFile] = None,
    agent_config: Annotated[Path | None, _SettingsFile] = None,
) -> None:
    """Start Nexus on this machine, and keep it running.

    That is the database, the manager and an agent, until Ctrl-C or `nexus down`. Guests go on running when these stop;
    the next `up` finds them again.
    """
    from rich.console import Console

    from nexus.local import detach as detached
    from nexus.local import up

    options = up.Options(manager_config=manager_config, agent_config=agent_config)
    run = detached.run if detach else up.run
    raise typer.Exit(run(options, console=Console(stderr=True)))


def _down(
    cli: Cli,
    *,
    stop_guests: Annotated[bool, typer.Option("--stop-guests", help="Stop every running VM first.")] = False,
) -> None:
    """Stop what `nexus up` started on this machine. Guests keep running unless told otherwise."""
    from rich.console import Console

    from nexus.local import down

    raise typer.Exit(down.run(console=Console(stderr=True), stop_guests=stop_guests))


def _doctor(
    cli: Cli,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Also: is it fit to run other people's guests?")] = False,
) -> None:
    """Say what this machine can do, what it lacks, and what mends it.

    Ends with 1 if something is missing that Nexus cannot do without; with --strict if there is anything to mend.
    """
    from nexus.local import doctor
    from nexus.protocol.checkup import Finding

    checkup = doctor.examine(strict=strict)
    columns = [
        Column[Finding]("CHECK", lambda finding: finding.name),
        Column[Finding]("VERDICT", lambda finding: finding.verdict),
        Column[Finding]("FOUND", lambda finding: finding.found),
    ]
    cli.list(checkup.findings, columns, empty="Nothing was examined.")
    for finding in checkup.findings:
        if finding.fix:
            cli.say(f"{finding.name}: {finding.fix}")
    if not doctor.is_fit(checkup, strict=strict):
        raise typer.Exit(1)


def _manager(context: typer.Context) -> None:
    """Run the manager alone, against your own PostgreSQL (`nexus manager --help`)."""
    _become("nexus.manager", context.args)


def _agent(context: typer.Context) -> None:
    """Run the agent alone, on a host of yours (`nexus agent --help`)."""
    _become("nexus.agent", context.args)


def _become(module: str, arguments: list[str]) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - no shell, our own module
