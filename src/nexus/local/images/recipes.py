"""What goes into each image: data files beside this module, read into checked values.

A recipe's `digest` covers every byte of it and the version of the code that carries it out, so that an image is made
again when, and only when, its recipe has changed.
"""

import hashlib
import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BUILDER_VERSION = 2
"""Raise it when a change of the code changes what a recipe yields."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KernelRecipe(_Data):
    """The kernel's package, and the modules a guest loads before it mounts anything."""

    packages: dict[str, tuple[str, ...]] = Field(description="By distribution, the first that is offered is taken")
    modules: tuple[str, ...] = Field(description="In the order to load; dependencies come by themselves")
    optional_modules: tuple[str, ...] = Field(description="Taken where the kernel has them")


class RootfsRecipe(_Data):
    """A root file system."""

    method: Literal["extract", "mmdebstrap"] = Field(
        description="extract: unpack packages and run nothing of them; mmdebstrap: install them, scripts and all"
    )
    suffix: str = Field(description="Follows the distribution's id and version in the image's name")
    description: str
    is_default: bool = False
    packages: tuple[str, ...]
    optional_packages: tuple[str, ...] = Field(default=(), description="Taken where the distribution offers them")
    without: tuple[str, ...] = Field(default=(), description="Dependencies that nothing in this image needs")
    drop: tuple[str, ...] = Field(default=(), description="fnmatch patterns of paths to leave out")
    keep: tuple[str, ...] = Field(default=(), description="… except these")
    directories: dict[str, int] = Field(default={}, description="Path to mode, made where no package brings them")
    symlinks: dict[str, str] = {}
    executable: tuple[str, ...] = Field(default=(), description="Which of the recipe's own files are mode 0755")
    sbin: tuple[str, ...] = Field(default=(), description="Busybox commands that belong in /usr/sbin")


class LoadedRootfs(_Data):
    name: str
    recipe: RootfsRecipe
    files: dict[str, bytes] = Field(description="The recipe's own files, by path in the image")
    digest: str


def _root() -> Traversable:
    return files("nexus.local.images") / "recipes"


def kernel() -> tuple[KernelRecipe, str]:
    """The kernel recipe and its digest."""
    text = (_root() / "kernel.toml").read_bytes()
    return KernelRecipe.model_validate(tomllib.loads(text.decode())), _digest({"kernel.toml": text})


def fast_kernel() -> tuple[bytes, str]:
    """The fast kernel's configuration and its digest."""
    text = (_root() / "fast-kernel" / "kernel.config").read_bytes()
    return text, _digest({"kernel.config": text})


def rootfs_names() -> list[str]:
    return sorted(folder.name for folder in _root().iterdir() if (folder / "recipe.toml").is_file())


def rootfs(name: str) -> LoadedRootfs:
    """The root file system recipe `name`, one of `rootfs_names()`."""
    folder = _root() / name
    text = (folder / "recipe.toml").read_bytes()
    own = _tree(folder / "root") if (folder / "root").is_dir() else {}
    recipe = RootfsRecipe.model_validate(tomllib.loads(text.decode()))
    return LoadedRootfs(name=name, recipe=recipe, files=own, digest=_digest({"recipe.toml": text, **own}))


def _tree(folder: Traversable, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for child in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = prefix + child.name
        found |= _tree(child, path + "/") if child.is_dir() else {path: child.read_bytes()}
    return found


def _digest(parts: dict[str, bytes]) -> str:
    digest = hashlib.sha256(f"builder {BUILDER_VERSION}\n".encode())
    for name, data in sorted(parts.items()):
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()
