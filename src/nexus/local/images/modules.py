"""Which kernel modules a guest needs before it can mount anything, and in which order to load them.

A module says in its .modinfo section what it depends on; names count the same with `-` and `_`. What a kernel has built
in is listed in its modules.builtin.
"""

import gzip
import lzma
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import zstandard

_SUFFIX = re.compile(r"\.ko(\.(xz|zst|gz))?$")


class MissingModule(Exception):
    """A module that is needed is neither in the package nor built into the kernel."""


def module_name(path: str) -> str | None:
    """The canonical name of the module at `path`; None if it is no module."""
    name = PurePosixPath(path).name
    return _SUFFIX.sub("", name).replace("-", "_") if _SUFFIX.search(name) else None


def unpack(path: str, data: bytes) -> bytes:
    """The module itself, whatever it is compressed with."""
    match PurePosixPath(path).suffix:
        case ".xz":
            return lzma.decompress(data)
        case ".gz":
            return gzip.decompress(data)
        case ".zst":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
        case _:
            return data


def depends(module: bytes) -> list[str]:
    """The names of the modules that must be loaded before this one."""
    found = re.search(rb"(?:^|\0)depends=([^\0]*)\0", module)
    names = found[1].decode().split(",") if found else []
    return [name.replace("-", "_") for name in names if name]


def missing(modules: Mapping[str, bytes]) -> set[str]:
    """What `modules` (by name) depend on and do not hold."""
    return {needed for module in modules.values() for needed in depends(module)} - set(modules)


def load_order(wanted: Iterable[str], modules: Mapping[str, bytes], builtin: set[str]) -> list[str]:
    """`wanted` with all dependencies, each after what it depends on; what is built in is left out.

    Raises MissingModule.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name in builtin:
            return
        if name not in modules:
            raise MissingModule(f"the kernel has no module {name}")
        for needed in depends(modules[name]):
            visit(needed)
        order.append(name)

    for name in wanted:
        visit(name.replace("-", "_"))
    return order
