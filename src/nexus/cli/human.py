"""Sizes and times as people write and read them. Pure: the present moment is an argument."""

import re
from datetime import datetime, timedelta

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[KMGT]?)(?:i?B)?", re.IGNORECASE)
_SPAN = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[dhms])")
_SPANS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def parse_bytes(text: str, *, default_unit: str = "") -> int:
    """`512M`, `1.5GiB`, `1048576` as bytes, in powers of 1024. Raises ValueError with a sentence for the user."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size. Write it like 512M or 10G.")
    unit = match["unit"].upper() or default_unit
    return int(float(match["number"]) * 1024 ** _UNITS[unit])


def parse_mib(text: str) -> int:
    """`512M`, `1G`, or a bare number of MiB, as MiB. Raises ValueError."""
    size_bytes = parse_bytes(text, default_unit="M")
    if size_bytes == 0 or size_bytes % 1024**2:
        raise ValueError(f"{text!r} is not a whole number of MiB. Write it like 512M or 1G.")
    return size_bytes // 1024**2


def parse_span(text: str) -> timedelta:
    """`30m`, `24h`, `7d`, `90s` as a length of time. Raises ValueError with a sentence for the user."""
    match = _SPAN.fullmatch(text.strip())
    if not match or int(match["number"]) == 0:
        raise ValueError(f"{text!r} is not a length of time. Write it like 30m, 24h or 7d.")
    return timedelta(seconds=int(match["number"]) * dict(_SPANS)[match["unit"]])


def size(size_bytes: float) -> str:
    """At most four characters of number, and a unit: 512 MiB, 1.5 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{_short(size_bytes)} {unit}"
        size_bytes /= 1024
    return f"{_short(size_bytes)} TiB"


def rate(bytes_per_s: float | None) -> str | None:
    """Bytes in each second; None: nobody knows."""
    return None if bytes_per_s is None else f"{size(bytes_per_s)}/s"


def percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} %"


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < 100 else f"{number:.0f}"


def ago(moment: datetime | None, *, now: datetime) -> str:
    """How long ago, in the largest unit: 3d, 5h, 12m, 40s. A clock that runs ahead of ours counts as now."""
    return "-" if moment is None else span(now - moment)


def span(length: timedelta) -> str:
    """A length of time in its largest unit, rounded down."""
    seconds = max(0, int(length.total_seconds()))
    for unit, unit_s in _SPANS:
        if seconds >= unit_s:
            return f"{seconds // unit_s}{unit}"
    return "0s"
