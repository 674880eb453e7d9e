"""The model of a chaos run: what may be true, from what was answered."""

from typing import Any

import pytest
from tests.chaos.model import (
    TOLD_WITHIN_S,
    Entry,
    GuestEnd,
    Outcome,
    descriptions,
    devices,
    ends,
    is_disturbed,
    sizes,
)
from tests.chaos.plan import Ask

OK, NO, LOST = Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN


def asked(ask: Ask, began: float, ended: float, outcome: Outcome = OK, **more: Any) -> Entry:
    return Entry(number=0, name="c-1", ask=ask, began=began, ended=ended, outcome=outcome, **more)


CREATED = asked(Ask.CREATE, 0, 1)
LEFT_OFF = asked(Ask.CREATE, 0, 1, starts=False)


@pytest.mark.parametrize(
    ("entries", "possible"),
    [
        ([CREATED], {"running"}),
        ([LEFT_OFF], {"stopped"}),
        ([CREATED, asked(Ask.STOP, 2, 3)], {"stopped"}),
        ([CREATED, asked(Ask.STOP, 2, 3, NO)], {"running"}),
        ([CREATED, asked(Ask.STOP, 2, 3, LOST)], {"running", "stopped"}),
        ([CREATED, asked(Ask.STOP, 2, 3, LOST), asked(Ask.PAUSE, 4, 5)], {"paused"}),
        ([CREATED, asked(Ask.STOP, 2, 6, LOST), asked(Ask.PAUSE, 4, 5)], {"paused", "stopped"}),
        ([CREATED, asked(Ask.STOP, 2, 5), asked(Ask.PAUSE, 4, 6)], {"paused", "stopped"}),
        ([CREATED, asked(Ask.STOP, 2, 3), asked(Ask.START, 3, 4)], {"running"}),
        ([CREATED, asked(Ask.DELETE, 2, 3), asked(Ask.STOP, 2, 4)], {"gone"}),
        ([CREATED, asked(Ask.DELETE, 2, 3, LOST), asked(Ask.STOP, 4, 5)], {"gone", "stopped"}),
        ([CREATED, asked(Ask.PAUSE, 2, 3), asked(Ask.RESUME, 4, 5)], {"running"}),
        ([CREATED, asked(Ask.EDIT, 4, 5, description="x")], {"running"}),
        ([CREATED, asked(Ask.SUSPEND, 2, 3)], {"suspended"}),
        ([CREATED, asked(Ask.SUSPEND, 2, 3, has_failed=True)], {"suspended", "running", "paused"}),
        ([CREATED, asked(Ask.SUSPEND, 2, 3), asked(Ask.STOP, 4, 5)], {"stopped"}),
        ([CREATED, asked(Ask.STOP, 2, 3), asked(Ask.ROLLBACK, 4, 5)], {"running"}),
        ([CREATED, asked(Ask.SNAPSHOT, 2, 3)], {"running"}),
        ([asked(Ask.CLONE, 0, 1)], {"running"}),
        ([asked(Ask.CLONE, 0, 1, has_failed=True)], {"running", "error"}),
        ([CREATED, asked(Ask.BULK, 2, 240, LOST, bulk_verb=Ask.PAUSE), asked(Ask.STOP, 4, 5)], {"stopped", "paused"}),
    ],
)
def test_the_last_wish_counts_as_far_as_that_is_known(entries: list[Entry], possible: set[str]) -> None:
    assert ends(entries) == possible


def test_a_guest_that_was_made_to_end_may_be_off() -> None:
    assert ends([CREATED], ended=[GuestEnd("m", 2)]) == {"running", "stopped"}
    later = asked(Ask.START, 3, 4)
    assert ends([CREATED, later], ended=[GuestEnd("m", 2)]) == {"running", "stopped"}


def test_a_wish_made_long_after_a_guest_has_ended_counts_alone() -> None:
    later = asked(Ask.START, 3 + TOLD_WITHIN_S, 4 + TOLD_WITHIN_S)
    assert ends([CREATED, later], ended=[GuestEnd("m", 2)]) == {"running"}


@pytest.mark.parametrize(
    ("edits", "possible"),
    [
        ([], {""}),
        ([("a", 1, 2, OK)], {"a"}),
        ([("a", 1, 2, LOST)], {"", "a"}),
        ([("a", 1, 2, OK), ("b", 3, 4, NO)], {"a"}),
        ([("a", 1, 3, OK), ("b", 2, 4, OK)], {"a", "b"}),
        ([("a", 1, 2, OK), ("b", 3, 4, OK)], {"b"}),
    ],
)
def test_a_description_is_one_that_was_set_last(
    edits: list[tuple[str, float, float, Outcome]], possible: set[str]
) -> None:
    entries = [asked(Ask.EDIT, began, ended, outcome, description=text) for text, began, ended, outcome in edits]
    assert descriptions([CREATED, *entries]) == possible


def test_a_size_is_the_one_that_was_given_last_as_far_as_that_is_known() -> None:
    made = asked(Ask.CREATE, 0, 1, memory_mib=128)
    assert sizes([made]) == {128}
    assert sizes([made, asked(Ask.RESIZE, 2, 3, LOST, memory_mib=130)]) == {128, 130}
    assert sizes([made, asked(Ask.RESIZE, 2, 3, memory_mib=130)]) == {130}
    assert sizes([made, asked(Ask.ROLLBACK, 4, 5, NO)]) == {128}
    assert sizes([made, asked(Ask.ROLLBACK, 4, 5)]) is None


@pytest.mark.parametrize(
    ("done", "must", "may"),
    [
        ([], "", ""),
        ([(Ask.ATTACH, OK)], "d", "d"),
        ([(Ask.ATTACH, NO)], "", ""),
        ([(Ask.ATTACH, LOST)], "", "d"),
        ([(Ask.ATTACH, OK), (Ask.DETACH, OK)], "", ""),
        ([(Ask.ATTACH, OK), (Ask.DETACH, LOST)], "", "d"),
        ([(Ask.ATTACH, OK), (Ask.DETACH, NO)], "d", "d"),
    ],
)
def test_a_drive_is_there_as_far_as_that_is_known(done: list[tuple[Ask, Outcome]], must: str, may: str) -> None:
    entries = [asked(ask, at, at + 0.5, outcome, device="d") for at, (ask, outcome) in enumerate(done)]
    assert devices([CREATED, *entries], added=Ask.ATTACH, removed=Ask.DETACH) == (set(must), set(may))


def test_only_what_was_done_meanwhile_disturbs() -> None:
    taken = asked(Ask.SNAPSHOT, 4, 5, vm_id="a")
    assert not is_disturbed(taken, [taken, asked(Ask.STOP, 1, 2, vm_id="a"), asked(Ask.STOP, 6, 7, vm_id="b")])
    assert not is_disturbed(taken, [taken, asked(Ask.STOP, 6, 7, NO, vm_id="a")])
    assert is_disturbed(taken, [taken, asked(Ask.STOP, 6, 7, vm_id="a")])
    clone = asked(Ask.CLONE, 4, 5, vm_id="c", source_id="a")
    assert is_disturbed(clone, [clone, asked(Ask.DELETE, 6, 7, vm_id="a")])
