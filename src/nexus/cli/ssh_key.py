"""`nexus ssh-key`: public keys that are kept by name, to be let into new VMs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command, new_app
from nexus.cli.completing import ssh_key_names
from nexus.cli.deleting import YesOption, delete_each, require_consent
from nexus.cli.failures import USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.naming import MOST_SUGGESTED, the
from nexus.cli.output import Column
from nexus.cli.public_keys import STDIN, files, keys_in

if TYPE_CHECKING:
    from nexus.client.models import SshKey

app: typer.Typer = new_app("SSH keys: public keys that new VMs can let in.")

KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="Name or id of an SSH key.", autocompletion=ssh_key_names)
]


def _columns(now: datetime) -> "list[Column[SshKey]]":
    return [
        Column("NAME", lambda key: key.name),
        Column("TYPE", lambda key: key.type),
        Column("BITS", lambda key: key.bits),
        Column("FINGERPRINT", lambda key: key.fingerprint),
        Column("COMMENT", lambda key: key.comment),
        Column("AGE", lambda key: human.ago(key.created_at, now=now)),
    ]


def _details(now: datetime) -> "list[Column[SshKey]]":
    return [
        Column("Name", lambda key: key.name),
        Column("Id", lambda key: key.id),
        Column("Type", lambda key: key.type),
        Column("Bits", lambda key: key.bits),
        Column("Fingerprint", lambda key: key.fingerprint),
        Column("Comment", lambda key: key.comment),
        Column("Key", lambda key: key.public_key),
        Column("Created", lambda key: f"{human.ago(key.created_at, now=now)} ago"),
    ]


def _the_key(cli: Cli, given: str) -> "SshKey":
    keys = cli.client.ssh_keys
    return the(
        "SSH key",
        given,
        get=keys.get,
        named=lambda name: keys.list(name=name),
        everything=lambda: keys.list(limit=MOST_SUGGESTED),
    )


@command(
    app,
    "add",
    examples=(
        "nexus ssh-key add ~/.ssh/id_ed25519.pub --name laptop",
        "ssh-add -L | head -1 | nexus ssh-key add - --name agent",
    ),
)
def add_key(
    cli: Cli,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A public key file; - is standard input.", autocompletion=files)
    ],
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: the file's name without its ending.")
    ] = None,
) -> None:
    """Keep a public key under a name. A private key is refused and stays on this machine."""
    chosen = name or (Path(file).stem if file != STDIN else None)
    if chosen is None:
        raise CliFailure("A key from standard input needs a name.", suggestion="Add --name NAME.", exit_code=USAGE)
    found = keys_in(file)
    if len(found) > 1:
        suggestion = "Keys are added one by one."
        raise CliFailure(f"{file} holds {len(found)} keys.", suggestion=suggestion, exit_code=USAGE)
    keys = cli.client.ssh_keys
    key = keys.get(keys.create(name=chosen, public_key=found[0]).id)
    cli.say(f"{key.name} is kept ({key.fingerprint}). Use it: nexus vm create web-1 --ssh-key {key.name}")
    cli.result(key)


@command(app, "list", examples=("nexus ssh-key list", "nexus ssh-key list -q laptop -o json"))
def list_keys(
    cli: Cli,
    *,
    q: Annotated[
        str | None, typer.Option("-q", "--search", metavar="TEXT", help="Only with this in name, comment, fingerprint.")
    ] = None,
) -> None:
    """List your SSH keys; for administrators everybody's."""
    empty = "No SSH keys yet. Add one: nexus ssh-key add ~/.ssh/id_ed25519.pub"
    cli.list(cli.client.ssh_keys.list(q=q), _columns(datetime.now(UTC)), empty=empty)


@command(app, "show", examples="nexus ssh-key show laptop")
def show_key(cli: Cli, key: KeyArgument) -> None:
    """Show an SSH key."""
    cli.show(_the_key(cli, key), _details(datetime.now(UTC)))


@command(app, "rename", examples="nexus ssh-key rename laptop old-laptop")
def rename_key(
    cli: Cli, key: KeyArgument, name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")]
) -> None:
    """Give an SSH key another name."""
    target = _the_key(cli, key)
    cli.client.ssh_keys.rename(target.id, name=name)
    cli.say(f"{target.name} is now {name}.")
    cli.result(cli.client.ssh_keys.get(target.id))


@command(app, "delete", examples=("nexus ssh-key delete old-laptop", "nexus ssh-key delete --yes a b"))
def delete_keys(
    cli: Cli,
    key: Annotated[list[str], typer.Argument(metavar="KEY", help="Names or ids.", autocompletion=ssh_key_names)],
    *,
    yes: YesOption = False,
) -> None:
    """Forget SSH keys. VMs made with them go on letting them in. Asks first at a terminal."""
    targets = [_the_key(cli, one) for one in key]
    require_consent(cli, targets, yes=yes)
    delete_each(cli, targets, cli.client.ssh_keys.delete)
