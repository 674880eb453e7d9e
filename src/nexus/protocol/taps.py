"""What the host's end of an interface is called, on hosts that have one: named after the interface's id, so that it is
always found again, and so that the manager can tell users which device is theirs."""

import base64
import hashlib
from uuid import UUID

PREFIX = "nx"
DIGEST_BYTES = 8


def tap_name(nic: UUID) -> str:
    """`nx` and 13 characters: 15, the most that Linux allows."""
    digest = hashlib.sha256(nic.bytes).digest()[:DIGEST_BYTES]
    return PREFIX + base64.b32encode(digest).decode().rstrip("=").lower()
