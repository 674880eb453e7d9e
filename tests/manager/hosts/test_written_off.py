"""What follows for a machine whose host was abandoned: pure rules, over every combination."""

from itertools import product

import pytest

from nexus.manager.machines.lifecycle import Facts, Goal, Move, RestartPolicy, decide
from nexus.manager.vms.lifecycle import Circumstances, State, Verb, refusal, state_of
from nexus.protocol.machines import Power

WHY = "Its host lab-2 was given up for lost, and its disks with it."


@pytest.mark.parametrize("goal", Goal)
def test_it_is_given_up_or_erased_whatever_was_seen_of_it(goal: Goal) -> None:
    for seen, generation, boot, policy, silent in product((None, *Power), (0, 1), (0, 1), RestartPolicy, (True, False)):
        facts = Facts(
            goal=goal,
            seen=seen,
            seen_generation=generation,
            seen_boot=boot,
            restart_policy=policy,
            fault=WHY,
            is_abandoned=True,
        )
        is_leaving = goal is Goal.GONE
        assert decide(facts) is (Move.ERASE if is_leaving else Move.GIVE_UP), facts
        assert state_of(facts, host_is_silent=silent) is (State.DELETING if is_leaving else State.ERROR), facts
        assert facts.obstacle == WHY


def test_nothing_can_be_done_with_it_but_to_delete_it() -> None:
    lost = Circumstances(is_abandoned=True)
    allowed = {verb for verb in Verb if refusal(verb, State.ERROR, lost) is None}
    assert allowed == {Verb.DELETE}
    assert {verb for verb in Verb if refusal(verb, State.ERROR, Circumstances()) is None} > allowed
