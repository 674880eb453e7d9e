"""`host metrics`."""

from datetime import timedelta

import typer

from nexus.cli.command import command
from nexus.cli.history import Since, Step, begin_of, tell
from nexus.cli.host.subject import HostArgument, the_host
from nexus.cli.invocation import Cli

LAST_HOUR = timedelta(hours=1)


def register(app: typer.Typer) -> None:
    @command(app, "metrics", examples=("nexus host metrics lab-1", "nexus host metrics lab-1 --since 7d --step 1h"))
    def read_metrics(cli: Cli, host: HostArgument, *, since: Since = None, step: Step = None) -> None:
        """Show what a host used over time, everything on it together; of the last hour if nothing else is said."""
        step_s = int(step.total_seconds()) if step else None
        target = the_host(cli, host)
        tell(cli, cli.client.metrics.of_host(target.id, since=begin_of(since or LAST_HOUR), step_s=step_s))
