"""`vm nic`: the network interfaces of a VM."""

from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import rates
from nexus.cli.command import command, new_app
from nexus.cli.deleting import YesOption
from nexus.cli.failures import REFUSED, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.output import Column
from nexus.cli.vm.devices import NicArgument, NicPreset, bandwidth, preset, require_one, tell
from nexus.cli.vm.subject import VmArgument, the_vm

if TYPE_CHECKING:
    from nexus.client.models import Nic

commands: typer.Typer = new_app("NICs: the network interfaces of a VM.")

RxOption = Annotated[str | None, typer.Option("--rx", metavar="RATE", help="What the guest receives, e.g. 100Mbit/s.")]
TxOption = Annotated[str | None, typer.Option("--tx", metavar="RATE", help="What the guest sends, e.g. 100Mbit/s.")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="nic")


def _columns() -> "list[Column[Nic]]":
    return [
        Column("NIC", lambda nic: nic.iface_id),
        Column("NETWORK", lambda nic: nic.network),
        Column("ADDRESS", lambda nic: nic.address),
        Column("MAC", lambda nic: nic.guest_mac),
        Column("DEVICE", lambda nic: nic.host_dev_name),
        Column("RX LIMIT", lambda nic: _limit(nic, "rx")),
        Column("TX LIMIT", lambda nic: _limit(nic, "tx")),
        Column("PENDING", lambda nic: "yes" if nic.is_pending else None),
    ]


def _limit(nic: "Nic", way: str) -> str | None:
    limiter = nic.rx_rate_limiter if way == "rx" else nic.tx_rate_limiter
    return rates.bits_per_second(limiter.bandwidth) if limiter else None


@command(commands, "list", examples=("nexus vm nic list web-1", "nexus vm nic list web-1 -o json"))
def list_nics(cli: Cli, vm: VmArgument) -> None:
    """List the NICs of a VM, in the order in which its guest has them."""
    target = the_vm(cli, vm)
    cli.list(cli.client.nics.list(target.id), _columns(), empty=f"{target.name} has no NICs.")


@command(
    commands,
    "add",
    examples=("nexus vm nic add web-1 eth1", "nexus vm nic add web-1 eth1 --mac 02:00:00:00:00:2a --rx 100Mbit/s"),
)
def add_nic(
    cli: Cli,
    vm: VmArgument,
    nic: Annotated[str, typer.Argument(metavar="NIC", help="What to call it: letters, digits and _.")],
    *,
    network: Annotated[str | None, typer.Option(metavar="NETWORK", help="Name or id; without it the default.")] = None,
    mac: Annotated[str | None, typer.Option(metavar="MAC", help="Its MAC address; without it one is made.")] = None,
    rx: RxOption = None,
    tx: TxOption = None,
) -> None:
    """Add a NIC on a network. The guest has it after its next start, with its address set."""
    target = the_vm(cli, vm)
    wanted: dict[str, object] = {"iface_id": nic, "network": network, "guest_mac": mac, **_limiters(rx, tx)}
    made = cli.client.nics.add(target.id, {name: value for name, value in wanted.items() if value is not None})
    tell(cli, target, made, f"NIC {made.iface_id} ({made.guest_mac}) is added.")


@command(
    commands,
    "limit",
    examples=(
        "nexus vm nic limit web-1 eth0 --rx 100Mbit/s --tx 20Mbit/s",
        "nexus vm nic limit web-1 eth0 --preset 100mbit",
        "nexus vm nic limit web-1 eth0 --none",
    ),
)
def limit_nic(
    cli: Cli,
    vm: VmArgument,
    nic: NicArgument,
    *,
    rx: RxOption = None,
    tx: TxOption = None,
    limits: NicPreset = None,
    none: Annotated[bool, typer.Option("--none", help="Take its limits away.")] = False,
) -> None:
    """Limit what a NIC receives and sends; a direction that is not named stays as it is. In a running VM at once."""
    asked = {"--none": none, "--preset": limits, "--rx or --tx": rx or tx}
    if sum(bool(value) for value in asked.values()) > 1:
        raise CliFailure("--none, --preset and limits of your own exclude each other.", exit_code=USAGE)
    require_one(dict(asked), of="nexus vm nic limit")
    target = the_vm(cli, vm)
    named = preset(cli, "nic", limits) if limits else None
    both: dict[str, object] = {"rx_rate_limiter": named, "tx_rate_limiter": named}
    changes = both if none or named else _limiters(rx, tx)
    changed = cli.client.nics.edit(target.id, nic, {key: value for key, value in changes.items() if none or value})
    told = ", ".join(f"{way} {_limit(changed, way) or 'not limited'}" for way in ("rx", "tx"))
    tell(cli, target, changed, f"NIC {changed.iface_id}: {told}.")


@command(commands, "remove", examples=("nexus vm nic remove web-1 eth1", "nexus vm nic remove --yes web-1 eth1"))
def remove_nic(cli: Cli, vm: VmArgument, nic: NicArgument, *, yes: YesOption = False) -> None:
    """Remove a NIC. Asks first at a terminal."""
    target = the_vm(cli, vm)
    found = cli.client.nics.get(target.id, nic)
    question = f"Remove NIC {found.iface_id} of {target.name}?"
    if not yes and cli.is_interactive and not cli.confirm(question):
        raise CliFailure("Nothing was removed.", exit_code=REFUSED)
    removed = cli.client.nics.remove(target.id, str(found.id))
    if removed.applied == "next_start" and target.state not in ("stopped", "error"):
        cli.say(f"NIC {found.iface_id} is removed. {target.name} has it until its next start.")
    else:
        cli.say(f"NIC {found.iface_id} is removed.")
    cli.result(removed)


def _limiters(rx: str | None, tx: str | None) -> dict[str, object]:
    found = {"rx_rate_limiter": bandwidth(rx), "tx_rate_limiter": bandwidth(tx)}
    return {name: {"bandwidth": value} if value else None for name, value in found.items()}
