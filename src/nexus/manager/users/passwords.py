"""Password hashing: argon2id with argon2-cffi's defaults (RFC 9106, low memory), off the event loop.

One hash takes tens of milliseconds and 64 MiB, so only two are made at a time; more logins at once wait their turn.
"""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
_turns = asyncio.Semaphore(2)

UNKNOWN_USER_HASH = _HASHER.hash("nobody's password")
"""Verified against when there is no such user, so that their absence does not show in the time taken."""


async def hash_password(password: str) -> str:
    async with _turns:
        return await asyncio.to_thread(_HASHER.hash, password)


async def is_password(password_hash: str, password: str) -> bool:
    """Whether this is the password behind the hash."""
    async with _turns:
        return await asyncio.to_thread(_verify, password_hash, password)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
