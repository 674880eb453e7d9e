"""Makes the images a fresh installation needs, and leaves alone what is there.

Whether an image must be made is decided from its *inputs* (recipe, distribution, architecture; for the initramfs the
digests of what is in it) without asking any archive, so a second start needs no network. What versions the packages
have is recorded, and only asked again with `refresh`.
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nexus.local.images import compiling, extract, initramfs, kernel, mmdebstrap, recipes, rootfs, sources
from nexus.local.images.apt import Apt, Package
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress, Silent
from nexus.local.images.store import Image, Store, locked

DEFAULT_RECIPES = ("kernel", "initramfs", "python")


@dataclass(frozen=True, slots=True)
class Built:
    """What a build ended with: the images asked for, those of them that were made now, and what it downloaded."""

    images: tuple[Image, ...]
    made: tuple[str, ...]
    downloaded_bytes: int


def build(
    *,
    out: Path,
    cache: Path,
    guest_init: Path,
    recipe_names: Sequence[str] = DEFAULT_RECIPES,
    refresh: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Built:
    """Make sure that `out` holds an image of each recipe named: "kernel", "fast-kernel", "initramfs" or a root file
    system's.

    `cache` keeps downloaded packages and may be emptied at any time. `guest_init` is the program that becomes /init.
    With `refresh`, the archive is asked for newer packages even if nothing else has changed. `jobs`: compilers at once
    for the fast kernel, by default one per CPU. Blocks; safe to run in several processes. Raises ImageBuildError.
    """
    unknown = sorted(set(recipe_names) - {"kernel", "fast-kernel", "initramfs", *recipes.rootfs_names()})
    if unknown:
        known = ", ".join(["kernel", "fast-kernel", "initramfs", *recipes.rootfs_names()])
        raise ImageBuildError(f"there is no recipe {unknown[0]}", advice=f"Choose among {known}.")
    progress = progress or Silent()
    with locked(out, progress), locked(cache, progress):
        store = Store(out)
        store.sweep()
        builder = _Builder(store, cache, refresh=refresh, progress=progress)
        images: list[Image] = []
        for name in recipe_names:
            match name:
                case "kernel":
                    images.append(builder.kernel())
                case "fast-kernel":
                    images.append(builder.fast_kernel(jobs=jobs or os.cpu_count() or 1))
                case "initramfs":
                    images.append(builder.initramfs(guest_init))
                case _:
                    images.append(builder.rootfs(name))
        return Built(tuple(images), tuple(builder.made), builder.downloaded_bytes)


class _Builder:
    """One run, under the locks of store and cache."""

    def __init__(self, store: Store, cache: Path, *, refresh: bool, progress: Progress) -> None:
        self._store = store
        self._cache = cache
        self._refresh = refresh
        self._progress = progress
        self._apt: Apt | None = None
        self.made: list[str] = []

    @property
    def downloaded_bytes(self) -> int:
        return self._apt.downloaded_bytes if self._apt else 0

    def kernel(self, *, with_modules: bool = False) -> Image:
        """With `with_modules` its modules are in the cache afterwards, which they are not if that was emptied."""
        recipe, digest = recipes.kernel()
        inputs = self._inputs(digest)
        present = self._store.find("kernel", inputs)
        if present and with_modules and not self._modules_path(present).exists():
            present = None
        if present and not self._refresh:
            return present
        apt = self._fresh_apt()
        needed = kernel.packages(apt, recipe, self._distribution.id)
        if present and present.packages == _versions(needed):
            return present
        self._progress.stage("downloading the kernel")
        unpacked = kernel.build(recipe, apt.download(needed, self._progress), self._progress)
        with self._store.draft() as draft:
            draft.write_bytes(unpacked.vmlinux)
            sha256, size_bytes = self._store.take(draft)
        image = Image(
            recipe="kernel",
            kind="kernel",
            name=f"linux-{unpacked.release}",
            format="elf",
            sha256=sha256,
            size_bytes=size_bytes,
            description=f"Linux {unpacked.release} from the package {needed[0].name} {needed[0].version}",
            is_default=True,
            inputs=inputs,
            packages=_versions(needed),
        )
        self._modules_path(image).write_bytes(unpacked.modules_archive)
        return self._record(image)

    def fast_kernel(self, *, jobs: int) -> Image:
        """Everything is built in, so any initramfs of ours goes with it."""
        fragment, digest = recipes.fast_kernel()
        inputs = self._inputs(digest)
        present = self._store.find("fast-kernel", inputs)
        if present and not self._refresh:
            return present
        compiling.require_tools()
        apt = self._fresh_apt()
        source = compiling.source_package(apt, self._distribution.id)
        if present and present.packages == _versions([source]):
            return present
        self._progress.stage("downloading the kernel's source")
        [deb] = apt.download([source], self._progress)
        made = compiling.compile_kernel(deb, fragment, cache=self._cache, jobs=jobs, progress=self._progress)
        with self._store.draft() as draft:
            draft.write_bytes(made.vmlinux)
            sha256, size_bytes = self._store.take(draft)
        return self._record(
            Image(
                recipe="fast-kernel",
                kind="kernel",
                name=f"linux-{made.release}",
                format="elf",
                sha256=sha256,
                size_bytes=size_bytes,
                description=f"Linux {made.release}, compiled from {source.name} {source.version} for microVMs",
                is_default=False,
                inputs=inputs,
                packages=_versions([source]),
            )
        )

    def initramfs(self, guest_init: Path) -> Image:
        of_kernel = self.kernel()
        try:
            init = guest_init.read_bytes()
        except OSError as missing:
            raise ImageBuildError(
                f"cannot read the guest program {guest_init}: {missing.strerror}", advice="Build it first: make build."
            ) from missing
        inputs = {
            "recipe": of_kernel.inputs["recipe"],
            "kernel": of_kernel.sha256,
            "init": hashlib.sha256(init).hexdigest(),
        }
        if present := self._store.find("initramfs", inputs):
            return present
        modules = self._modules_path(self.kernel(with_modules=True)).read_bytes()
        self._progress.stage("making the initramfs")
        with self._store.draft() as draft:
            draft.write_bytes(initramfs.build(init, modules))
            sha256, size_bytes = self._store.take(draft)
        release = of_kernel.name.removeprefix("linux-")
        return self._record(
            Image(
                recipe="initramfs",
                kind="initramfs",
                name=f"nexus-init-{release}",
                format="cpio",
                sha256=sha256,
                size_bytes=size_bytes,
                description=f"Nexus init and guest agent with the modules of Linux {release}",
                is_default=True,
                inputs=inputs,
            )
        )

    def rootfs(self, name: str) -> Image:
        loaded = recipes.rootfs(name)
        inputs = self._inputs(loaded.digest)
        present = self._store.find(name, inputs)
        if present and not self._refresh:
            return present
        apt = self._fresh_apt()
        if loaded.recipe.method == "mmdebstrap":
            tree, versions = mmdebstrap.install(loaded, apt, self._distribution, self._progress)
            newest = apt.released_at()
        else:
            needed = extract.packages(apt, loaded)
            versions = _versions(needed)
            if present and present.packages == versions:
                return present
            self._progress.stage("downloading the root file system's packages")
            tree = extract.unpack(loaded, apt.download(needed, self._progress), self._progress)
            newest = tree.newest()
        with self._store.draft() as draft:
            identity = rootfs.finish(tree, loaded, draft, newest=newest, progress=self._progress)
            sha256, size_bytes = self._store.take(draft)
        return self._record(
            Image(
                recipe=name,
                kind="rootfs",
                name="-".join(part for part in (identity.id, identity.version, loaded.recipe.suffix) if part),
                format="squashfs",
                sha256=sha256,
                size_bytes=size_bytes,
                description=f"{identity.title}, {loaded.recipe.description}",
                is_default=loaded.recipe.is_default,
                inputs=inputs,
                packages=versions,
            )
        )

    @cached_property
    def _distribution(self) -> sources.Distribution:
        try:
            text = Path("/etc/os-release").read_text()
        except OSError as missing:
            raise ImageBuildError("/etc/os-release cannot be read", advice="Build on Debian or Ubuntu.") from missing
        return sources.distribution(sources.parse_os_release(text))

    @cached_property
    def _architecture(self) -> str:
        try:
            done = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as absent:
            raise ImageBuildError(
                "dpkg and apt are needed to make images",
                advice="Build on Debian or Ubuntu, or copy an image directory.",
            ) from absent
        return done.stdout.strip()

    def _inputs(self, digest: str) -> dict[str, str]:
        release = f"{self._distribution.id} {self._distribution.codename}"
        return {"recipe": digest, "distribution": release, "architecture": self._architecture}

    def _fresh_apt(self) -> Apt:
        if self._apt is None:
            chosen = sources.select(sources.read_host(), self._distribution)
            keyring = sources.keyring(self._distribution)
            text = sources.render(chosen, architecture=self._architecture, keyring=keyring)
            self._apt = Apt((self._cache / "apt").absolute(), sources=text, architecture=self._architecture)
        self._apt.update(self._progress)
        return self._apt

    def _modules_path(self, image: Image) -> Path:
        """Where the modules of a kernel wait for the initramfs to be made again without its package."""
        return self._cache / f"modules-{image.sha256}.cpio"

    def _record(self, image: Image) -> Image:
        self.made.append(image.recipe)
        return self._store.record(image)


def _versions(packages: Sequence[Package]) -> dict[str, str]:
    return {package.name: package.version for package in packages}
