"""What packages' scripts would have done and we do in their place."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from tests.local.images.archives import Offered, apt_for, make_archive
from tests.local.images.packages import deb

from nexus.local.images import extract, recipes, rootfs
from nexus.local.images.progress import Silent
from nexus.local.images.tree import Tree

BUSYBOX = b"\x7fELF code\0[\0[[\0awk\0init\0vi\0\0more code"

FILES = {
    "./bin/busybox": BUSYBOX,
    "./usr/bin/vi": b"a real one",
    "./usr/bin/bash": b"bash",
    "./usr/lib/os-release": b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n',
    "./usr/share/base-passwd/passwd.master": b"root:*:0:0:root:/root:/bin/sh\ndaemon:*:1:1::/sbin:/sbin/nologin\n",
    "./usr/share/base-passwd/group.master": b"root:*:0:\nshadow:*:42:\n",
    "./usr/share/ca-certificates/mozilla/B.crt": b"BBB",
    "./usr/share/ca-certificates/mozilla/A.crt": b"AAA\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    path = tmp_path / "all.deb"
    path.write_bytes(deb(FILES))
    return extract.unpack(recipes.rootfs("python"), [path], Silent())


def links(tree: Tree) -> dict[str, str]:
    out = io.BytesIO()
    tree.write(out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        return {member.name: member.linkname for member in archive if member.issym()}


def test_the_commands_of_a_busybox_are_read_from_it() -> None:
    assert extract.busybox_commands(BUSYBOX) == ["[", "[[", "awk", "init", "vi"]
    with pytest.raises(ValueError, match="not found"):
        extract.busybox_commands(b"something else")


def test_busybox_stands_in_for_every_command_that_no_package_brings(tree: Tree) -> None:
    assert links(tree) == {
        "usr/bin/[": "/usr/bin/busybox",
        "usr/bin/[[": "/usr/bin/busybox",
        "usr/bin/awk": "/usr/bin/busybox",
        "usr/sbin/init": "/usr/bin/busybox",
    }


def test_every_account_is_locked_until_somebody_unlocks_it(tree: Tree) -> None:
    assert tree.read("etc/passwd").splitlines() == [
        b"root:x:0:0:root:/root:/bin/bash",
        b"daemon:x:1:1::/sbin:/sbin/nologin",
    ]
    assert [line.split(b":")[:2] for line in tree.read("etc/shadow").splitlines()] == [
        [b"root", b"*"],
        [b"daemon", b"*"],
    ]
    assert tree.read("etc/group") == b"root:x:0:\nshadow:x:42:\n"


def test_the_certificates_are_one_bundle(tree: Tree) -> None:
    assert tree.read("etc/ssl/certs/ca-certificates.crt") == b"AAA\nBBB\n"


def test_the_image_says_what_it_is() -> None:
    assert rootfs.identity(FILES["./usr/lib/os-release"].decode()) == rootfs.Identity("debian", "12", "Debian 12")
    assert rootfs.identity("ID=debian\nVERSION_CODENAME=sid\n").version == "sid"


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")
def test_optional_packages_come_where_they_are_offered_and_needless_dependencies_never(tmp_path: Path) -> None:
    loaded = recipes.rootfs("python")
    offered = [Offered(name) for name in loaded.recipe.packages if name != "base-files"]
    offered += [Offered("base-files", depends="mawk"), Offered("mawk"), Offered("dropbear-bin", depends="libtommath1")]
    offered += [Offered("libtommath1")]
    apt = apt_for(make_archive(tmp_path / "archive", offered), tmp_path / "state")
    apt.update(Silent())
    names = {package.name for package in extract.packages(apt, loaded)}
    assert names == {*loaded.recipe.packages, "dropbear-bin", "libtommath1"}
