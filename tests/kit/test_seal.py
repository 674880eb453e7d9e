"""Secrets at rest: only this key opens them, in this place."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nexus.kit.seal import KEY_BYTES, Seal, SealError, from_file, from_text

KEY = os.urandom(KEY_BYTES)


def test_what_was_sealed_opens_and_does_not_show() -> None:
    sealed = Seal(KEY).seal("hunter2", purpose="vm-password:1")
    assert b"hunter2" not in sealed
    assert sealed != Seal(KEY).seal("hunter2", purpose="vm-password:1")
    assert Seal(KEY).unseal(sealed, purpose="vm-password:1") == "hunter2"


def test_another_key_place_or_a_changed_byte_does_not_open_it() -> None:
    sealed = Seal(KEY).seal("hunter2", purpose="vm-password:1")
    with pytest.raises(SealError):
        Seal(os.urandom(KEY_BYTES)).unseal(sealed, purpose="vm-password:1")
    with pytest.raises(SealError):
        Seal(KEY).unseal(sealed, purpose="vm-password:2")
    for at in (0, 5, len(sealed) - 1):
        tampered = bytearray(sealed)
        tampered[at] ^= 1
        with pytest.raises(SealError):
            Seal(KEY).unseal(bytes(tampered), purpose="vm-password:1")


def test_a_key_file_is_made_private_once_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        seals = list(pool.map(from_file, [path] * 16))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]
    sealed = seals[0].seal("x", purpose="p")
    assert {seal.unseal(sealed, purpose="p") for seal in seals} == {"x"}


def test_a_key_that_others_can_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    from_file(path)
    path.chmod(0o640)
    with pytest.raises(SealError, match=f"chmod 600 {path}"):
        from_file(path)


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(SealError):
        from_text(text)
