"""`vm create`."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.completing import image_names, ssh_keys_and_files, template_names
from nexus.cli.invocation import Cli, from_stdin
from nexus.cli.public_keys import keys_in, names_a_file
from nexus.cli.vm.placing import try_out
from nexus.cli.vm.restart import RestartPolicy
from nexus.cli.vm.subject import recorded, say_recorded
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout, follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus.client.models import Created, Vm


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


NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="3 to 63 letters, digits and hyphens; becomes the host name.")
]
ImageOption = Annotated[
    str | None,
    typer.Option(metavar="IMAGE", help="Root file system, by name or id.", autocompletion=image_names),
]
MemoryOption = Annotated[
    int | None,
    typer.Option(
        parser=mib_option, metavar="SIZE", help="512M, 1G, or a number of MiB (default: 512M; at least 128M)."
    ),
]
DiskOption = Annotated[
    int | None,
    typer.Option(
        parser=bytes_option,
        metavar="SIZE",
        help="Size of the disk, e.g. 10G (default: 4G, or the image's own; at least 64M).",
    ),
]
UsernameOption = Annotated[str | None, typer.Option(metavar="NAME", help="Who you are in the guest (default: root).")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read that user's password from standard input.")]
SshKeys = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY",
        help="Who may sign in by SSH: a registered key's name, or a .pub file. Repeatable.",
        autocompletion=ssh_keys_and_files,
    ),
]
Restart = Annotated[
    RestartPolicy | None,
    typer.Option(help="always: start it again after its host restarted (default: never).", show_choices=True),
]
BootArgs = Annotated[str | None, typer.Option(metavar="TEXT", help="Appended to the kernel's command line.")]


def register(app: typer.Typer) -> None:
    command(
        app,
        "create",
        examples=(
            "nexus vm create web-1",
            "nexus vm create db-1 --vcpu 2 --memory 1G --disk 10G --tag db --ssh-key laptop",
            "nexus vm create web-4 --template web --memory 2G",
            "nexus vm create web-3 --ssh-key ~/.ssh/id_ed25519.pub",
            "nexus vm create build-1 --image debian-12-systemd --no-start",
            "nexus vm create web-4 --memory 2G --dry-run",
            "pass show vm | nexus vm create web-2 --username admin --password-stdin",
        ),
    )(create_vm)


def create_vm(
    cli: Cli,
    name: NameArgument,
    *,
    template: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Make it from this; other options win.", autocompletion=template_names),
    ] = None,
    image: ImageOption = None,
    kernel: Annotated[str | None, typer.Option(metavar="IMAGE", help="Kernel, by name or id.")] = None,
    vcpu: Annotated[int | None, typer.Option(min=1, metavar="N", help="Virtual CPUs (default: 1).")] = None,
    memory: MemoryOption = None,
    disk: DiskOption = None,
    username: UsernameOption = None,
    password_stdin: PasswordStdin = False,
    ssh_key: SshKeys = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="For people to read.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="A tag to find it by. Repeatable.")] = None,
    environment: Annotated[str | None, typer.Option(metavar="TEXT", help="E.g. production.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="TEXT", help="Whom to ask about it.")] = None,
    boot_args: BootArgs = None,
    restart: Restart = None,
    needs: Annotated[
        list[str] | None,
        typer.Option(metavar="OFFER", help="What its host must offer, e.g. pause; see `host show`. Repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Make nothing: say which host it would go to, or why to none.")
    ] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Create it stopped.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Create a VM and wait until its guest answers."""
    asked = {
        "name": name,
        "template": template,
        "vcpu": vcpu,
        "mem_mib": memory,
        "image": image,
        "kernel": kernel,
        "disk_size_bytes": disk,
        "username": username,
        "password": from_stdin(prompt="Password for the guest") if password_stdin else None,
        "ssh_keys": [one for one in ssh_key or () if not names_a_file(one)] or None,
        "ssh_authorized_keys": [key for one in ssh_key or () if names_a_file(one) for key in keys_in(one)] or None,
        "description": description,
        "tags": tag or None,
        "environment": environment,
        "owner": owner,
        "boot_args": boot_args,
        "restart_policy": restart,
        "needs": needs or None,
        "start": False if no_start else None,
    }
    spec = {field: value for field, value in asked.items() if value is not None}
    if dry_run:
        try_out(cli, spec, name=name)
        return
    create_and_wait(cli, lambda: cli.client.vms.create(spec), name=name, no_wait=no_wait, timeout_s=timeout)


def create_and_wait(
    cli: Cli, ask: "Callable[[], Created]", *, name: str | None, no_wait: bool, timeout_s: float
) -> None:
    """Ask for a new VM, wait until its guest answers, and say how to get in. Without a name it is given one."""
    began = time.monotonic()
    created = ask()
    name = name or cli.client.vms.get(created.id).name
    if no_wait:
        say_recorded(cli, name=name, operation_id=created.operation_id)
        cli.result(recorded(name=name, vm_id=created.id, operation_id=created.operation_id))
        return
    if created.operation_id:
        follow(cli, created.operation_id, label=f"Creating {name}", timeout_s=timeout_s)
    vm = cli.client.vms.get(created.id)
    cli.say(_ways_in(vm, took_s=time.monotonic() - began))
    cli.result(vm)


def _ways_in(vm: "Vm", *, took_s: float) -> str:
    if vm.state != "running":
        return f"{vm.name} is created ({vm.state}). Start it with: nexus vm start {vm.name}"
    ways = [f"{vm.name} is running ({took_s:.1f} s). Get in:", f"  nexus vm shell {vm.name}"]
    ways.append(f"  nexus vm exec {vm.name} -- uname -a")
    ways.append(f"Its user and password: nexus vm credentials {vm.name}")
    return "\n".join(ways)
