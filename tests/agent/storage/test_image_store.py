"""Images come whole or not at all: fetched, resumed, verified, shared."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nexus.agent.storage.images import ImageSource, ImageStore
from nexus.agent.storage.trouble import StorageTrouble

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Shelf:
    """The manager's route for images, with what it was asked for; `content` is what it gives under any digest."""

    content: bytes = CONTENT
    honours_range: bool = True
    status: int = 200
    asked: list[str | None] = field(default_factory=list[str | None])

    async def give(self, request: Request) -> Response:
        wanted = request.headers.get("range")
        self.asked.append(wanted)
        if self.status != 200:
            return Response(status_code=self.status)
        if wanted is None or not self.honours_range:
            return Response(self.content)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.content):
            return Response(status_code=416)
        return Response(self.content[start:], status_code=206)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def source(shelf: Shelf) -> AsyncIterator[ImageSource]:
    app = Starlette(routes=[Route("/v1/images/content/{sha256}", shelf.give)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://manager") as http:
        yield ImageSource(http)


@pytest.fixture
def root(short_tmp: Path) -> Path:
    return short_tmp / "images"


def say(_stage: str) -> None:
    """Nobody listens."""


async def test_an_image_is_fetched_once_for_everybody(root: Path, shelf: Shelf, source: ImageSource) -> None:
    store = ImageStore(root, seed=None, source=source)
    paths = await asyncio.gather(*(store.ensure(SHA256, say) for _ in range(5)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert len(shelf.asked) == 1
    await store.ensure(SHA256, say)
    assert len(shelf.asked) == 1
    assert paths[0].stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("honours_range", [True, False])
async def test_a_fetch_that_broke_off_goes_on(
    root: Path, shelf: Shelf, source: ImageSource, honours_range: bool
) -> None:
    shelf.honours_range = honours_range
    store = ImageStore(root, seed=None, source=source)
    (root / f".partial-{SHA256}").write_bytes(CONTENT[:1000])
    assert (await store.ensure(SHA256, say)).read_bytes() == CONTENT
    assert shelf.asked == ["bytes=1000-"]


async def test_a_complete_part_needs_only_to_be_verified(root: Path, source: ImageSource) -> None:
    store = ImageStore(root, seed=None, source=source)
    (root / f".partial-{SHA256}").write_bytes(CONTENT)
    assert (await store.ensure(SHA256, say)).read_bytes() == CONTENT


async def test_other_content_is_thrown_away(root: Path, shelf: Shelf, source: ImageSource) -> None:
    shelf.content = CONTENT[:-1] + b"!"
    store = ImageStore(root, seed=None, source=source)
    with pytest.raises(StorageTrouble, match="other content"):
        await store.ensure(SHA256, say)
    assert list(root.iterdir()) == []
    shelf.content = CONTENT
    assert (await store.ensure(SHA256, say)).read_bytes() == CONTENT


async def test_what_the_manager_says_is_passed_on(root: Path, shelf: Shelf, source: ImageSource) -> None:
    shelf.status = 404
    with pytest.raises(StorageTrouble, match="404"):
        await ImageStore(root, seed=None, source=source).ensure(SHA256, say)


async def test_the_seed_is_used_only_if_it_is_true(
    root: Path, short_tmp: Path, shelf: Shelf, source: ImageSource
) -> None:
    seed = short_tmp / "seed"
    seed.mkdir()
    (seed / SHA256).write_bytes(CONTENT)
    store = ImageStore(root, seed=seed, source=source)
    path = await store.ensure(SHA256, say)
    assert path.read_bytes() == CONTENT
    assert path.stat().st_ino == (seed / SHA256).stat().st_ino
    assert shelf.asked == []
    other = hashlib.sha256(b"other").hexdigest()
    (seed / other).write_bytes(b"not that")
    with pytest.raises(StorageTrouble, match="other content"):
        await store.ensure(other, say)
    assert (seed / other).read_bytes() == b"not that"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, SHA256 + "0", f"{SHA256}\n"])
async def test_only_a_digest_names_an_image(root: Path, name: str) -> None:
    with pytest.raises(StorageTrouble, match="not a sha256"):
        await ImageStore(root, seed=None, source=None).ensure(name, say)


async def test_a_waiter_that_gives_up_takes_the_fetch_from_nobody(
    root: Path, shelf: Shelf, source: ImageSource
) -> None:
    store = ImageStore(root, seed=None, source=source)
    impatient = asyncio.create_task(store.ensure(SHA256, say))
    patient = asyncio.create_task(store.ensure(SHA256, say))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).read_bytes() == CONTENT
    assert len(shelf.asked) == 1
