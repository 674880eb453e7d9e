"""`host join-token`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.invocation import Cli
from nexus.cli.output import Format, write
from nexus.kit.loopback import is_loopback_url


def register(app: typer.Typer) -> None:
    @command(app, "join-token", examples=("nexus host join-token", "nexus host join-token --hours 24 -o json"))
    def make_join_token(
        cli: Cli,
        *,
        hours: Annotated[
            int, typer.Option("--hours", metavar="N", min=1, max=168, help="How long it can be used.")
        ] = 1,
    ) -> None:
        """Make a token with which one host can join, once.

        What is printed is the command to run on that host.
        """
        made = cli.client.hosts.create_join_token(expires_in_s=hours * 3600)
        joining = f"nexus agent --join {made.url} --token {made.token}"
        if cli.format is not Format.TABLE:
            cli.result({**made.model_dump(mode="json"), "command": joining})
            return
        cli.say(f"On the new host, within {human.span(made.expires_at - datetime.now(UTC) + timedelta(seconds=30))}:")
        write(f"{joining}\n")
        for line in _advice(made.url):
            cli.say(line)


def _advice(url: str) -> list[str]:
    """What may keep a host from joining there."""
    if is_loopback_url(url):
        return ["This manager listens for this machine only; to have others join, see 'A second host' in the README."]
    if url.startswith("https:"):
        return ["If its certificate is of a private authority or self-signed, copy that there and add: --ca FILE"]
    return ["This manager speaks plain HTTP, so hosts will refuse: see 'A second host' in the README."]
