"""`vm cp`: files and directories between here and a guest, as tar streams through the guest's own channel."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.failures import REFUSED, USAGE, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.vm.subject import the_vm

_TOLD_EVERY_S = 0.2


def register(app: typer.Typer) -> None:
    @command(
        app,
        "cp",
        examples=(
            "nexus vm cp site.tar.gz web-1:/srv/",
            "nexus vm cp ./app web-1:/opt/app",
            "nexus vm cp web-1:/var/log/syslog .",
            "nexus vm cp web-1:/etc ./etc-of-web-1",
        ),
    )
    def copy_files(
        cli: Cli,
        source: Annotated[str, typer.Argument(metavar="SOURCE", help="A path here, or VM:PATH.")],
        target: Annotated[str, typer.Argument(metavar="TARGET", help="VM:PATH, or a path here.")],
        *,
        user: Annotated[
            str | None, typer.Option("-u", "--user", metavar="NAME", help="Whose the files in the guest will be.")
        ] = None,
    ) -> None:
        """Copy a file or directory into a VM or out of it, with modes, times and links.

        As with cp: into TARGET where that is a directory, else under that name. In the guest files belong to the VM's
        user. Write ./a:b for a name here with a colon.
        """
        from_vm, to_vm = _in_a_guest(source), _in_a_guest(target)
        if (from_vm is None) == (to_vm is None):
            suggestion = "Write it like: nexus vm cp file.txt web-1:/root/"
            raise CliFailure("One side must be here and one in a VM.", suggestion=suggestion, exit_code=USAGE)
        progress = Progress(is_shown=sys.stderr.isatty())
        if to_vm is not None:
            _push(cli, Path(source), *to_vm, user=user, progress=progress)
        elif from_vm is not None:
            _pull(cli, *from_vm, Path(target), progress=progress)


def _in_a_guest(text: str) -> tuple[str, str] | None:
    """VM and path; None for a path here."""
    vm, colon, path = text.partition(":")
    if not colon or not vm or "/" in vm:
        return None
    if not path.startswith("/"):
        raise CliFailure(
            f"{text!r} names no absolute path.", suggestion=f"Write it like {vm}:/root/{path}", exit_code=USAGE
        )
    return vm, path


def _push(cli: Cli, source: Path, vm: str, path: str, *, user: str | None, progress: "Progress") -> None:
    import asyncio

    from nexus.cli.vm.packing import push

    if not source.exists():
        raise CliFailure(f"There is no {source} here.", exit_code=REFUSED)
    target = the_vm(cli, vm)
    with progress:
        done = asyncio.run(
            push(cli.client.transport, target.id, source, path=path, username=user, moved=progress.moved)
        )
    cli.say(f"Copied {source} to {target.name}:{path} ({human.size(done.bytes)}).")


def _pull(cli: Cli, vm: str, path: str, target: Path, *, progress: "Progress") -> None:
    from nexus.cli.vm.unpacking import unpack

    found = the_vm(cli, vm)
    with progress, cli.client.transport.download(f"/v1/vms/{found.id}/files", query={"path": path}) as archive:
        copied_bytes = unpack(_watched(archive, progress.moved), target)
    cli.say(f"Copied {found.name}:{path} to {target} ({human.size(copied_bytes)}).")


def _watched(chunks: Iterable[bytes], moved: "Callable[[int], None]") -> Iterable[bytes]:
    for chunk in chunks:
        moved(len(chunk))
        yield chunk


@dataclass(kw_only=True)
class Progress:
    """How much has gone, and of how much if that is known, told on one line of a terminal; nothing elsewhere."""

    is_shown: bool
    all_bytes: int | None = None
    bytes: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _told_at: float = 0.0

    def moved(self, size: int) -> None:
        """So many more bytes are through."""
        self.bytes += size
        now = time.monotonic()
        if self.is_shown and now - self._told_at > _TOLD_EVERY_S:
            self._told_at = now
            speed = human.size(self.bytes / max(now - self._begun, 0.001))
            of = f" of {human.size(self.all_bytes)}" if self.all_bytes else ""
            sys.stderr.write(f"\r\x1b[K{human.size(self.bytes)}{of}, {speed}/s")
            sys.stderr.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._told_at:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
