"""How history is cut into points."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.manager.metrics.errors import NoSuchSpan
from nexus.manager.metrics.models import Cut, Tier
from nexus.manager.metrics.resolution import MOST_POINTS, cut

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
KEPT = timedelta(days=2)


def of(start: datetime | None = None, end: datetime | None = None, step_s: int | None = None) -> Cut:
    return cut(start, end, step_s, now=NOW, minutes_kept=KEPT)


@pytest.mark.parametrize(
    ("ago", "step_s", "expected"),
    [
        (timedelta(hours=1), None, (60, Tier.MINUTES)),
        (timedelta(hours=1), 1, (60, Tier.MINUTES)),
        (timedelta(hours=1), 61, (120, Tier.MINUTES)),
        (timedelta(hours=1), 900, (900, Tier.QUARTERS)),
        (timedelta(hours=1), 901, (1800, Tier.QUARTERS)),
        (timedelta(days=1), None, (120, Tier.MINUTES)),
        (timedelta(days=2), 60, (180, Tier.MINUTES)),
        (timedelta(days=3), 60, (900, Tier.QUARTERS)),
        (timedelta(days=7), None, (900, Tier.QUARTERS)),
        (timedelta(days=30), None, (2700, Tier.QUARTERS)),
        (timedelta(days=30), 86400, (86400, Tier.QUARTERS)),
    ],
)
def test_the_finest_that_is_kept_and_fits_is_taken(
    ago: timedelta, step_s: int | None, expected: tuple[int, Tier]
) -> None:
    found = of(NOW - ago, NOW, step_s)
    assert (found.step_s, found.tier) == expected


def test_points_begin_at_multiples_of_their_step() -> None:
    found = of(NOW - timedelta(minutes=10), NOW)
    assert (found.start, found.end) == (NOW.replace(minute=50, hour=11, second=0), NOW.replace(minute=1, second=0))


def test_the_last_hour_is_meant_where_nothing_is_said() -> None:
    assert of() == of(NOW - timedelta(hours=1), NOW)
    assert of(None, NOW - timedelta(days=1)).start == NOW.replace(second=0) - timedelta(days=1, hours=1)


MOMENTS = st.datetimes(timezones=st.sampled_from([UTC]))


@given(MOMENTS, MOMENTS, st.none() | st.integers(1, 366 * 86400))
def test_never_more_points_than_allowed_and_never_less_than_asked(
    start: datetime, end: datetime, step_s: int | None
) -> None:
    try:
        found = of(start, end, step_s)
    except NoSuchSpan:
        assert not datetime(2000, 1, 1, tzinfo=UTC) <= start < end <= datetime(2100, 1, 1, tzinfo=UTC)
        return
    assert found.start <= start < end <= found.end
    assert (found.end - found.start).total_seconds() / found.step_s <= MOST_POINTS
    assert found.step_s >= (step_s or 0)
