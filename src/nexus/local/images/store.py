"""The directory images are kept in: files named by their SHA-256, and index.json, which says what each one is.

A file is complete once it bears its name, and the index is replaced whole, so that a build killed at any instant leaves
nothing that could be taken for an image. Whoever writes holds the directory's lock: of two builds at once the second
waits and then finds the work done.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nexus.kit.durable import put_in_place
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress

INDEX = "index.json"

Kind = Literal["kernel", "initramfs", "rootfs"]


class Image(BaseModel):
    """One image. Its file is `sha256` in the same directory."""

    model_config = ConfigDict(frozen=True)

    recipe: str = Field(description="kernel, initramfs or the name of a root file system's recipe; one image each")
    kind: Kind
    name: str
    format: Literal["elf", "cpio", "squashfs"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int
    description: str
    is_default: bool = Field(description="What a VM gets that names no image of this kind")
    inputs: dict[str, str] = Field(description="What it was made from; while these stay the same it is not made again")
    packages: dict[str, str] = Field(default={}, description="Versions of the packages in it")


class Index(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    images: tuple[Image, ...] = ()


class Store:
    """Images in `root`, which is made if it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def images(self) -> tuple[Image, ...]:
        """Every image whose file is there. Raises ImageBuildError for an index that cannot be read."""
        return tuple(image for image in self._entries() if self._is_there(image))

    def find(self, recipe: str, inputs: dict[str, str]) -> Image | None:
        """The image made by `recipe` from exactly these inputs."""
        return next((image for image in self.images() if (image.recipe, image.inputs) == (recipe, inputs)), None)

    def default(self, kind: Kind) -> Image:
        """What a VM gets that names no image of this kind. Raises LookupError if none is the default."""
        for image in self.images():
            if image.kind == kind and image.is_default:
                return image
        raise LookupError(f"{self.root} has no default {kind}")

    def path(self, image: Image) -> Path:
        return self.root / image.sha256

    @contextmanager
    def draft(self) -> Generator[Path]:
        """An empty file to write an image to and `take()`; gone afterwards if it was not taken."""
        descriptor, name = tempfile.mkstemp(prefix=".draft-", dir=self.root)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def take(self, draft: Path) -> tuple[str, int]:
        """Give a finished draft its lasting name; answers with its digest and size."""
        with draft.open("rb+") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        draft.chmod(0o644)
        put_in_place(draft, self.root / sha256)
        return sha256, (self.root / sha256).stat().st_size

    def record(self, image: Image) -> Image:
        """Put `image` in the index, in place of what its recipe made before; answers with it as it stands there.

        What was made before may be in use under its name, so other content of the same name gets its digest added.
        """
        entries = self._entries()
        before = next((old for old in entries if old.recipe == image.recipe), None)
        if before and (before.name == image.name or before.name.startswith(f"{image.name}-")):
            is_same = before.sha256 == image.sha256
            image = image.model_copy(update={"name": before.name if is_same else f"{image.name}-{image.sha256[:8]}"})
        kept = [old for old in entries if old.recipe != image.recipe]
        text = Index(images=tuple(sorted((*kept, image), key=lambda entry: entry.recipe))).model_dump_json(indent=2)
        with self.draft() as draft:
            draft.write_text(text + "\n")
            draft.chmod(0o644)
            put_in_place(draft, self.root / INDEX)
        return image

    def sweep(self) -> None:
        """Remove what builds that were killed have left; only for who holds the lock."""
        for draft in self.root.glob(".draft-*"):
            draft.unlink()

    def _entries(self) -> tuple[Image, ...]:
        path = self.root / INDEX
        if not path.exists():
            return ()
        try:
            return Index.model_validate_json(path.read_bytes()).images
        except ValidationError as broken:
            raise ImageBuildError(
                f"{path} is not an index of images: {broken}", advice="Remove that file and build again."
            ) from broken

    def _is_there(self, image: Image) -> bool:
        path = self.path(image)
        return path.is_file() and path.stat().st_size == image.size_bytes


@contextmanager
def locked(directory: Path, progress: Progress) -> Generator[None]:
    """Hold the directory's lock; says so when it has to wait for another build."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.stage("waiting for another build to finish")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
