"""Modules load in an order in which each finds what it needs."""

import gzip
import lzma

import pytest
import zstandard

from nexus.local.images import modules


def module(*needs: str) -> bytes:
    return b"\x7fELF...\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0name=x\0"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("lib/modules/6.1/kernel/drivers/char/hw_random/virtio-rng.ko", "virtio_rng"),
        ("virtio.ko.xz", "virtio"),
        ("overlay.ko.zst", "overlay"),
        ("squashfs.ko.gz", "squashfs"),
        ("modules.builtin", None),
        ("virtio.ko.sig", None),
    ],
)
def test_a_module_is_known_by_its_canonical_name(path: str, name: str | None) -> None:
    assert modules.module_name(path) == name


@pytest.mark.parametrize(
    ("path", "packed"),
    [
        ("a.ko", b"body"),
        ("a.ko.gz", gzip.compress(b"body", mtime=0)),
        ("a.ko.xz", lzma.compress(b"body")),
        ("a.ko.zst", zstandard.ZstdCompressor().compress(b"body")),
    ],
)
def test_a_module_is_unpacked_whatever_packs_it(path: str, packed: bytes) -> None:
    assert modules.unpack(path, packed) == b"body"


def test_dependencies_come_first_and_once_and_what_is_built_in_not_at_all() -> None:
    found = {
        "virtio_net": module("net-failover", "virtio"),
        "net_failover": module("failover"),
        "failover": module(),
        "virtio": module("virtio_ring", "printk"),
        "virtio_ring": module(),
    }
    order = modules.load_order(["virtio", "virtio_net", "ext4"], found, {"ext4", "printk"})
    assert order == ["virtio_ring", "virtio", "failover", "net_failover", "virtio_net"]


def test_a_module_that_is_nowhere_is_named() -> None:
    with pytest.raises(modules.MissingModule, match="virtio_ring"):
        modules.load_order(["virtio"], {"virtio": module("virtio_ring")}, set())


def test_what_is_still_to_be_read_is_what_others_depend_on() -> None:
    assert modules.missing({"a": module("b", "c"), "b": module()}) == {"c"}


def test_a_parameter_that_ends_in_depends_is_not_taken_for_dependencies() -> None:
    assert modules.depends(b"softdepends=zzz\0depends=virtio\0") == ["virtio"]
