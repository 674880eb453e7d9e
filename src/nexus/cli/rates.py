"""Rates as people write and read them, and the token buckets that keep them. Pure.

Lines are told in bits (100Mbit/s), disks in bytes (50MB/s); M is a million, Mi is 1024 times 1024, as everywhere but in
sizes of memory and disks.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.client.models import Bucket

SECOND_MS, SHORT_MS = 1000, 100
_RATE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<prefix>[KMGT]i?)?(?P<unit>bit|b|B)(?:/s|ps)?", re.IGNORECASE)
_COUNT = re.compile(r"(?P<number>[0-9]+)(?:/s)?")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_rate(text: str) -> int:
    """`50MB/s`, `10MiB/s`, `100Mbit/s` as bytes per second. Raises ValueError with a sentence for the user."""
    match = _RATE.fullmatch(text.strip())
    if not match or match["unit"] == "b":
        raise ValueError(f"{text!r} is not a rate. Write it like 50MB/s or 100Mbit/s.")
    prefix = (match["prefix"] or "").upper()
    base = 1024 if prefix.endswith("I") else 1000
    amount = float(match["number"]) * base ** _POWERS[prefix.removesuffix("I")]
    return int(amount / 8 if match["unit"].lower() == "bit" else amount)


def parse_count(text: str) -> int:
    """`500/s` or `500`, as times per second. Raises ValueError."""
    match = _COUNT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a number per second. Write it like 500/s.")
    return int(match["number"])


def bucket(per_second: int, *, burst: int | None) -> dict[str, int]:
    """A token bucket that lets so much pass each second, and `burst` at once (without it a tenth of a second's worth).
    Raises ValueError for a burst that takes an hour to come back."""
    if per_second < 1:
        raise ValueError("A limit of nothing would stand still. To take limits away: --none.")
    if burst is None:
        whole = per_second >= SECOND_MS
        return {"size": per_second // 10, "refill_time": SHORT_MS} if whole else _second(per_second)
    refill_ms = max(1, round(burst * SECOND_MS / per_second))
    if refill_ms > 3_600_000:
        raise ValueError("Such a burst would take more than an hour to come back. Make it smaller.")
    return {"size": burst, "refill_time": refill_ms}


def _second(per_second: int) -> dict[str, int]:
    return {"size": per_second, "refill_time": SECOND_MS}


def bytes_per_second(limit: "Bucket | None") -> str | None:
    """50 MB/s; None for no limit."""
    return None if limit is None else f"{_short(limit.size * SECOND_MS / limit.refill_time)}B/s"


def bits_per_second(limit: "Bucket | None") -> str | None:
    """100 Mbit/s; None for no limit."""
    return None if limit is None else f"{_short(limit.size * 8 * SECOND_MS / limit.refill_time)}bit/s"


def times_per_second(limit: "Bucket | None") -> str | None:
    """500/s; None for no limit."""
    return None if limit is None else f"{limit.size * SECOND_MS / limit.refill_time:.10g}/s"


def _short(number: float) -> str:
    for prefix in ("", "k", "M", "G"):
        if number < 999.5:  # what would be rounded to 1000 is one of the next
            return f"{number:.3g} {prefix}"
        number /= 1000
    return f"{number:.3g} T"
