"""Guest passwords: made where the user gives none, and hashed the way every Linux guest can check them."""

import secrets
from typing import Any, cast

from passlib.handlers.sha2_crypt import sha512_crypt

_ROUNDS = 5000
"""crypt(5)'s own default: the guest computes them at every login, on one emulated CPU."""
_FEWEST_ROUNDS = 1000
"""What crypt(5) takes at least: a password of ours cannot be guessed, however fast one tries."""
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH = 16


def generate() -> str:
    """Sixteen letters and digits that are not mistaken for each other: 92 bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def crypt(password: str, *, is_generated: bool = False) -> str:
    """The password as /etc/shadow keeps it: crypt(5), SHA-512 (`$6$…`). Takes some 2 ms of this process's time, a fifth
    of it for one that was generated; nobody's rows should be locked meanwhile."""
    hasher = cast(Any, sha512_crypt)  # the library's classes are made at run time; types do not follow
    return str(hasher.using(rounds=_FEWEST_ROUNDS if is_generated else _ROUNDS).hash(password))
