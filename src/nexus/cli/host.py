"""`nexus host`: the machines that VMs run on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command, new_app
from nexus.cli.completing import host_names
from nexus.cli.deleting import YesOption, delete_each, require_consent
from nexus.cli.invocation import Cli
from nexus.cli.naming import the
from nexus.cli.output import Column, Format, write
from nexus.kit.loopback import is_loopback_url

if TYPE_CHECKING:
    from nexus.client.models import Host

app: typer.Typer = new_app("Hosts: the machines that VMs run on.")

HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="Name or id of a host.", autocompletion=host_names)]


def _columns(now: datetime) -> "list[Column[Host]]":
    return [
        Column("NAME", lambda host: host.name),
        Column("STATE", lambda host: host.state),
        Column("VMM", lambda host: host.vmm),
        Column("ACCELERATION", lambda host: host.acceleration),
        Column("VCPU", lambda host: host.vcpus),
        Column("MEMORY", lambda host: human.size(host.memory_mib * 1024**2)),
        Column("DISK", lambda host: human.size(host.disk_bytes)),
        Column("SEEN", lambda host: human.ago(host.last_seen_at, now=now)),
    ]


def _details(now: datetime) -> "list[Column[Host]]":
    return [
        Column("Name", lambda host: host.name),
        Column("Id", lambda host: host.id),
        Column("State", lambda host: host.state),
        Column("Takes new VMs", lambda host: "no" if host.is_cordoned else "yes"),
        Column("Hypervisor", lambda host: f"{host.vmm} {host.vmm_version} ({host.acceleration})"),
        Column("Because", lambda host: host.why_vmm),
        Column("Offers", lambda host: host.offers),
        Column("vCPUs", lambda host: _share(host, "vcpus", str)),
        Column("Memory", lambda host: _share(host, "memory_mib", lambda mib: human.size(mib * 1024**2))),
        Column("Disk", lambda host: _share(host, "disk_bytes", human.size)),
        Column("Agent", lambda host: host.agent_version),
        Column("Address", lambda host: host.address),
        Column("Seen", lambda host: f"{human.ago(host.last_seen_at, now=now)} ago"),
    ]


def _share(host: "Host", amount: str, written: Callable[[int], str]) -> str:
    whole = written(getattr(host, amount))
    if host.capacity is None or host.reserved is None:
        return whole
    reserved, capacity = getattr(host.reserved, amount), getattr(host.capacity, amount)
    return f"{whole}; {written(reserved)} of {written(capacity)} reserved"


@command(app, "list", examples="nexus host list")
def list_hosts(cli: Cli) -> None:
    """List the hosts."""
    empty = "No hosts yet. `nexus up` makes this machine one."
    cli.list(cli.client.hosts.list(), _columns(datetime.now(UTC)), empty=empty)


@command(app, "show", examples="nexus host show lab-1")
def show_host(cli: Cli, host: HostArgument) -> None:
    """Show what a host is, why it uses the hypervisor it does, and how full it is."""
    cli.show(cli.client.hosts.get(_the_host(cli, host).id), _details(datetime.now(UTC)))


@command(app, "join-token", examples=("nexus host join-token", "nexus host join-token --hours 24 -o json"))
def make_join_token(
    cli: Cli,
    *,
    hours: Annotated[int, typer.Option("--hours", metavar="N", min=1, max=168, help="How long it can be used.")] = 1,
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


@command(app, "cordon", examples="nexus host cordon lab-2")
def cordon_host(cli: Cli, host: HostArgument) -> None:
    """Let a host take no new VMs, nor start those that are off. What runs on it runs on."""
    target = _the_host(cli, host)
    cli.client.hosts.cordon(target.id)
    cli.say(f"{target.name} takes no new VMs.")


@command(app, "uncordon", examples="nexus host uncordon lab-2")
def uncordon_host(cli: Cli, host: HostArgument) -> None:
    """Let a cordoned host take VMs again."""
    target = _the_host(cli, host)
    cli.client.hosts.uncordon(target.id)
    cli.say(f"{target.name} takes VMs again.")


@command(app, "delete", examples=("nexus host delete lab-2", "nexus host delete --yes lab-2"))
def delete_hosts(
    cli: Cli,
    host: Annotated[list[str], typer.Argument(metavar="HOST", help="Names or ids.", autocompletion=host_names)],
    *,
    yes: YesOption = False,
) -> None:
    """Remove hosts that no VM is on. What they joined with opens nothing any more; stop their agents too."""
    targets = [_the_host(cli, one) for one in host]
    require_consent(cli, targets, yes=yes)
    delete_each(cli, targets, cli.client.hosts.delete)


def _the_host(cli: Cli, named: str) -> "Host":
    hosts = cli.client.hosts
    return the("host", named, get=hosts.get, named=lambda _name: hosts.list(), everything=hosts.list)


def _advice(url: str) -> list[str]:
    """What may keep a host from joining there."""
    if is_loopback_url(url):
        return ["This manager listens for this machine only; to have others join, see 'A second host' in the README."]
    if url.startswith("https:"):
        return ["If its certificate is of a private authority or self-signed, copy that there and add: --ca FILE"]
    return ["This manager speaks plain HTTP, so hosts will refuse: see 'A second host' in the README."]
