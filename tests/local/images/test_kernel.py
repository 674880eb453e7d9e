"""A kernel and its modules come out of packages laid out as Debian's and as Ubuntu's are."""

import gzip
import lzma
import shutil
from pathlib import Path

import pytest
import zstandard
from tests.local.images.archives import Offered, apt_for, make_archive
from tests.local.images.kernels import boot_image, elf
from tests.local.images.packages import deb

from nexus.local.images import kernel
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Silent
from nexus.local.images.recipes import KernelRecipe

RECIPE = KernelRecipe(
    packages={"debian": ("linux-image-cloud-amd64", "linux-image-amd64"), "ubuntu": ("linux-image-virtual",)},
    modules=("virtio_blk", "ext4"),
    optional_modules=("vsock", "virtio-rng"),
)


def module(*needs: str) -> bytes:
    return b"\0depends=" + ",".join(needs).encode() + b"\0"


MODULES = {
    "./lib/modules/6.1/kernel/drivers/block/virtio_blk.ko.xz": lzma.compress(module("virtio-ring")),
    "./lib/modules/6.1/kernel/drivers/virtio/virtio_ring.ko": module("virtio"),
    "./lib/modules/6.1/kernel/drivers/virtio/virtio.ko.zst": zstandard.ZstdCompressor().compress(module()),
    "./lib/modules/6.1/kernel/drivers/char/virtio-rng.ko": module("virtio"),
    "./lib/modules/6.1/kernel/drivers/net/unwanted.ko": module(),
    "./lib/modules/6.1/modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
}
IMAGE = {"./boot/vmlinuz-6.1-cloud": boot_image(gzip.compress(elf()))}


def write(tmp_path: Path, name: str, files: dict[str, bytes]) -> Path:
    path = tmp_path / name
    path.write_bytes(deb(files))
    return path


@pytest.mark.parametrize("is_split", [False, True])
def test_kernel_and_modules_are_taken_from_one_package_or_two(tmp_path: Path, is_split: bool) -> None:
    debs = (
        [write(tmp_path, "image.deb", IMAGE), write(tmp_path, "modules.deb", MODULES)]
        if is_split
        else [write(tmp_path, "image.deb", IMAGE | MODULES)]
    )
    made = kernel.build(RECIPE, debs, Silent())
    assert (made.release, made.vmlinux) == ("6.1-cloud", elf())
    assert b"virtio.ko\nvirtio_ring.ko\nvirtio_blk.ko\nvirtio_rng.ko\n" in made.modules_archive
    assert b"unwanted" not in made.modules_archive


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (IMAGE, "no module virtio_blk"),
        (MODULES, "no kernel"),
        (MODULES | {"./boot/vmlinuz-1": b"MZ" + bytes(2000)}, "no x86 boot image"),
        (IMAGE | {path: data for path, data in MODULES.items() if "builtin" not in path}, "no module ext4"),
    ],
)
def test_a_kernel_that_would_not_start_a_guest_is_refused(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(ImageBuildError, match=reason):
        kernel.build(RECIPE, [write(tmp_path, "image.deb", files)], Silent())


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")
@pytest.mark.parametrize(
    ("distribution", "offered", "expected"),
    [
        (
            "debian",
            [
                Offered("linux-image-cloud-amd64", depends="linux-image-6.1.0-5-cloud-amd64 (= 1)"),
                Offered("linux-image-6.1.0-5-cloud-amd64", depends="kmod, linux-base"),
            ],
            ["linux-image-6.1.0-5-cloud-amd64"],
        ),
        (
            "debian",
            [Offered("linux-image-amd64", depends="linux-image-6.12-amd64"), Offered("linux-image-6.12-amd64")],
            ["linux-image-6.12-amd64"],
        ),
        (
            "ubuntu",
            [
                Offered("linux-image-virtual", depends="linux-image-6.8.0-1-generic"),
                Offered("linux-image-6.8.0-1-generic", depends="kmod, linux-base, linux-modules-6.8.0-1-generic"),
                Offered("linux-modules-6.8.0-1-generic", depends="wireless-regdb"),
            ],
            ["linux-image-6.8.0-1-generic", "linux-modules-6.8.0-1-generic"],
        ),
    ],
)
def test_the_newest_kernel_is_found_through_its_metapackage(
    tmp_path: Path, distribution: str, offered: list[Offered], expected: list[str]
) -> None:
    apt = apt_for(make_archive(tmp_path / "archive", offered), tmp_path / "state")
    apt.update(Silent())
    assert [package.name for package in kernel.packages(apt, RECIPE, distribution)] == expected


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")
def test_an_archive_without_a_kernel_is_refused(tmp_path: Path) -> None:
    apt = apt_for(make_archive(tmp_path / "archive", [Offered("bash")]), tmp_path / "state")
    apt.update(Silent())
    with pytest.raises(ImageBuildError, match="no kernel package"):
        kernel.packages(apt, RECIPE, "debian")
