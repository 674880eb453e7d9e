"""Names for the shell's completion, asked of the running manager. No manager, no session: no names, and no words."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from nexus.cli.failures import report
from nexus.cli.invocation import Cli
from nexus.cli.public_keys import files, names_a_file

if TYPE_CHECKING:
    from uuid import UUID

    from nexus.client.api import Client


_MOST = 100


def names(ask: Callable[["Client", str], Iterable[str]]) -> Callable[[str], list[str]]:
    """A completion callback that offers what `ask` gives, as far as it fits what was typed."""

    def complete(incomplete: str) -> list[str]:
        try:
            return sorted(name for name in ask(Cli().client, incomplete) if name.startswith(incomplete))
        except Exception as error:
            if report(error) is None:
                raise
            return []  # a completion that prints an error would garble the line being typed

    return complete


def of_vm(ask: Callable[["Client", "UUID"], Iterable[str]]) -> Callable[["typer.Context", str], list[str]]:
    """The same for what belongs to the VM that was named before it on the line."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        named = str(ctx.params.get("vm") or "")
        found = names(
            lambda client, _typed: (name for vm in client.vms.list(name=named) for name in ask(client, vm.id))
        )
        return found(incomplete)

    return complete


def preset_names(device: str) -> Callable[[str], list[str]]:
    """Rate limiters that have names, for a drive or a nic."""
    return names(lambda client, _typed: (one.name for one in client.presets.list() if one.device == device))


vm_names = names(lambda client, typed: (vm.name for vm in client.vms.list(q=typed or None, limit=_MOST)))
data_image_names = names(lambda client, _typed: (image.name for image in client.images.list(kind="data")))
image_names = names(lambda client, _typed: (image.name for image in client.images.list()))
host_names = names(lambda client, _typed: (host.name for host in client.hosts.list()))
template_names = names(
    lambda client, typed: (template.name for template in client.templates.list(q=typed or None, limit=_MOST))
)
snapshot_names = names(
    lambda client, typed: (snapshot.name for snapshot in client.snapshots.list(q=typed or None, limit=_MOST))
)
ssh_key_names = names(lambda client, typed: (key.name for key in client.ssh_keys.list(q=typed or None, limit=_MOST)))


def ssh_keys_and_files(incomplete: str) -> list[str]:
    """What `--ssh-key` takes: names first, files too as soon as it cannot be a name any more."""
    return files(incomplete) if names_a_file(incomplete) else ssh_key_names(incomplete)
