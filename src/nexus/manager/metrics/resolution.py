"""How history is cut into points. Pure.

Minutes are kept for some days and quarters of an hour for longer, so what was asked for may have to be answered in
coarser steps, and is never answered with more than 1,000 points. Points begin at whole multiples of their step since
1970, so that the same history comes in the same points whenever it is asked for.
"""

import math
from datetime import UTC, datetime, timedelta

from nexus.manager.metrics.errors import NoSuchSpan
from nexus.manager.metrics.models import Cut, Tier

MINUTE_S, QUARTER_S = 60, 900
MOST_POINTS = 1000
DEFAULT_SPAN = timedelta(hours=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def cut(
    start: datetime | None, end: datetime | None, step_s: int | None, *, now: datetime, minutes_kept: timedelta
) -> Cut:
    """The points of what was asked for; `step_s` is the least that will do. Raises NoSuchSpan."""
    try:
        end = (end or now).astimezone(UTC)
        start = (start or end - DEFAULT_SPAN).astimezone(UTC)
    except OverflowError as nowhere:
        raise NoSuchSpan from nowhere
    if not EARLIEST <= start < end <= LATEST:
        raise NoSuchSpan
    least = max(step_s or 0, (end - start).total_seconds() / MOST_POINTS)
    unit = MINUTE_S if start >= now - minutes_kept and least < QUARTER_S else QUARTER_S
    step = max(unit, math.ceil(least / unit) * unit)
    while _points(start, end, step) > MOST_POINTS:  # aligned, there may be one more
        step += unit
    tier = Tier.QUARTERS if unit == QUARTER_S else Tier.MINUTES
    return Cut(_floor(start, step), _ceil(end, step), step, tier)


def _points(start: datetime, end: datetime, step_s: int) -> int:
    return int((_ceil(end, step_s) - _floor(start, step_s)).total_seconds()) // step_s


def _floor(moment: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(math.floor(moment.timestamp() / step_s) * step_s, UTC)


def _ceil(moment: datetime, step_s: int) -> datetime:
    return datetime.fromtimestamp(math.ceil(moment.timestamp() / step_s) * step_s, UTC)
