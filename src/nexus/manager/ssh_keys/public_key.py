"""Reading OpenSSH public keys: `type base64 comment`, one line (sshd(8), AUTHORIZED_KEYS FILE FORMAT). Pure.

What must stay true: a refusal repeats nothing of the text it refuses, for people paste private keys by mistake.
"""

import base64
import binascii

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from nexus.manager.ssh_keys.errors import PublicKeyRefused
from nexus.manager.ssh_keys.models import KeyType, PublicKey

LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 16384
"""OpenSSH's own limit."""
_LONGEST_COMMENT = 200

_PRIVATE = ("PRIVATE KEY-----", "PuTTY-User-Key-File-", base64.b64encode(b"openssh-key-v1").decode()[:18])
"""PEM of every kind; PuTTY's own format; the body of OpenSSH's without its frame."""
_TYPES = {kind.value for kind in KeyType}
_MAKE_ONE = "Make one with 'ssh-keygen -t ed25519' and send the file that ends in .pub."


def parse(text: str, *, field: str) -> PublicKey:
    """The key in `text`, which came in the request's field `field`. Raises PublicKeyRefused with what to do instead."""
    _refuse_private(text, field)
    lines = [line for line in (line.strip() for line in text.splitlines()) if line and not line.startswith("#")]
    if len(lines) != 1 or lines[0].startswith("----"):
        raise PublicKeyRefused(
            f"{field}: one public key on one line is needed, as OpenSSH writes it.",
            suggestion="Add keys one by one; convert other formats with 'ssh-keygen -i -f FILE' (-m PKCS8 for PEM).",
        )
    words = lines[0].split(maxsplit=2)
    if words[0] not in _TYPES:
        raise _unknown_type(lines[0], field)
    kind = KeyType(words[0])
    blob, bits = _load(kind, words[1] if len(words) > 1 else "", field)
    return PublicKey(type=kind, bits=bits, blob=blob, comment=_comment(words[2:], field))


def _refuse_private(text: str, field: str) -> None:
    if any(mark in text for mark in _PRIVATE):
        raise PublicKeyRefused(
            f"{field}: this is a private key. It has not been stored; it must never leave its owner's machine.",
            suggestion="Send the file that ends in .pub. If this key has gone over a network that others use, make a "
            "new one.",
        )


def _unknown_type(line: str, field: str) -> PublicKeyRefused:
    first, *rest = line.split()
    if first == "ssh-dss":
        return PublicKeyRefused(f"{field}: DSA keys are too weak; OpenSSH takes none.", suggestion=_MAKE_ONE)
    if first.endswith("-cert-v01@openssh.com"):
        return PublicKeyRefused(
            f"{field}: this is a certificate, not a key.",
            suggestion="Send the .pub file that does not end in -cert.pub.",
        )
    if not _TYPES.isdisjoint(rest):
        return PublicKeyRefused(
            f"{field}: options before the key (from=, command= …) are not supported.",
            suggestion="Send the key alone, beginning with its type.",
        )
    return PublicKeyRefused(
        f"{field}: this is no OpenSSH public key: it does not begin with one of {', '.join(KeyType)}.",
        suggestion=_MAKE_ONE,
    )


def _load(kind: KeyType, encoded: str, field: str) -> tuple[bytes, int]:
    """The key's wire format, and its size in bits."""
    try:
        blob = base64.b64decode(encoded, validate=True)
        key = load_ssh_public_key(f"{kind} {encoded}".encode())
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as damaged:
        raise PublicKeyRefused(
            f"{field}: the {kind} key is damaged or cut off.", suggestion="Copy the whole line of the .pub file."
        ) from damaged
    bits = 256 if isinstance(key, Ed25519PublicKey) else key.key_size
    if isinstance(key, RSAPublicKey) and not LEAST_RSA_BITS <= bits <= MOST_RSA_BITS:
        raise PublicKeyRefused(
            f"{field}: an RSA key of {bits} bits; {LEAST_RSA_BITS} to {MOST_RSA_BITS} are needed.", suggestion=_MAKE_ONE
        )
    return blob, bits


def _comment(words: list[str], field: str) -> str:
    comment = "".join(words)
    if len(comment) > _LONGEST_COMMENT or not comment.isprintable():
        raise PublicKeyRefused(
            f"{field}: the comment must be printable and at most {_LONGEST_COMMENT} characters long.",
            suggestion="Shorten or leave out what follows the key.",
        )
    return comment
