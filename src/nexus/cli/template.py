"""`nexus template`: saved VM configurations, to make more of the same."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command, new_app
from nexus.cli.completing import template_names
from nexus.cli.deleting import YesOption, delete_each, require_consent
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.naming import MOST_SUGGESTED, the
from nexus.cli.output import Column
from nexus.cli.public_keys import keys_in
from nexus.cli.vm.create import (
    BootArgs,
    DiskOption,
    ImageOption,
    MemoryOption,
    Restart,
    UsernameOption,
    create_and_wait,
)
from nexus.cli.vm.subject import the_vm
from nexus.cli.waiting import TIMEOUT_S, NoWait, Timeout

if TYPE_CHECKING:
    from nexus.client.models import Template

app: typer.Typer = new_app("Templates: saved VM configurations, to make more of the same.")

TemplateArgument = Annotated[
    str, typer.Argument(metavar="TEMPLATE", help="Name or id of a template.", autocompletion=template_names)
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and . _ -; at most 63.")]
KernelOption = Annotated[str | None, typer.Option(metavar="IMAGE", help="Kernel, by name or id.")]
VcpuOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="Virtual CPUs.")]
DescriptionOption = Annotated[str | None, typer.Option(metavar="TEXT", help="For people to read.")]
TagOption = Annotated[list[str] | None, typer.Option(metavar="TEXT", help="A tag for its VMs. Repeatable.")]
EnvironmentOption = Annotated[str | None, typer.Option(metavar="TEXT", help="E.g. production.")]
OwnerOption = Annotated[str | None, typer.Option(metavar="TEXT", help="Whom to ask about its VMs.")]
KeyFiles = Annotated[
    list[str] | None, typer.Option(metavar="FILE", help="Who may sign in by SSH: a .pub file. Repeatable.")
]


def _columns(now: datetime) -> "list[Column[Template]]":
    return [
        Column("NAME", lambda template: template.name),
        Column("VCPU", lambda template: template.vcpu),
        Column("MEMORY", lambda template: human.size(template.mem_mib * 1024**2)),
        Column("IMAGE", lambda template: template.image),
        Column("USED", lambda template: template.usage_count),
        Column("DESCRIPTION", lambda template: template.description),
        Column("AGE", lambda template: human.ago(template.created_at, now=now)),
    ]


def _details(now: datetime) -> "list[Column[Template]]":
    return [
        Column("Name", lambda template: template.name),
        Column("Id", lambda template: template.id),
        Column("Description", lambda template: template.description),
        Column("vCPUs", lambda template: template.vcpu),
        Column("Memory", lambda template: human.size(template.mem_mib * 1024**2)),
        Column("Disk", lambda template: _disk(template.spec.disk_size_bytes)),
        Column("Image", lambda template: template.image),
        Column("Kernel", lambda template: template.kernel),
        Column("Boot args", lambda template: template.spec.boot_args),
        Column("User", lambda template: template.spec.username),
        Column("SSH keys", lambda template: len(template.spec.ssh_authorized_keys)),
        Column("Restart", lambda template: template.spec.restart_policy),
        Column("Environment", lambda template: template.spec.environment),
        Column("Owner", lambda template: template.spec.owner),
        Column("Tags", lambda template: template.spec.tags),
        Column("VMs made", lambda template: template.usage_count),
        Column("Created", lambda template: f"{human.ago(template.created_at, now=now)} ago"),
    ]


def _disk(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else human.size(size_bytes)


def _the_template(cli: Cli, given: str) -> "Template":
    templates = cli.client.templates
    return the(
        "template",
        given,
        get=templates.get,
        named=lambda name: templates.list(name=name),
        everything=lambda: templates.list(limit=MOST_SUGGESTED),
    )


@command(
    app,
    "create",
    examples=(
        "nexus template create web --vcpu 2 --memory 1G --tag web",
        "nexus template create web --from-vm web-1",
    ),
)
def create_template(
    cli: Cli,
    name: NameArgument,
    *,
    from_vm: Annotated[str | None, typer.Option(metavar="VM", help="Save this VM's configuration.")] = None,
    image: ImageOption = None,
    kernel: KernelOption = None,
    vcpu: VcpuOption = None,
    memory: MemoryOption = None,
    disk: DiskOption = None,
    username: UsernameOption = None,
    ssh_key: KeyFiles = None,
    description: DescriptionOption = None,
    tag: TagOption = None,
    environment: EnvironmentOption = None,
    owner: OwnerOption = None,
    boot_args: BootArgs = None,
    restart: Restart = None,
) -> None:
    """Save a VM configuration under a name: what you say here, or a VM's. Never a password."""
    asked = {
        "vcpu": vcpu,
        "mem_mib": memory,
        "image": image,
        "kernel": kernel,
        "disk_size_bytes": disk,
        "username": username,
        "ssh_authorized_keys": [key for file in ssh_key or () for key in keys_in(file)] or None,
        "tags": tag or None,
        "environment": environment,
        "owner": owner,
        "boot_args": boot_args,
        "restart_policy": restart,
    }
    spec = {field: value for field, value in asked.items() if value is not None}
    templates = cli.client.templates
    if from_vm is not None:
        if spec:
            raise CliFailure("--from-vm takes everything from the VM; change it with template edit.", exit_code=USAGE)
        created = cli.client.vms.save_template(the_vm(cli, from_vm).id, name=name, description=description or "")
    else:
        created = templates.create(name=name, description=description or "", spec=spec)
    cli.say(f"{name} is saved. Use it: nexus vm create web-1 --template {name}")
    cli.result(templates.get(created.id))


