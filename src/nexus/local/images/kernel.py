"""The kernel a guest boots, and the modules it needs first, from the distribution's own kernel package."""

import re
import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from nexus.kit import cpio
from nexus.local.images import modules, vmlinux
from nexus.local.images.apt import Apt, Package
from nexus.local.images.deb import BadPackage, open_data_at_random
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
    try:
        with ExitStack() as opened:
            contents = _Contents([opened.enter_context(open_data_at_random(deb)) for deb in debs])
            release, image = contents.image()
            optional = [name for name in recipe.optional_modules if contents.has_module(name)]
            found = contents.modules((*recipe.modules, *optional))
            order = modules.load_order((*recipe.modules, *optional), found, contents.builtin())
        return Kernel(release, vmlinux.extract(image), _archive(order, found))
    except (BadPackage, vmlinux.BadKernel, modules.MissingModule) as unfit:
        raise ImageBuildError(f"{debs[0].name}: {unfit}", advice=_OTHER_KERNEL) from unfit


def _named(package: Package, part: str) -> list[str]:
    """The kernel packages (`linux-<part>-<release>`) that `package` depends on."""
    return re.findall(rf"\blinux-{part}-\d[\w.+~-]*", package.depends)


class _Contents:
    """What the kernel's packages hold, read as it is asked for: a kernel has a thousand modules, a guest needs ten."""

    def __init__(self, tars: list[tarfile.TarFile]) -> None:
        self._files = {member.name: (tar, member) for tar in tars for member in tar if member.isfile()}
        self._modules = {name: path for path in self._files if (name := modules.module_name(path))}

    def image(self) -> tuple[str, bytes]:
        """The kernel's release and its boot image."""
        for path in self._files:
            if match := _VMLINUZ.search(path):
                return match[1], self._read(path)
        raise vmlinux.BadKernel("the package holds no kernel")

    def builtin(self) -> set[str]:
        lists = [self._read(path).decode() for path in self._files if path.endswith("/modules.builtin")]
        return {name for line in "\n".join(lists).splitlines() if (name := modules.module_name(line))}

    def has_module(self, name: str) -> bool:
        return name.replace("-", "_") in self._modules

    def modules(self, wanted: Iterable[str]) -> dict[str, bytes]:
        """Those of `wanted` that are there, by name, with all they depend on."""
        found: dict[str, bytes] = {}
        names = {name.replace("-", "_") for name in wanted}
        while names := {name for name in names if name in self._modules}:
            found |= {name: self._module(name) for name in names}
            names = modules.missing(found)
        return found

    def _module(self, name: str) -> bytes:
        path = self._modules[name]
        return modules.unpack(path, self._read(path))

    def _read(self, path: str) -> bytes:
        tar, member = self._files[path]
        content = tar.extractfile(member)
        assert content is not None, "only regular files are kept"
        return content.read()


def _archive(order: list[str], found: dict[str, bytes]) -> bytes:
    names = "".join(f"{name}.ko\n" for name in order)
    entries = [cpio.file(f"modules/{name}.ko", found[name]) for name in order]
    return cpio.write([cpio.directory("modules"), cpio.file("modules/order", names.encode()), *entries])
