"""Where a new drive's content comes from: nowhere, an image, or a file of the host's own."""

from uuid import UUID

from nexus.kit.db import Tx
from nexus.kit.ids import read_id
from nexus.manager.access import Actor
from nexus.manager.drives import repository, rules
from nexus.manager.drives.errors import FileInUse, FileRefused, HostFilesNotAllowed
from nexus.manager.drives.models import HostFile, NewDrive
from nexus.manager.drives.schemas import CreateDrive
from nexus.manager.images import service as images
from nexus.manager.images.models import Image, ImageKind
from nexus.manager.vms import offering
from nexus.manager.vms.guest import Guests, told
from nexus.protocol.hosts import Offer
from nexus.protocol.machines import DiskFormat, DiskRole
from nexus.protocol.trouble import Refused


async def ask_host(
    guests: Guests, actor: Actor, vm_id: UUID, path: str | None, *, size_bytes: int | None
) -> HostFile | None:
    """What a VM's host says of a file of its own, which it makes if it is missing and `size_bytes` is given; None
    without a path. Raises VmNotFound, HostFilesNotAllowed, NotOffered, FileRefused, or as_problem's."""
    if path is None:
        return None
    if not actor.is_admin:
        raise HostFilesNotAllowed
    reached = await guests.reach(actor, vm_id)
    wish = f"use {path} as a drive"
    offering.require(reached.vm, wish, [Offer.HOST_FILES])
    async with told(wish):
        try:
            found = await reached.agent.find_file(path)
            if found.size_bytes is None and size_bytes is not None:
                found = await reached.agent.ensure_file(found.path, size_bytes=size_bytes)
        except Refused as refused:
            raise FileRefused(f"path_on_host: {refused}.") from refused
    if found.size_bytes is None:
        raise FileRefused(
            f"path_on_host: {path} is not there on {reached.vm.host.name}.",
            suggestion="Give size_bytes to have it made.",
        )
    return HostFile(reached.vm.host.id, path, found.path, found.size_bytes)


async def claim(tx: Tx, file: HostFile, *, besides: UUID | None, reads_only: bool) -> None:
    """Keep others from this file until `tx` ends, when the drive's row does. Raises FileInUse."""
    others = await repository.users_of_file(
        tx, file.host_id, file.resolved_path, besides=besides, reads_only=reads_only
    )
    if others:
        raise FileInUse(file.path, others)


async def new_drive(tx: Tx, actor: Actor, wanted: CreateDrive, file: HostFile | None) -> NewDrive:
    """The drive that a request means. Raises ImageNotFound, DriveRefused."""
    image = await _image(tx, actor, wanted)
    if image is not None:
        rules.check_image(image, is_read_only=wanted.is_read_only)
        rules.check_size(wanted.size_bytes, least=image.size_bytes, why=f"image {image.name} alone has")
    content = rules.format_of(
        image, has_path=file is not None, wanted=DiskFormat(wanted.format) if wanted.format else None
    )
    if content is DiskFormat.EXT4:
        rules.check_size(wanted.size_bytes, least=rules.LEAST_EXT4_BYTES, why="an ext4 takes")
    size = wanted.size_bytes or (image.size_bytes if image else file.size_bytes if file else None)
    return NewDrive(
        drive_id=wanted.drive_id,
        role=DiskRole.DATA,
        format=content,
        image_id=image.id if image else None,
        size_bytes=size,
        is_read_only=wanted.is_read_only,
        file=file,
        cache_type=wanted.cache_type,
        io_engine=wanted.io_engine,
        rate_limiter=wanted.rate_limiter.limiter() if wanted.rate_limiter else None,
    )


async def _image(tx: Tx, actor: Actor, wanted: CreateDrive) -> Image | None:
    named = wanted.image_id or (wanted.image and (read_id(wanted.image) or wanted.image))
    if not named:
        return None
    return await images.choose(tx, project_id=actor.project_id, kind=ImageKind.DATA, named=named)
