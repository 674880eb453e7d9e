"""`vm create`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.completing import image_names
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli, from_stdin
from nexus.cli.vm.subject import recorded
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout, follow

if TYPE_CHECKING:
    from nexus.client.models import Vm


def mib_option(text: str) -> int:
    try:
        return human.parse_mib(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from wrong


def bytes_option(text: str) -> int:
    try:
        return human.parse_bytes(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from wrong


def register(app: typer.Typer) -> None:
    @command(
        app,
        "create",
        examples=(
            "nexus vm create web-1",
            "nexus vm create db-1 --vcpu 2 --memory 1G --disk 10G --tag db --ssh-key ~/.ssh/id_ed25519.pub",
            "nexus vm create build-1 --image debian-12 --no-start",
            "pass show vm | nexus vm create web-2 --username admin --password-stdin",
        ),
    )
    def create_vm(
        cli: Cli,
        name: Annotated[
            str, typer.Argument(metavar="NAME", help="3 to 63 letters, digits and hyphens; becomes the host name.")
        ],
        *,
        image: Annotated[
            str | None,
            typer.Option(metavar="IMAGE", help="Root file system, by name or id.", autocompletion=image_names),
        ] = None,
        kernel: Annotated[str | None, typer.Option(metavar="IMAGE", help="Kernel, by name or id.")] = None,
        vcpu: Annotated[int | None, typer.Option(min=1, metavar="N", help="Virtual CPUs (default: 1).")] = None,
        memory: Annotated[
            int | None,
            typer.Option(parser=mib_option, metavar="SIZE", help="512M, 1G, or a number of MiB (default: 512M)."),
        ] = None,
        disk: Annotated[
            int | None,
            typer.Option(
                parser=bytes_option,
                metavar="SIZE",
                help="Size of the disk, e.g. 10G (default: 4G, or the image's own).",
            ),
        ] = None,
        username: Annotated[
            str | None, typer.Option(metavar="NAME", help="Who you are in the guest (default: root).")
        ] = None,
        password_stdin: Annotated[
            bool, typer.Option("--password-stdin", help="Read that user's password from standard input.")
        ] = False,
        ssh_key: Annotated[
            list[Path] | None,
            typer.Option(metavar="FILE", help="Public key file whose owner may sign in by SSH. Repeatable."),
        ] = None,
        description: Annotated[str | None, typer.Option(metavar="TEXT", help="For people to read.")] = None,
        tag: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="A tag to find it by. Repeatable.")] = None,
        environment: Annotated[str | None, typer.Option(metavar="TEXT", help="E.g. production.")] = None,
        owner: Annotated[str | None, typer.Option(metavar="TEXT", help="Whom to ask about it.")] = None,
        boot_args: Annotated[
            str | None, typer.Option(metavar="TEXT", help="Appended to the kernel's command line.")
        ] = None,
        no_start: Annotated[bool, typer.Option("--no-start", help="Create it stopped.")] = False,
        no_wait: NoWait = False,
        timeout: Timeout = TIMEOUT_S,
    ) -> None:
        """Create a VM and wait until its guest answers."""
        asked = {
            "name": name,
            "vcpu": vcpu,
            "mem_mib": memory,
            "image": image,
            "kernel": kernel,
            "disk_size_bytes": disk,
            "username": username,
            "password": from_stdin(prompt="Password for the guest") if password_stdin else None,
            "ssh_authorized_keys": [key for file in ssh_key or () for key in _keys_in(file)] or None,
            "description": description,
            "tags": tag or None,
            "environment": environment,
            "owner": owner,
            "boot_args": boot_args,
            "start": False if no_start else None,
        }
        began = time.monotonic()
        created = cli.client.vms.create({field: value for field, value in asked.items() if value is not None})
        if no_wait:
            cli.say(f"{name}: recorded. Watch it with: nexus operation watch {created.operation_id}")
            cli.result(recorded(name=name, vm_id=created.id, operation_id=created.operation_id))
            return
        if created.operation_id:
            follow(cli, created.operation_id, label=f"Creating {name}", timeout_s=timeout)
        vm = cli.client.vms.get(created.id)
        cli.say(_ways_in(vm, took_s=time.monotonic() - began))
        cli.result(vm)


def _keys_in(file: Path) -> list[str]:
    """The public keys in an OpenSSH file, one a line. A private key is refused before it leaves this machine."""
    try:
        lines = [line.strip() for line in file.expanduser().read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as unreadable:
        raise CliFailure(f"Cannot read {file}: {unreadable}.", exit_code=USAGE) from unreadable
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or any("PRIVATE KEY" in line or len(line.split()) < 2 for line in keys):
        raise CliFailure(f"{file} holds no public key.", suggestion="Give the file that ends in .pub.", exit_code=USAGE)
    return keys


def _ways_in(vm: "Vm", *, took_s: float) -> str:
    if vm.state != "running":
        return f"{vm.name} is created ({vm.state}). Start it with: nexus vm start {vm.name}"
    ways = [f"{vm.name} is running ({took_s:.1f} s). Get in:", f"  nexus vm shell {vm.name}"]
    ways.append(f"  nexus vm exec {vm.name} -- uname -a")
    return "\n".join(ways)
