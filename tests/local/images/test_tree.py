"""Many packages become one merged-/usr tree, and the same tree gives the same bytes."""

import io
import tarfile

import pytest
from tests.local.images.packages import tar

from nexus.local.images.tree import Tree


def tree_of(archive: bytes, *, drop: tuple[str, ...] = (), keep: tuple[str, ...] = ()) -> Tree:
    tree = Tree()
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r|") as stream:
        tree.add_package(stream, drop=drop, keep=keep)
    return tree


def written(tree: Tree) -> dict[str, tarfile.TarInfo]:
    out = io.BytesIO()
    tree.write(out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        return {member.name: member for member in archive}


def test_what_packages_put_in_the_root_directories_goes_where_they_lead() -> None:
    tree = tree_of(tar({"./bin/sh": b"1", "./lib/x/libc.so": b"2", "./usr/bin/env": b"3", "./etc/lib/y": b"4"}))
    tree.merge_usr()
    out = written(tree)
    assert {name for name, member in out.items() if member.isfile()} == {
        "usr/bin/sh",
        "usr/lib/x/libc.so",
        "usr/bin/env",
        "etc/lib/y",
    }
    assert {name: member.linkname for name, member in out.items() if member.issym()} == {
        "bin": "usr/bin",
        "lib": "usr/lib",
    }


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("./lib/x/a.so", "../y/a.so.1", "/lib/y/a.so.1"),
        ("./bin/a", "b", "b"),
        ("./lib64/ld.so", "/lib/x/ld.so", "/lib/x/ld.so"),
        ("./usr/lib/a", "../share/a", "../share/a"),
    ],
)
def test_a_link_leads_where_it_led_before_the_merge(path: str, target: str, expected: str) -> None:
    tree = tree_of(tar({}, links={path: target}))
    (link,) = [member for member in written(tree).values() if member.issym()]
    assert link.linkname == expected


def test_a_hard_link_follows_what_it_names_and_moves_with_it() -> None:
    out = written(tree_of(tar({"./bin/zz": b"body"}, hard={"./bin/aa": "./bin/zz"})))
    assert out["usr/bin/aa"].linkname == "usr/bin/zz"
    assert list(out).index("usr/bin/aa") > list(out).index("usr/bin/zz")


def test_dropped_paths_are_left_out_except_those_to_keep() -> None:
    files = {"./usr/share/doc/a/copyright": b"1", "./usr/share/doc/a/README": b"2", "./usr/bin/a": b"3"}
    tree = tree_of(tar(files), drop=("usr/share/doc/*",), keep=("usr/share/doc/*/copyright",))
    assert tree.paths("*") == ["usr/bin/a", "usr/share/doc/a/copyright"]


@pytest.mark.parametrize("name", ["../etc/passwd", "./a/../../b", "/../x"])
def test_a_path_that_leads_out_of_the_image_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="out of the image"):
        tree_of(tar({name: b""}))


def test_owner_mode_and_parents_are_what_was_asked() -> None:
    tree = Tree()
    tree.file("etc/shadow", b"x", mode=0o600)
    tree.directory("tmp", mode=0o1777)
    out = written(tree)
    assert (out["etc/shadow"].mode, out["etc/shadow"].uid, out["etc/shadow"].gid) == (0o600, 0, 0)
    assert out["tmp"].mode == 0o1777
    assert out["etc"].isdir()


def test_a_directory_in_use_is_not_replaced_by_a_link_but_an_empty_one_is() -> None:
    tree = Tree()
    tree.directory("var/run")
    tree.symlink("var/run", "/run")
    tree.file("srv/www/index", b"")
    tree.directory("srv/www")
    with pytest.raises(ValueError, match="srv/www"):
        tree.symlink("srv/www", "/var/www")
    assert written(tree)["var/run"].issym()


def test_the_same_files_in_another_order_give_the_same_bytes() -> None:
    def archive(order: int) -> bytes:
        tree = Tree()
        for name in ["b/two", "a/one"][::order]:
            tree.file(name, name.encode())
        out = io.BytesIO()
        tree.write(out)
        return out.getvalue()

    assert archive(1) == archive(-1)
