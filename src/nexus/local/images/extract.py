"""A root file system by unpacking packages and running nothing of them.

What their installation scripts would have done is little for a small image, and done here: merged /usr, accounts, the
certificate bundle, links for busybox. Every file is root's. So the build is quick, needs no privilege and gives
the same bytes whoever runs it.
"""

from pathlib import Path

from nexus.local.images.apt import Apt, Package
from nexus.local.images.deb import BadPackage, open_data
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress
from nexus.local.images.recipes import LoadedRootfs
from nexus.local.images.tree import Tree

_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def packages(apt: Apt, loaded: LoadedRootfs) -> list[Package]:
    """What goes in: the recipe's packages with their dependencies, less those it can do without."""
    recipe = loaded.recipe
    offered = [name for name in recipe.optional_packages if apt.offers(name)]
    closure = apt.closure([*recipe.packages, *offered])
    return [package for package in closure if package.name not in recipe.without]


def unpack(loaded: LoadedRootfs, debs: list[Path], progress: Progress) -> Tree:
    """The files of `debs` in one tree, with what their scripts would have added."""
    recipe, tree = loaded.recipe, Tree()
    progress.stage("putting the root file system together")
    for deb in debs:
        try:
            with open_data(deb) as tar:
                tree.add_package(tar, drop=recipe.drop, keep=recipe.keep)
        except BadPackage as broken:
            raise ImageBuildError(str(broken), advice=f"Remove {deb} and try again.") from broken
    _link_busybox(tree, recipe.sbin)
    _add_accounts(tree)
    _bundle_certificates(tree)
    return tree


def _link_busybox(tree: Tree, sbin: tuple[str, ...]) -> None:
    """A link for every command busybox has and no package brought."""
    for name in busybox_commands(tree.read("usr/bin/busybox")):
        if f"usr/bin/{name}" not in tree and f"usr/sbin/{name}" not in tree:
            tree.symlink(f"usr/{'sbin' if name in sbin else 'bin'}/{name}", "/usr/bin/busybox")


def busybox_commands(binary: bytes) -> list[str]:
    """The commands in a busybox: its table of names, each ended by NUL; it begins with [ and [[, an empty name ends it.

    Reading it spares running a guest's program on the host. ValueError if there is no such table.
    """
    start = binary.index(b"\0[\0[[\0") + 1
    return binary[start : binary.index(b"\0\0", start)].decode("ascii").split("\0")


def _add_accounts(tree: Tree) -> None:
    """The distribution's system accounts, all locked; whoever boots the image unlocks the one it wants."""
    passwd = tree.read("usr/share/base-passwd/passwd.master").decode()
    shell = "/bin/bash" if "usr/bin/bash" in tree else "/bin/sh"
    lines = [line.replace(":*:", ":x:", 1) for line in passwd.splitlines()]
    lines = [line.rpartition(":")[0] + f":{shell}" if line.startswith("root:") else line for line in lines]
    names = [line.split(":")[0] for line in lines]
    tree.file("etc/passwd", "".join(f"{line}\n" for line in lines).encode())
    tree.file("etc/group", tree.read("usr/share/base-passwd/group.master").replace(b":*:", b":x:"))
    shadow = "".join(f"{name}:*:19000:0:99999:7:::\n" for name in names)
    tree.file("etc/shadow", shadow.encode(), mode=0o600)


def _bundle_certificates(tree: Tree) -> None:
    found = tree.paths("usr/share/ca-certificates/*.crt")
    tree.file(_CERTIFICATES, b"".join(tree.read(path).rstrip(b"\n") + b"\n" for path in found))
