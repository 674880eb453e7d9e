"""A seed is a plan: the same one each time, and enough of everything in it."""

from collections import Counter

from tests.chaos.plan import POSTGRES, Ask, Blow, Extent, plan

EXTENT = Extent(actions=2000, crashes=300, users=8, names=60)


def test_one_seed_is_one_plan_and_another_is_another() -> None:
    assert plan(7, EXTENT) == plan(7, EXTENT)
    assert plan(7, EXTENT) != plan(8, EXTENT)


def test_a_plan_has_as_much_as_was_asked_for_and_some_of_everything() -> None:
    made = plan(7, EXTENT)
    asked = Counter(action.ask for script in made.users for action in script)
    assert asked.total() == 2000
    assert set(asked) == set(Ask)
    assert sum(fault.is_crash for fault in made.faults) == 300
    assert {fault.blow for fault in made.faults} == set(Blow)
    killed = {fault.target for fault in made.faults if fault.blow is Blow.KILL}
    assert killed == {*EXTENT.members("manager"), *EXTENT.members("agent"), POSTGRES}
    assert {fault.skew_s != 0 for fault in made.faults} == {True, False}


def test_several_users_ask_something_of_one_vm() -> None:
    askers: dict[str, set[int]] = {}
    for user, script in enumerate(plan(7, EXTENT).users):
        for action in script:
            askers.setdefault(action.name, set()).add(user)
    assert max(len(users) for users in askers.values()) > 1
