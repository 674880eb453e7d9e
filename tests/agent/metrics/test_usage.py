"""What was used between two readings, and in which minute: nothing but arithmetic."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from nexus.agent.metrics.live import sample
from nexus.agent.metrics.minutes import Minutes
from nexus.agent.metrics.recorder import as_sample
from nexus.agent.metrics.usage import Reading, Usage, between
from nexus.protocol.guest import MOST_DEVICES, GuestInterface, GuestMetrics
from nexus.protocol.metrics import MachineMinute, Source

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DAY_S = 86400.0
ONE = UUID(int=1)


def guest(*, uptime_s: float, cpu_s: float, received: int = 0, sent: int = 0) -> GuestMetrics:
    return GuestMetrics(
        uptime_s=uptime_s,
        cpu_percent=99,
        cpu_seconds=cpu_s,
        memory_total_kib=1000,
        memory_available_kib=600,
        load_1=0,
        load_5=0,
        load_15=0,
        processes=1,
        interfaces=(GuestInterface(name="eth0", mac="02:00:00:00:00:01", received_bytes=received, sent_bytes=sent),),
        root_total_bytes=100,
        root_free_bytes=30,
    )


def reading(at_s: float, **other: Any) -> Reading:
    """So many seconds after the boot of a machine of two vCPUs and 512 MiB."""
    first = Reading(
        at=NOON + timedelta(seconds=at_s),
        clock_s=1_000_000 + at_s,
        boot=1,
        age_s=at_s,
        vcpus=2,
        memory_kib=512 * 1024,
        cpu_s=0.0,
        rss_kib=100_000,
        disk_read_bytes=0,
        disk_write_bytes=0,
    )
    return replace(first, **other)


def used(earlier: Reading | None, later: Reading) -> Usage:
    usage = between(earlier, later)
    assert usage is not None
    return usage


@pytest.mark.parametrize("days", [0, 1, 30, 400, 4000])
def test_cpu_is_right_after_any_uptime(days: int) -> None:
    start_s = days * DAY_S + 10
    before = reading(start_s, cpu_s=start_s * 2, guest=guest(uptime_s=start_s, cpu_s=start_s * 2))
    later_s = start_s + 1.0
    by_guest = reading(later_s, cpu_s=start_s * 2 + 1, guest=guest(uptime_s=later_s, cpu_s=start_s * 2 + 0.5))
    assert (used(before, by_guest).cpu_percent, used(before, by_guest).cpu_source) == (25.0, Source.GUEST)
    by_host = replace(by_guest, guest=None)
    assert (used(before, by_host).cpu_percent, used(before, by_host).cpu_source) == (50.0, Source.HOST)


def test_a_young_boot_counts_from_its_beginning_and_an_old_one_from_its_first_reading() -> None:
    young = used(None, reading(4, cpu_s=4.0, disk_read_bytes=4000))
    assert (young.span_s, young.cpu_percent, young.disk) == (4, 50.0, (4000, 0))
    assert between(None, reading(3 * DAY_S, cpu_s=1e6)) is None


def test_another_boot_begins_anew() -> None:
    before = reading(DAY_S, cpu_s=50_000.0, disk_write_bytes=10**12)
    after = reading(8, boot=2, clock_s=before.clock_s + 10, cpu_s=4.0, disk_write_bytes=700)
    usage = used(before, after)
    assert (usage.span_s, usage.cpu_percent, usage.disk) == (8, 25.0, (0, 700))


def test_a_guest_that_restarted_within_its_boot_counts_what_it_did_since() -> None:
    before = reading(DAY_S, guest=guest(uptime_s=DAY_S, cpu_s=9000, received=10**9, sent=10**9))
    after = reading(DAY_S + 10, guest=guest(uptime_s=4, cpu_s=2, received=300, sent=200))
    usage = used(before, after)
    assert (usage.cpu_percent, usage.net) == (25.0, (300, 200))


def test_a_guest_that_gets_less_time_than_it_wants_is_busy_all_the_same() -> None:
    """Of ten seconds the emulated guest saw ticks for four, and was busy in all of them."""
    before = reading(100, guest=guest(uptime_s=100, cpu_s=10).model_copy(update={"cpu_total_seconds": 90.0}))
    after = reading(110, guest=guest(uptime_s=110, cpu_s=14).model_copy(update={"cpu_total_seconds": 94.0}))
    assert used(before, after).cpu_percent == 100


def test_cpu_is_never_more_than_all_nor_less_than_nothing() -> None:
    before = reading(100, cpu_s=10.0, guest=guest(uptime_s=100, cpu_s=10))
    assert used(before, reading(101, cpu_s=99.0)).cpu_percent == 100
    assert used(before, reading(101, guest=guest(uptime_s=101, cpu_s=99))).cpu_percent == 100
    assert used(before, reading(101, cpu_s=0.0)).cpu_percent == 0


def test_the_same_moment_twice_says_nothing() -> None:
    one = reading(100)
    assert between(one, one) is None


def test_a_guest_that_was_asked_once_is_not_compared_with_its_host() -> None:
    before = reading(100, cpu_s=10.0, net_in_bytes=5, net_out_bytes=5)
    after = reading(110, cpu_s=15.0, guest=guest(uptime_s=110, cpu_s=1, received=10**9))
    usage = used(before, after)
    assert (usage.cpu_source, usage.net) == (Source.HOST, None)


def test_a_sample_says_who_measured_each_figure() -> None:
    before = reading(100, guest=guest(uptime_s=100, cpu_s=10, received=1000, sent=0))
    after = reading(102, disk_read_bytes=4096, guest=guest(uptime_s=102, cpu_s=12, received=3000, sent=500))
    told = sample(after, used(before, after))
    assert told.cpu_usage_percent == 50
    assert (told.memory_usage_percent, told.memory_used_kb, told.memory_total_kb) == (40, 400, 1000)
    assert (told.network_in_bytes, told.network_in_bytes_per_s, told.network_out_bytes_per_s) == (3000, 1000, 250)
    assert (told.disk_read_bytes, told.disk_read_bytes_per_s) == (4096, 2048)
    figures = {name for name, value in told if value is not None and name not in ("at", "host", "guest", "sources")}
    assert set(told.sources) == figures
    assert {name for name, source in told.sources.items() if source is Source.HOST} == {
        *("disk_read_bytes", "disk_write_bytes", "disk_read_bytes_per_s", "disk_write_bytes_per_s"),
    }


def test_a_guest_that_says_nothing_leaves_what_its_host_knows() -> None:
    told = sample(reading(100), None)
    assert (told.cpu_usage_percent, told.network_in_bytes, told.guest) == (None, None, None)
    assert (told.memory_used_kb, told.memory_total_kb) == (100_000, 512 * 1024)
    assert set(told.sources.values()) == {Source.HOST}


def usage(at: datetime, **other: Any) -> Usage:
    fields: dict[str, Any] = {
        "at": at,
        "span_s": 10.0,
        "cpus": 2,
        "cpu_percent": 50.0,
        "cpu_source": Source.GUEST,
        "memory_used_kib": 100,
        "memory_total_kib": 1000,
        "disk": (10, 20),
    }
    return Usage(**(fields | other))


def closed(minutes: Minutes, *, at: datetime = NOON + timedelta(minutes=10)) -> tuple[MachineMinute, ...]:
    minutes.close(now=at)
    return minutes.waiting(1000)


def test_a_minute_adds_up_what_lies_in_it() -> None:
    minutes = Minutes()
    for second in (10, 20, 30, 40, 50):
        minutes.add(ONE, usage(NOON + timedelta(seconds=second)))
    minutes.add(
        ONE, usage(NOON + timedelta(seconds=60), cpu_percent=100.0, cpu_source=Source.HOST, memory_used_kib=700)
    )
    [minute] = closed(minutes)
    assert (minute.id, minute.at, minute.span_ms, minute.guest_ms) == (ONE, NOON, 60_000, 50_000)
    assert minute.cpu_ms == 5 * 10_000 + 20_000
    assert (minute.cpu_max_percent, minute.memory_used_kib) == (100, 200)
    assert (minute.disk_read_bytes, minute.disk_write_bytes, minute.net_in_bytes) == (60, 120, None)


def test_a_span_counts_to_the_minute_of_its_middle() -> None:
    minutes = Minutes()
    minutes.add(ONE, usage(NOON + timedelta(seconds=64)))
    minutes.add(ONE, usage(NOON + timedelta(seconds=66)))
    assert [minute.at for minute in closed(minutes)] == [NOON, NOON + timedelta(minutes=1)]


def test_a_minute_that_is_not_over_waits() -> None:
    minutes = Minutes()
    minutes.add(ONE, usage(NOON + timedelta(seconds=30)))
    assert closed(minutes, at=NOON + timedelta(seconds=70)) == ()
    assert len(closed(minutes, at=NOON + timedelta(seconds=80))) == 1


def test_minutes_are_told_until_they_arrive_but_not_for_ever() -> None:
    minutes = Minutes()
    for number in range(3):
        minutes.add(ONE, usage(NOON + timedelta(minutes=number, seconds=30)))
    minutes.close(now=NOON + timedelta(minutes=10))
    first = minutes.waiting(2)
    assert minutes.waiting(2) == first
    minutes.delivered(len(first))
    [last] = minutes.waiting(2)
    assert last.at == NOON + timedelta(minutes=2)
    minutes.close(now=NOON + timedelta(hours=2))
    assert minutes.waiting(2) == ()


def test_a_minute_that_no_machine_can_have_had_is_dropped_and_no_other() -> None:
    """Counters that swing are taken for ones that began anew, so each figure may be possible and their sum is not."""
    minutes = Minutes()
    for number in range(3):
        minutes.add(ONE, usage(NOON + timedelta(seconds=10 + 20 * number), net=(2**53, 0)))
    minutes.add(ONE, usage(NOON + timedelta(seconds=90)))
    assert [minute.at for minute in closed(minutes)] == [NOON + timedelta(minutes=1)]


def test_the_most_that_a_guest_may_say_fits_into_what_managers_take() -> None:
    most = GuestInterface(name="eth0", mac="", received_bytes=2**53, sent_bytes=2**53)
    boast = GuestMetrics.model_validate(
        guest(uptime_s=2**50, cpu_s=2**50).model_dump()
        | {"interfaces": (most,) * MOST_DEVICES, "memory_total_kib": 2**50, "memory_available_kib": 0}
    )
    told = as_sample(ONE, used(reading(100, guest=guest(uptime_s=1, cpu_s=0)), reading(110, guest=boast)))
    assert (told.net_in_bytes, told.memory_used_kib) == (MOST_DEVICES * 2**53, 2**50)
