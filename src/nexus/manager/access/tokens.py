"""Bearer tokens: 256 random bits behind a prefix that says what they open. Only the sha256 is ever stored."""

import hashlib
import secrets

SESSION = "nxl_"
"""A login."""
HOST = "nxh_"
"""A host's own credential."""
JOIN = "nxj_"
"""Lets one host register."""


def mint(prefix: str) -> str:
    """A new token; show it once and store `digest(token)`."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """The 32 bytes by which a token is known."""
    return hashlib.sha256(token.encode()).digest()
