"""What every root file system has in common, however its files came together: the recipe's own touches, the packing,
and how it names itself."""

from dataclasses import dataclass
from pathlib import Path

from nexus.local.images import squashfs
from nexus.local.images.progress import Progress
from nexus.local.images.recipes import LoadedRootfs
from nexus.local.images.sources import parse_os_release
from nexus.local.images.tree import Tree


@dataclass(frozen=True, slots=True)
class Identity:
    """What the image says it is, from its own os-release."""

    id: str
    version: str
    title: str


def finish(tree: Tree, loaded: LoadedRootfs, out: Path, *, newest: int, progress: Progress) -> Identity:
    """Lay the recipe's directories, links and files over `tree` and write the squashfs `out`, dated `newest`."""
    recipe = loaded.recipe
    tree.merge_usr()
    for path, mode in recipe.directories.items():
        if path not in tree:
            tree.directory(path, mode=mode)
    for path, target in recipe.symlinks.items():
        tree.symlink(path, target)
    for path, data in loaded.files.items():
        tree.file(path, data, mode=0o755 if path in recipe.executable else 0o644)
    progress.stage("packing the root file system")
    squashfs.pack(tree.write, out, newest=newest, is_all_root=recipe.method == "extract")
    return identity(tree.read("usr/lib/os-release").decode())


def identity(os_release: str) -> Identity:
    fields = parse_os_release(os_release)
    version = fields.get("VERSION_ID") or fields.get("VERSION_CODENAME", "")
    return Identity(fields["ID"], version, fields.get("PRETTY_NAME", fields["ID"]))