@command(app, "list", examples=("nexus template list", "nexus template list -q web -o json"))
def list_templates(
    cli: Cli,
    *,
    q: Annotated[
        str | None, typer.Option("-q", "--search", metavar="TEXT", help="Only with this in name or description.")
    ] = None,
) -> None:
    """List your templates; for administrators everybody's."""
    empty = "No templates yet. Save one: nexus template create web --from-vm web-1"
    cli.list(cli.client.templates.list(q=q), _columns(datetime.now(UTC)), empty=empty)


@command(app, "show", examples=("nexus template show web", "nexus template show web -o yaml"))
def show_template(cli: Cli, template: TemplateArgument) -> None:
    """Show everything that a template says."""
    cli.show(_the_template(cli, template), _details(datetime.now(UTC)))


@command(app, "edit", examples=("nexus template edit web --vcpu 4", "nexus template edit web --name web-large"))
def edit_template(
    cli: Cli,
    template: TemplateArgument,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
    image: ImageOption = None,
    kernel: KernelOption = None,
    vcpu: VcpuOption = None,
    memory: MemoryOption = None,
    disk: DiskOption = None,
    username: UsernameOption = None,
    description: DescriptionOption = None,
    tag: TagOption = None,
    environment: EnvironmentOption = None,
    owner: OwnerOption = None,
    boot_args: BootArgs = None,
    restart: Restart = None,
) -> None:
    """Change what a template says. VMs made from it stay as they are."""
    target = _the_template(cli, template)
    asked = {
        "vcpu": vcpu,
        "mem_mib": memory,
        "image": image,
        "kernel": kernel,
        "disk_size_bytes": disk,
        "username": username,
        "tags": tag or None,
        "environment": environment,
        "owner": owner,
        "boot_args": boot_args,
        "restart_policy": restart,
    }
    changes = {field: value for field, value in asked.items() if value is not None}
    if not changes and name is None and description is None:
        raise CliFailure("Nothing to change was given.", suggestion="See: nexus template edit --help", exit_code=USAGE)
    spec = target.spec.model_dump(mode="json")
    for chosen, saved in (("image", "rootfs_image_id"), ("kernel", "kernel_image_id")):
        if chosen in changes:
            del spec[saved]
    kept = target.description if description is None else description
    cli.client.templates.replace(target.id, name=name or target.name, description=kept, spec=spec | changes)
    cli.say(f"{name or target.name} is changed.")
    cli.result(cli.client.templates.get(target.id))


@command(app, "clone", examples="nexus template clone web web-large")
def clone_template(cli: Cli, template: TemplateArgument, name: NameArgument) -> None:
    """Make a second template like this one, under another name."""
    target = _the_template(cli, template)
    created = cli.client.templates.clone(target.id, name=name)
    cli.say(f"{name} says the same as {target.name}.")
    cli.result(cli.client.templates.get(created.id))


@command(app, "instantiate", examples="nexus template instantiate web web-1")
def instantiate_template(
    cli: Cli,
    template: TemplateArgument,
    name: Annotated[str, typer.Argument(metavar="VM", help="Name of the new VM.")],
    *,
    no_start: Annotated[bool, typer.Option("--no-start", help="Create it stopped.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Create a VM from a template. To change something of it: nexus vm create --template."""
    target = _the_template(cli, template)
    spec: dict[str, object] = {"name": name}
    if no_start:
        spec["start"] = False
    create_and_wait(
        cli,
        lambda: cli.client.templates.instantiate(target.id, spec),
        name=name,
        no_wait=no_wait,
        timeout_s=timeout,
    )


@command(app, "delete", examples=("nexus template delete web", "nexus template delete --yes a b"))
def delete_templates(
    cli: Cli,
    template: Annotated[
        list[str], typer.Argument(metavar="TEMPLATE", help="Names or ids.", autocompletion=template_names)
    ],
    *,
    yes: YesOption = False,
) -> None:
    """Forget templates. VMs made from them stay. Asks first at a terminal."""
    targets = [_the_template(cli, one) for one in template]
    require_consent(cli, targets, yes=yes)
    delete_each(cli, targets, cli.client.templates.delete)
