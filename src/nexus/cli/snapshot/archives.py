"""`nexus snapshot export` and `import`: a snapshot as one file.

Must stay true: under the name that was asked for there is a whole archive or nothing; what breaks off is a failure.
"""

import errno
import os
import stat
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.failures import OWN_FAILURE, REFUSED, USAGE, CliFailure
from nexus.cli.host.subject import the_host
from nexus.cli.invocation import Cli
from nexus.cli.snapshot.subject import SnapshotArgument, the_snapshot
from nexus.cli.vm.copying import Progress
from nexus.cli.waiting import TIMEOUT_S, follow

STANDARD = "-"
PIECE_BYTES = 1 << 20


def register(app: typer.Typer) -> None:
    @command(
        app,
        "export",
        examples=(
            "nexus snapshot export before-upgrade before-upgrade.tar",
            "nexus snapshot export nightly - | ssh backup 'cat > nightly.tar'",
        ),
    )
    def export_snapshot(
        cli: Cli,
        snapshot: SnapshotArgument,
        file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write it; - for standard output.")],
        *,
        force: Annotated[bool, typer.Option("--force", "-f", help="Replace the file if it is there.")] = False,
    ) -> None:
        """Write a snapshot to a file, to keep it elsewhere or to import it into another platform. The file holds what
        the VM held, passwords and keys too."""
        began = time.monotonic()
        target = the_snapshot(cli, snapshot)
        with (
            _output(file, force=force) as out,
            cli.client.snapshots.export(target.id) as archive,
            Progress(is_shown=sys.stderr.isatty(), all_bytes=archive.length) as progress,
        ):
            _copy(archive.pieces, out, progress)
        cli.say(f"{target.name} is exported ({human.size(progress.bytes)}, {time.monotonic() - began:.1f} s).")

    @command(
        app,
        "import",
        examples=(
            "nexus snapshot import before-upgrade.tar",
            "ssh backup 'cat nightly.tar' | nexus snapshot import - --name nightly",
        ),
    )
    def import_snapshot(
        cli: Cli,
        file: Annotated[str, typer.Argument(metavar="FILE", help="What an export has written; - for standard input.")],
        *,
        name: Annotated[str | None, typer.Option(metavar="NAME", help="Default: what it was called.")] = None,
        host: Annotated[str | None, typer.Option(metavar="HOST", help="Default: one that fits and has room.")] = None,
    ) -> None:
        """Make a snapshot of a file that an export has written. VMs are made of it with: nexus snapshot restore."""
        began = time.monotonic()
        host_id = the_host(cli, host).id if host is not None else None
        snapshots = cli.client.snapshots
        with (
            _input(file) as (source, length),
            Progress(is_shown=sys.stderr.isatty(), all_bytes=length) as progress,
        ):
            pieces = _pieces(source, progress)
            created = snapshots.import_(pieces, length=length, name=name, host_id=host_id)
        if created.operation_id:
            follow(cli, created.operation_id, label="Importing", timeout_s=TIMEOUT_S)
        taken = snapshots.get(created.id)
        cli.say(f"{taken.name} is there, on {taken.host_name} ({time.monotonic() - began:.1f} s).")
        cli.result(taken)


def _copy(pieces: Iterable[bytes], out: IO[bytes], progress: Progress) -> None:
    for piece in pieces:
        try:
            out.write(piece)
        except OSError as refused:
            raise _unwritable(refused) from refused
        progress.moved(len(piece))


def _sync(out: IO[bytes]) -> None:
    try:
        out.flush()
        os.fsync(out.fileno())
    except OSError as refused:
        raise _unwritable(refused) from refused


def _unwritable(refused: OSError) -> CliFailure:
    return CliFailure(f"Cannot write the archive: {refused.strerror}.", exit_code=OWN_FAILURE)


def _pieces(source: IO[bytes], progress: Progress) -> Iterator[bytes]:
    while piece := source.read(PIECE_BYTES):
        yield piece
        progress.moved(len(piece))


@contextmanager
def _output(file: str, *, force: bool) -> Generator[IO[bytes]]:
    """Where an archive goes. A file is there, for its owner alone, when all of it is written and on disk."""
    if file == STANDARD:
        if sys.stdout.isatty():
            raise CliFailure("An archive is nothing for a terminal.", suggestion="Name a file.", exit_code=USAGE)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise CliFailure(f"{file} is no regular file.", suggestion="Write to - and redirect that.", exit_code=REFUSED)
    if path.is_dir() or (path.exists() and not force):
        way_out = "Name a file in it." if path.is_dir() else "Name another one, or replace it with --force."
        what = "is a directory" if path.is_dir() else "is there already"
        raise CliFailure(f"{file} {what}.", suggestion=way_out, exit_code=REFUSED)
    try:
        number, draft = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as refused:
        raise CliFailure(f"Cannot write {file}: {refused.strerror}.") from refused
    try:
        with os.fdopen(number, "wb") as out:
            yield out
            _sync(out)
        _put(Path(draft), path, force=force)
    finally:
        Path(draft).unlink(missing_ok=True)


def _put(draft: Path, path: Path, *, force: bool) -> None:
    """Give a finished file its name, in the place of another only where that is wanted."""
    try:
        if force:
            draft.rename(path)
        else:
            _put_new(draft, path)
    except FileExistsError as taken:
        raise CliFailure(
            f"{path} is there already.", suggestion="Name another one, or replace it with --force.", exit_code=REFUSED
        ) from taken
    except OSError as refused:
        raise CliFailure(f"Cannot write {path}: {refused.strerror}.") from refused


def _put_new(draft: Path, path: Path) -> None:
    """Raises FileExistsError; on a file system without hard links only if the other file was there long before."""
    try:
        path.hardlink_to(draft)
    except OSError as refused:
        if refused.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from refused
        draft.rename(path)


@contextmanager
def _input(file: str) -> Generator[tuple[IO[bytes], int | None]]:
    """Where an archive comes from, and how long it is, where that can be known."""
    if file == STANDARD:
        if sys.stdin.isatty():
            raise CliFailure("An archive cannot be typed.", suggestion="Name a file.", exit_code=USAGE)
        yield sys.stdin.buffer, None
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below; only opening it is told of here
    except OSError as refused:
        raise CliFailure(f"Cannot read {file}: {refused.strerror}.") from refused
    with source:
        status = os.fstat(source.fileno())
        yield source, status.st_size if stat.S_ISREG(status.st_mode) else None
