"""Identifiers: UUIDs that sort by the time they were made (UUIDv7, RFC 9562 section 5.7).

Sorted ids keep B-tree inserts at the right-hand edge and let keyset paging use the primary key.
"""

import os
import time
from uuid import UUID


def new_id() -> UUID:
    """A fresh UUIDv7: 48 bits of Unix milliseconds, then version, variant and 74 random bits."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def read_id(text: str) -> UUID | None:
    """The id in `text`; None for what is none, such as a name: where either may stand, what reads as an id is one."""
    try:
        return UUID(text)
    except ValueError:
        return None
