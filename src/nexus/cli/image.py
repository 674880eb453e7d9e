"""`nexus image`: kernels, initramfs and root file systems that VMs start from."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import Tally, command, new_app
from nexus.cli.completing import image_names
from nexus.cli.failures import REFUSED, CliFailure
from nexus.cli.invocation import Cli
from nexus.cli.naming import the
from nexus.cli.output import Column

if TYPE_CHECKING:
    from nexus.client.models import Image

app: typer.Typer = new_app("Images: kernels and root file systems that VMs start from.")

ImageArgument = Annotated[
    str, typer.Argument(metavar="IMAGE", help="Name or id of an image.", autocompletion=image_names)
]


class Kind(StrEnum):
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    ROOTFS = "rootfs"
    DATA = "data"


def _columns(now: datetime) -> "list[Column[Image]]":
    return [
        Column("NAME", lambda image: image.name),
        Column("KIND", lambda image: image.kind),
        Column("DEFAULT", lambda image: "*" if image.is_default else ""),
        Column("FORMAT", lambda image: image.format),
        Column("SIZE", lambda image: human.size(image.size_bytes)),
        Column("AGE", lambda image: human.ago(image.created_at, now=now)),
    ]


def _details(now: datetime) -> "list[Column[Image]]":
    return [
        Column("Name", lambda image: image.name),
        Column("Id", lambda image: image.id),
        Column("Kind", lambda image: image.kind),
        Column("Default", lambda image: "yes" if image.is_default else "no"),
        Column("Format", lambda image: image.format),
        Column("Size", lambda image: human.size(image.size_bytes)),
        Column("SHA-256", lambda image: image.sha256),
        Column("File", lambda image: image.path),
        Column("Description", lambda image: image.description),
        Column("Created", lambda image: f"{human.ago(image.created_at, now=now)} ago"),
    ]


def _the_image(cli: Cli, given: str) -> "Image":
    images = cli.client.images
    return the("image", given, get=images.get, named=lambda name: images.list(name=name), everything=images.list)


@command(app, "list", examples=("nexus image list", "nexus image list --kind rootfs -o json"))
def list_images(
    cli: Cli,
    *,
    kind: Annotated[Kind | None, typer.Option(metavar="KIND", help="Only kernel, initramfs, rootfs or data.")] = None,
) -> None:
    """List the images. The one a VM gets when none is named has a star."""
    empty = "No images. `nexus up` makes those a first VM needs."
    cli.list(cli.client.images.list(kind=kind), _columns(datetime.now(UTC)), empty=empty)


@command(app, "show", examples="nexus image show debian-12")
def show_image(cli: Cli, image: ImageArgument) -> None:
    """Show what an image is."""
    cli.show(_the_image(cli, image), _details(datetime.now(UTC)))


@command(app, "delete", examples=("nexus image delete old-rootfs", "nexus image delete --yes a b"))
def delete_image(
    cli: Cli,
    image: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Names or ids.", autocompletion=image_names)],
    *,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Take images out of the registry. One that a VM uses is refused. Asks first at a terminal."""
    targets = [_the_image(cli, one) for one in image]
    names = ", ".join(target.name for target in targets)
    if not yes and cli.is_interactive and not cli.confirm(f"Delete {names}?"):
        raise CliFailure("Nothing was deleted.", exit_code=REFUSED)
    tally = Tally(cli)
    for target in targets:
        tally.attempt(lambda target=target: _delete(cli, target))
    tally.close()


def _delete(cli: Cli, target: "Image") -> None:
    cli.client.images.delete(target.id)
    cli.say(f"{target.name} is deleted.")


def _recipes(incomplete: str) -> list[str]:
    from nexus.local.images import recipes

    return [name for name in ("kernel", "initramfs", *recipes.rootfs_names()) if name.startswith(incomplete)]


@command(app, "build", examples=("nexus image build systemd", "nexus image build kernel initramfs --refresh"))
def build_image(
    cli: Cli,
    recipe: Annotated[list[str], typer.Argument(metavar="RECIPE", help="What to make.", autocompletion=_recipes)],
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look for newer packages.")] = False,
) -> None:
    """Make images from this distribution's packages, and register them. On the manager's machine only.

    Recipes: kernel, initramfs, python (small, the default) and systemd (a whole Debian).
    """
    from nexus.local import place
    from nexus.local.errors import CannotStart
    from nexus.local.firstrun import guest_init
    from nexus.local.images import ImageBuildError, build
    from nexus.local.images.bar import Bar

    here = place.here()
    _require_local(here.images)
    try:
        with Bar() as bar:
            built = build(
                out=here.images,
                cache=here.cache,
                guest_init=guest_init(),
                recipe_names=recipe,
                refresh=refresh,
                progress=bar,
            )
    except ImageBuildError as failed:
        raise CliFailure(f"{failed}.", suggestion=failed.advice, exit_code=REFUSED) from failed
    except CannotStart as failed:
        raise CliFailure(f"{failed}.") from failed
    for image in built.images:
        spec = image.model_dump(include={"kind", "name", "description", "sha256", "is_default"})
        _register(cli, spec | {"size": image.size_bytes, "host_path": str(here.images / image.sha256)})


@command(
    app,
    "import",
    examples=(
        "nexus image import ./debian.ext4 --kind rootfs",
        "nexus image import vmlinux --kind kernel --name linux-6.12",
    ),
)
def import_image(
    cli: Cli,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="The file to take in.")
    ],
    *,
    kind: Annotated[Kind, typer.Option(metavar="KIND", help="kernel, initramfs, rootfs or data.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: the file's name without its ending.")
    ] = None,
    description: Annotated[str, typer.Option(metavar="TEXT", help="For people to read.")] = "",
) -> None:
    """Copy a file to the manager's images, and register it. On the manager's machine only."""
    from nexus.local import place

    root = place.here().images
    _require_local(root)
    sha256, size_bytes = _take_in(file, root)
    spec: dict[str, object] = {
        "kind": kind,
        "name": name or file.stem,
        "description": description,
        "sha256": sha256,
        "size": size_bytes,
        "host_path": str(root / sha256),
    }
    _register(cli, spec)


def _require_local(root: Path) -> None:
    if not root.is_dir():
        raise CliFailure(
            f"There is no image directory {root}.",
            suggestion="Run this on the manager's machine, as the user who runs it, with its NEXUS_DATA_DIR.",
        )


def _take_in(file: Path, root: Path) -> tuple[str, int]:
    """Copy `file` into `root` under the name of its digest; the digest, and the size in bytes."""
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with file.open("rb") as source, tempfile.NamedTemporaryFile(dir=root, prefix=".import-", delete=False) as copy:
            try:
                while block := source.read(1 << 20):
                    digest.update(block)
                    size_bytes += copy.write(block)
            except BaseException:
                Path(copy.name).unlink()
                raise
        Path(copy.name).chmod(0o644)
        shutil.move(copy.name, root / digest.hexdigest())
    except OSError as failed:
        raise CliFailure(f"Cannot copy {file} to {root}: {failed.strerror}.") from failed
    return digest.hexdigest(), size_bytes


def _register(cli: Cli, spec: Mapping[str, object]) -> None:
    """Make an image known; one with the same content that is known already is left as it is."""
    known = [one for one in cli.client.images.list(kind=str(spec["kind"])) if one.sha256 == spec["sha256"]]
    if known:
        cli.say(f"{known[0].name} is there already.")
        cli.result(known[0])
        return
    made = cli.client.images.get(cli.client.images.create(spec).id)
    cli.say(f"{made.name} is registered. Use it: nexus vm create web-1 --image {made.name}")
    cli.result(made)
