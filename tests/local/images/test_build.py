"""Builds from the distribution's real packages; and that nothing is made twice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.local import images
from nexus.local.images import recipes
from nexus.local.images.apt import Apt
from nexus.local.images.progress import Progress


class Asked(Exception):
    """The archive was asked for something."""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_apt: Apt, _progress: Progress) -> None:
        raise Asked

    monkeypatch.setattr(Apt, "update", refuse)


@pytest.fixture
def here(built_images: images.Store, tmp_path: Path) -> Path:
    """A directory whose images/ and cache/ are as after a build, to change at will."""
    (tmp_path / "images").mkdir()
    (tmp_path / "cache").mkdir()
    for image in built_images.images():
        (tmp_path / "images" / image.sha256).symlink_to(built_images.path(image))
    shutil.copy(built_images.root / images.INDEX, tmp_path / "images")
    for modules in (built_images.root.parent / "cache").glob("modules-*.cpio"):
        shutil.copy(modules, tmp_path / "cache")
    return tmp_path


def build(here: Path, guest_init: Path, *names: str) -> images.Built:
    recipe_names = names or images.DEFAULT_RECIPES
    return images.build(out=here / "images", cache=here / "cache", guest_init=guest_init, recipe_names=recipe_names)


def test_a_first_build_makes_what_a_vm_needs(built_images: images.Store) -> None:
    kernel, initramfs, root = (built_images.default(kind) for kind in ("kernel", "initramfs", "rootfs"))
    assert built_images.path(kernel).read_bytes()[:4] == b"\x7fELF"
    assert built_images.path(initramfs).read_bytes()[:6] == b"070701"
    assert built_images.path(root).read_bytes()[:4] == b"hsqs"
    assert root.size_bytes < 45_000_000
    assert {"python3", "busybox-static", "bash", "ca-certificates"} <= set(root.packages)


def test_the_root_file_system_holds_what_its_recipe_promises(built_images: images.Store) -> None:
    listing = subprocess.run(
        ["unsquashfs", "-lls", "-d", "", built_images.path(built_images.default("rootfs"))],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {line.split()[5]: line.split() for line in listing.splitlines() if len(line.split()) > 5}
    for path in ("/usr/sbin/init", "/usr/bin/python3", "/usr/bin/bash", "/etc/ssl/certs/ca-certificates.crt", "/bin"):
        assert path in found
    assert found["/etc/shadow"][0] == "-rw-------"
    assert found["/tmp"][0] == "drwxrwxrwt"
    assert found["/root"][0] == "drwx------"
    assert {fields[1] for fields in found.values()} == {"root/root"}


@pytest.mark.usefixtures("offline")
def test_a_second_build_makes_nothing_and_asks_nobody(here: Path, guest_init: Path) -> None:
    before = (here / "images" / images.INDEX).read_bytes()
    built = build(here, guest_init)
    assert (built.made, built.downloaded_bytes) == ((), 0)
    assert [image.recipe for image in built.images] == ["kernel", "initramfs", "python"]
    assert (here / "images" / images.INDEX).read_bytes() == before


@pytest.mark.usefixtures("offline")
def test_the_cache_may_be_emptied_without_harm(here: Path, guest_init: Path) -> None:
    shutil.rmtree(here / "cache")
    assert build(here, guest_init).made == ()


def test_modules_that_were_lost_with_the_cache_are_made_again(
    here: Path, tmp_path: Path, built_images: images.Store
) -> None:
    shutil.rmtree(here / "cache")
    packages = here / "cache" / "apt" / "archives"
    packages.mkdir(parents=True)
    for package in (built_images.root.parent / "cache" / "apt" / "archives").glob("linux-*.deb"):
        (packages / package.name).symlink_to(package)
    program = tmp_path / "init"
    program.write_bytes(b"another program")
    built = build(here, program, "initramfs")
    assert built.made == ("kernel", "initramfs")
    assert b"modules/order\0" in images.Store(here / "images").path(built.images[0]).read_bytes()


@pytest.mark.usefixtures("offline")
def test_a_new_guest_program_makes_a_new_initramfs_and_nothing_else(here: Path, tmp_path: Path) -> None:
    program = tmp_path / "init"
    program.write_bytes(b"another program")
    built = build(here, program)
    assert built.made == ("initramfs",)
    archive = images.Store(here / "images").path(built.images[1]).read_bytes()
    assert b"another program" in archive
    assert b"modules/order\0" in archive


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["kernel", "python"])
def test_a_changed_recipe_is_carried_out_again(
    here: Path, guest_init: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "BUILDER_VERSION", recipes.BUILDER_VERSION + 1)
    with pytest.raises(Asked):
        build(here, guest_init, name)


@pytest.mark.usefixtures("offline")
def test_a_lost_image_is_made_again(here: Path, guest_init: Path) -> None:
    store = images.Store(here / "images")
    store.path(store.default("rootfs")).unlink()
    with pytest.raises(Asked):
        build(here, guest_init, "python")


def test_a_missing_guest_program_is_said_with_a_way_out(here: Path) -> None:
    with pytest.raises(images.ImageBuildError, match="guest program") as refused:
        build(here, here / "nowhere", "initramfs")
    assert "make build" in refused.value.advice


def test_an_unknown_recipe_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(images.ImageBuildError, match="fedora") as refused:
        build(tmp_path, tmp_path, "fedora")
    assert refused.value.advice == "Choose among kernel, fast-kernel, initramfs, python, systemd."


def test_without_mmdebstrap_the_package_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def do_nothing(_apt: Apt, _progress: Progress) -> None:
        pass

    def find_nothing(_program: str) -> None:
        pass

    monkeypatch.setattr(Apt, "update", do_nothing)
    monkeypatch.setattr(shutil, "which", find_nothing)
    with pytest.raises(images.ImageBuildError, match="mmdebstrap is not installed") as refused:
        build(tmp_path / "fresh", tmp_path, "systemd")
    assert "apt-get install mmdebstrap" in refused.value.advice


def test_the_command_prints_the_images_as_json_and_talks_on_standard_error(here: Path, guest_init: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nexus.local.images", "build", "--out", here / "images", "--cache", here / "cache",
         "--guest-init", guest_init],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [image["recipe"] for image in json.loads(done.stdout)] == ["kernel", "initramfs", "python"]
    assert done.stderr.strip() == "Made nothing; downloaded 0 MB."


def test_the_command_fails_with_reason_and_advice(tmp_path: Path, here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nexus.local.images", "build", "--out", here / "images", "--cache", here / "cache",
         "--guest-init", tmp_path / "nowhere"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot read the guest program" in done.stderr
    assert "make build" in done.stderr
    assert done.stdout == ""


def test_the_systemd_image_is_whole_and_carries_no_identity(
    built_images: images.Store, systemd_image: images.Image
) -> None:
    listing = subprocess.run(
        ["unsquashfs", "-lls", "-d", "", built_images.path(systemd_image)], capture_output=True, text=True, check=True
    ).stdout
    found = {line.split()[5]: line.split() for line in listing.splitlines() if len(line.split()) > 5}
    assert {"/usr/bin/apt", "/usr/sbin/sshd", "/usr/lib/systemd/systemd", "/usr/sbin/init"} <= found.keys()
    assert found["/etc/machine-id"][2] == "0"
    assert not [path for path in found if path.startswith(("/etc/ssh/ssh_host_", "/dev/", "/var/lib/systemd/random"))]
    assert found["/usr/bin/passwd"][0].startswith("-rws")
    assert found["/etc/shadow"][1] == "root/shadow"
    assert not systemd_image.is_default
