"""`image build`, `import`: how images come to the manager's machine.

Both put a file into the manager's image directory and then register it through the API; so they work only there.
"""

import hashlib
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from nexus.cli.command import command
from nexus.cli.failures import REFUSED, CliFailure
from nexus.cli.image.kinds import Kind
from nexus.cli.invocation import Cli
from nexus.kit.durable import put_in_place

_OPTIONS: dict[str, str] = {Kind.ROOTFS: "--image", Kind.KERNEL: "--kernel"}


def _recipes(incomplete: str) -> list[str]:
    from nexus.local.images import recipes

    return [name for name in ("kernel", "initramfs", *recipes.rootfs_names()) if name.startswith(incomplete)]


def register(app: typer.Typer) -> None:
    command(app, "build", examples=("nexus image build systemd", "nexus image build kernel initramfs --refresh"))(
        build_image
    )
    command(app, "build-kernel", examples=("nexus image build-kernel", "nexus image build-kernel --jobs 2"))(
        build_kernel
    )
    command(
        app,
        "import",
        examples=(
            "nexus image import ./debian.ext4 --kind rootfs",
            "nexus image import vmlinux --kind kernel --name linux-6.12",
        ),
    )(import_image)


def build_image(
    cli: Cli,
    recipe: Annotated[list[str], typer.Argument(metavar="RECIPE", help="What to make.", autocompletion=_recipes)],
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look for newer packages.")] = False,
) -> None:
    """Make images from this distribution's packages, and register them. On the manager's machine only.

    Recipes: kernel, initramfs, python (small, the default) and systemd (a whole Debian). See also build-kernel.
    """
    _build(cli, recipe, refresh=refresh)


def build_kernel(
    cli: Cli,
    *,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Compilers at once (default: one per CPU).")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look for a newer source.")] = False,
) -> None:
    """Compile a kernel for microVMs, which boots in half the time, and register it. Minutes; on the manager's machine.

    From the distribution's package linux-source, with everything a VM needs built in. VMs take it when they are created
    with --kernel; the default stays the distribution's own.
    """
    _build(cli, ["fast-kernel"], refresh=refresh, jobs=jobs)


def _build(cli: Cli, recipes: list[str], *, refresh: bool, jobs: int | None = None) -> None:
    from nexus.local import place
    from nexus.local.errors import CannotStart
    from nexus.local.firstrun import guest_init
    from nexus.local.images import ImageBuildError, build
    from nexus.local.images.bar import Bar

    here = place.here()
    root = _image_root()
    try:
        with Bar() as bar:
            built = build(
                out=root,
                cache=here.cache,
                guest_init=guest_init(),
                recipe_names=recipes,
                refresh=refresh,
                jobs=jobs,
                progress=bar,
            )
    except ImageBuildError as failed:
        raise CliFailure(f"{failed}.", suggestion=failed.advice, exit_code=REFUSED) from failed
    except CannotStart as failed:
        raise CliFailure(f"{failed}.") from failed
    for image in built.images:
        spec = image.model_dump(include={"kind", "name", "description", "sha256", "is_default"})
        _register(cli, spec | {"size": image.size_bytes, "host_path": str(root / image.sha256)})


def import_image(
    cli: Cli,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="The file to take in."),
    ],
    *,
    kind: Annotated[Kind, typer.Option(metavar="KIND", help="kernel, initramfs, rootfs or data.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: the file's name without its ending.")
    ] = None,
    description: Annotated[str, typer.Option(metavar="TEXT", help="For people to read.")] = "",
) -> None:
    """Copy a file to the manager's images, and register it. On the manager's machine only."""
    root = _image_root()
    with _taken_in(file, root) as (kept, sha256):
        spec: dict[str, object] = {
            "kind": kind,
            "name": name or file.stem,
            "description": description,
            "sha256": sha256,
            "size": kept.stat().st_size,
            "host_path": str(kept),
        }
        _register(cli, spec)


def _image_root() -> Path:
    """Where the manager on this machine keeps its images. Raises CliFailure where there is none."""
    from nexus.local import place

    given = os.environ.get("MANAGER_IMAGE_ROOT")
    root = Path(given) if given else place.here().images
    if not root.is_dir():
        raise CliFailure(
            f"There is no image directory {root}.",
            suggestion="Run this on the manager's machine, as the user who runs it, with its NEXUS_DATA_DIR.",
        )
    return root.absolute()


@contextmanager
def _taken_in(file: Path, root: Path) -> Generator[tuple[Path, str]]:
    """A copy of `file` in `root`, named by its digest, and that digest; gone again if the block fails."""
    draft, sha256 = _copy(file, root)
    kept = root / sha256
    was_there = kept.exists()
    put_in_place(draft, kept)
    try:
        yield kept, sha256
    except BaseException:
        if not was_there:
            kept.unlink()
        raise


def _copy(file: Path, root: Path) -> tuple[Path, str]:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as source, tempfile.NamedTemporaryFile(dir=root, prefix=".import-", delete=False) as copy:
            draft = Path(copy.name)
            try:
                while block := source.read(1 << 20):
                    digest.update(block)
                    copy.write(block)
                draft.chmod(0o644)
            except BaseException:
                draft.unlink()
                raise
    except OSError as failed:
        raise CliFailure(f"Cannot copy {file} to {root}: {failed.strerror}.") from failed
    return draft, digest.hexdigest()


def _register(cli: Cli, spec: Mapping[str, object]) -> None:
    """Make an image known; one with the same content that is known already is left as it is."""
    known = [one for one in cli.client.images.list(kind=str(spec["kind"])) if one.sha256 == spec["sha256"]]
    if known:
        cli.say(f"{known[0].name} is there already.")
        cli.result(known[0])
        return
    made = cli.client.images.get(cli.client.images.create(spec).id)
    option = _OPTIONS.get(made.kind)
    cli.say(f"{made.name} is registered." + (f" Use it: nexus vm create web-1 {option} {made.name}" if option else ""))
    cli.result(made)
