"""`image list`, `show`, `delete`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nexus.cli import human
from nexus.cli.command import command
from nexus.cli.completing import image_names
from nexus.cli.deleting import YesOption, delete_each, require_consent
from nexus.cli.image.kinds import Kind
from nexus.cli.invocation import Cli
from nexus.cli.naming import the
from nexus.cli.output import Column

if TYPE_CHECKING:
    from nexus.client.models import Image

ImageArgument = Annotated[
    str, typer.Argument(metavar="IMAGE", help="Name or id of an image.", autocompletion=image_names)
]


def register(app: typer.Typer) -> None:
    @command(app, "list", examples=("nexus image list", "nexus image list --kind rootfs -o json"))
    def list_images(
        cli: Cli,
        *,
        kind: Annotated[
            Kind | None, typer.Option(metavar="KIND", help="Only kernel, initramfs, rootfs or data.")
        ] = None,
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
        yes: YesOption = False,
    ) -> None:
        """Take images out of the registry; their files stay. One that a VM, a template or a snapshot needs is refused.
        Asks first at a terminal."""
        targets = [_the_image(cli, one) for one in image]
        require_consent(cli, targets, yes=yes, warning="The files stay.")
        delete_each(cli, targets, cli.client.images.delete)


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
