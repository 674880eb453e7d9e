"""`host list`, `host show`, `host vms`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.host.subject import HostArgument, the_host
from nexus.cli.invocation import Cli
from nexus.cli.output import Column
from nexus.cli.vm.looking import columns as vm_columns

if TYPE_CHECKING:
    from nexus.client.models import Host


def register(app: typer.Typer) -> None:
    @command(app, "list", examples="nexus host list")
    def list_hosts(cli: Cli) -> None:
        """List the hosts."""
        empty = "No hosts yet. `nexus up` makes this machine one."
        cli.list(cli.client.hosts.list(), _columns(datetime.now(UTC)), empty=empty)

    @command(app, "show", examples="nexus host show lab-1")
    def show_host(cli: Cli, host: HostArgument) -> None:
        """Show what a host is, why it uses the hypervisor it does, and how full it is."""
        cli.show(cli.client.hosts.get(the_host(cli, host).id), _details(datetime.now(UTC)))

    @command(app, "vms", examples=("nexus host vms lab-1", "nexus host vms lab-1 -o json"))
    def list_vms_on(cli: Cli, host: HostArgument) -> None:
        """List the VMs on a host, those that are off included: their disks are there."""
        target = the_host(cli, host)
        found = cli.client.vms.list(host=str(target.id))
        cli.list(found, vm_columns(datetime.now(UTC)), empty=f"No VM is on {target.name}.")


def _columns(now: datetime) -> "list[Column[Host]]":
    return [
        Column("NAME", lambda host: host.name),
        Column("STATE", _state),
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
        Column("Operation", lambda host: host.operation_id),
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


def _state(host: "Host") -> str:
    """With what else keeps it from taking VMs."""
    return f"{host.state}, cordoned" if host.is_cordoned and host.state != "abandoned" else host.state
