"""The kernel a guest boots, and the modules it needs first, from the distribution's own kernel package."""

import re
from dataclasses import dataclass
from pathlib import Path

from nexus.kit import cpio
from nexus.local.images import modules, vmlinux
from nexus.local.images.apt import Apt, Package
from nexus.local.images.deb import open_data
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress
from nexus.local.images.recipes import KernelRecipe

_VMLINUZ = re.compile(r"(?:^|/)boot/vmlinu[xz]-(.+)$")
_OTHER_KERNEL = "Report this with the distribution and the package's name; any other supported distribution works."


@dataclass(frozen=True, slots=True)
class Kernel:
    """`release` is what uname -r will say; `modules_archive` is a cpio archive of /modules."""

    release: str
    vmlinux: bytes
    modules_archive: bytes


def packages(apt: Apt, recipe: KernelRecipe, distribution: str) -> list[Package]:
    """The packages that hold the newest kernel: its image and, where they are separate, its modules."""
    for candidate in recipe.packages.get(distribution, ()):
        if apt.offers(candidate):
            image = apt.describe(_named(apt.describe([candidate])[0], "image")[:1])
            return [*image, *apt.describe(_named(image[0], "modules")[:1])]
    raise ImageBuildError(f"{distribution} offers no kernel package that we know", advice=_OTHER_KERNEL)


def build(recipe: KernelRecipe, debs: list[Path], progress: Progress) -> Kernel:
    """Unpack `debs`. Raises ImageBuildError if the kernel cannot be booted or lacks a module."""
    progress.stage("unpacking the kernel")
    contents = _Contents()
    wanted = {name.replace("-", "_") for name in (*recipe.modules, *recipe.optional_modules)}
    contents.read(debs, wanted)
    # Dependencies are known once a module is there; they are few, and reading again is cheaper than keeping them all.
    while lacking := modules.missing(contents.modules) - contents.builtin - contents.sought:
        contents.read(debs, lacking)
    optional = [name for name in recipe.optional_modules if name.replace("-", "_") in contents.modules]
    try:
        order = modules.load_order((*recipe.modules, *optional), contents.modules, contents.builtin)
        return Kernel(contents.release, vmlinux.extract(contents.image), _archive(order, contents.modules))
    except (vmlinux.BadKernel, modules.MissingModule) as unfit:
        raise ImageBuildError(f"{debs[0].name}: {unfit}", advice=_OTHER_KERNEL) from unfit


def _named(package: Package, part: str) -> list[str]:
    """The kernel packages (`linux-<part>-<release>`) that `package` depends on."""
    return re.findall(rf"\blinux-{part}-\d[\w.+~-]*", package.depends)


class _Contents:
    """What has been read of the kernel's packages so far."""

    def __init__(self) -> None:
        self.release = ""
        self.image = b""
        self.modules: dict[str, bytes] = {}
        self.builtin: set[str] = set()
        self.sought: set[str] = set()

    def read(self, debs: list[Path], names: set[str]) -> None:
        self.sought |= names
        for deb in debs:
            with open_data(deb) as tar:
                for member in tar:
                    if member.isfile() and (data := tar.extractfile(member)) and self._is_wanted(member.name, names):
                        self._keep(member.name, data.read())

    def _is_wanted(self, path: str, names: set[str]) -> bool:
        if not self.image and _VMLINUZ.search(path):
            return True
        return path.endswith("/modules.builtin") or modules.module_name(path) in names

    def _keep(self, path: str, data: bytes) -> None:
        if match := _VMLINUZ.search(path):
            self.release, self.image = match[1], data
        elif path.endswith("/modules.builtin"):
            self.builtin = {name for line in data.decode().splitlines() if (name := modules.module_name(line))}
        elif name := modules.module_name(path):
            self.modules[name] = modules.unpack(path, data)


def _archive(order: list[str], found: dict[str, bytes]) -> bytes:
    names = "".join(f"{name}.ko\n" for name in order)
    entries = [cpio.file(f"modules/{name}.ko", found[name]) for name in order]
    return cpio.write([cpio.directory("modules"), cpio.file("modules/order", names.encode()), *entries])
