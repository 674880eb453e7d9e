"""The host a command is about."""

from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli.completing import host_names
from nexus.cli.invocation import Cli
from nexus.cli.naming import the

if TYPE_CHECKING:
    from nexus.client.models import Host

HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="Name or id of a host.", autocompletion=host_names)]


def the_host(cli: Cli, named: str) -> "Host":
    """The host meant by a name or an id."""
    hosts = cli.client.hosts
    return the("host", named, get=hosts.get, named=lambda _name: hosts.list(), everything=hosts.list)
