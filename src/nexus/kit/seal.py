"""Secrets at rest: AES-256-GCM under a key that never enters the database.

The key is 32 bytes in a file that only its owner can read, or base64 in the environment. A sealed value is bound to
what it belongs to (`purpose`), so that one row's secret cannot be pasted into another's.

Format: one byte of version (1), 12 bytes of nonce, ciphertext and tag.
"""

import base64
import binascii
import contextlib
import os
import stat
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nexus.kit.durable import sync_directory

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


class SealError(Exception):
    """A key that cannot be used, or a sealed value that does not open with it."""


class Seal:
    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise SealError(f"the secret key must be {KEY_BYTES} bytes long, not {len(key)}")
        self._cipher = AESGCM(key)

    def seal(self, secret: str, *, purpose: str) -> bytes:
        """Encrypt; `purpose` says where it is kept, such as `vm-password:<id>`, and must be given to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret.encode(), purpose.encode())

    def unseal(self, sealed: bytes, *, purpose: str) -> str:
        """Decrypt; raises SealError when the key or the purpose is another, or the value was tampered with."""
        if sealed[:1] != _VERSION:
            raise SealError("a sealed value of an unknown format")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, purpose.encode()).decode()
        except (InvalidTag, ValueError) as wrong:
            raise SealError(f"the secret kept as {purpose} does not open with this key") from wrong


def from_text(key: str) -> Seal:
    """A Seal from base64 text, as in the environment."""
    try:
        return Seal(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError) as bad:
        raise SealError("the secret key is not base64") from bad


def from_file(path: Path) -> Seal:
    """A Seal from the key in `path`, which is made (mode 0600) if it does not exist.

    Raises SealError for a file that others may read, or that holds no key."""
    if not path.exists():
        try:
            _make(path)
        except OSError as refused:
            raise SealError(f"cannot make the secret key {path}: {refused.strerror}") from refused
    return _read(path)


def _make(path: Path) -> None:
    """Put a new key in place whole or not at all; of two processes at once, the first wins."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        sync_directory(path.parent)
    finally:
        os.unlink(draft)  # noqa: PTH108 - mkstemp gave a string


def _read(path: Path) -> Seal:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as unreadable:
        raise SealError(f"cannot read the secret key {path}: {unreadable}") from unreadable
    if mode & 0o077:
        raise SealError(f"{path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")
    return from_text(text)
