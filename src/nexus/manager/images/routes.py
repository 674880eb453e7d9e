"""HTTP for images."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from nexus.kit.envelopes import Json
from nexus.kit.files import FileAnswer, RangeNotSatisfiable
from nexus.kit.http import problems, provided
from nexus.kit.paging import Page, SortField, Sorts, page
from nexus.kit.versions import IfMatch, IfNoneMatch
from nexus.manager.access import Admin, HostAgent, Viewer
from nexus.manager.images.errors import ImageFileRefused, ImageInUse, ImageNameTaken, ImageNotFound
from nexus.manager.images.models import ImageKind
from nexus.manager.images.schemas import CreateImage, ImageItem, ImageList
from nexus.manager.images.service import Images
from nexus.manager.operations import Created, Done

router = APIRouter(prefix="/v1/images", tags=["images"])

_SORTS = Sorts(
    {
        "name": SortField("i.name"),
        "kind": SortField("i.kind"),
        "size": SortField("i.size_bytes", int),
        "created_at": SortField("i.created_at", datetime),
    },
    tie="i.id",
    default="name",
)
Service = Annotated[Images, provided(Images)]
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_PARTS = _BYTES | {"multipart/byteranges": {"schema": {"type": "string", "format": "binary"}}}
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Digest of the content")]


@router.get("", response_model=ImageList)
async def list_images(
    actor: Viewer,
    images: Service,
    page: Annotated[Page, page(_SORTS)],
    kind: Annotated[ImageKind | None, Query(description="Only images of this kind")] = None,
    name: Annotated[str | None, Query(max_length=63, description="Only the image of this name")] = None,
    q: Annotated[str | None, Query(max_length=100, description="Only images whose name has this in it")] = None,
) -> Response:
    """List the images that VMs can start from."""
    body = await images.list(actor, page, kind=kind, name=name, q=q)
    return Json(body)


@router.get("/{image_id}", response_model=ImageItem, responses=problems(ImageNotFound))
async def get_image(image_id: UUID, actor: Viewer, images: Service, known: IfNoneMatch) -> Response:
    """One image."""
    return known.answer(await images.get(actor, image_id))


@router.post("", responses=problems(ImageFileRefused, ImageNameTaken))
async def create_image(wanted: CreateImage, actor: Admin, images: Service) -> Created:
    """Register a file that is already below the manager's image directory.

    It is read through; its digest and, where given, its size must be as the request says. What it holds is told by its
    content: a kernel is an ELF vmlinux, an initramfs a cpio archive, a root file system squashfs or ext4.
    """
    return Created(id=await images.create(actor, wanted))


@router.delete("/{image_id}", responses=problems(ImageNotFound, ImageInUse))
async def delete_image(image_id: UUID, actor: Admin, images: Service, expected: IfMatch) -> Done:
    """Take an image out of the registry, unless a VM was made from it. The file itself stays where it is."""
    await images.delete(actor, image_id, expected=expected)
    return Done()


@router.get(
    "/content/{sha256}",
    response_class=FileAnswer,
    responses={
        **problems(ImageNotFound, RangeNotSatisfiable),
        200: {"description": "The whole image", "content": _BYTES},
        206: {"description": "The bytes asked for with `Range`; several ranges come as multipart", "content": _PARTS},
    },
)
async def read_content(sha256: Sha256, host: HostAgent, images: Service) -> FileAnswer:
    """An image's bytes, for hosts; `Range` is honoured."""
    return FileAnswer(await images.file_of(sha256), media_type="application/octet-stream")
