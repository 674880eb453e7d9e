"""The pure rules, over all combinations of what can be wished and seen."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from nexus.manager.machines.lifecycle import Facts, Goal, Move, RestartPolicy, conclude, decide, is_reached
from nexus.manager.vms.lifecycle import Circumstances, State, Verb, actions, refusal, state_of
from nexus.protocol.machines import Exit, ExitReason, GuestPhase, Power

AT = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS, NEVER = RestartPolicy.ALWAYS, RestartPolicy.NEVER


def ended(reason: ExitReason, *, boot: int = 1) -> Exit:
    return Exit(boot=boot, reason=reason, why="It ended.", at=AT)


def every_combination() -> list[Facts]:
    """Goal x what is seen x guest x generations x boots x faults x how it ended."""
    return [
        Facts(
            goal=goal,
            generation=2,
            boot=boot,
            fault=fault,
            seen=seen,
            seen_guest=guest,
            seen_generation=0 if seen is None else seen_generation,
            seen_boot=min(seen_boot, boot),
            seen_fault=seen_fault,
            fault_persists=persists,
            exit=how and ended(how),
        )
        for goal, boot, fault, seen, guest, seen_generation, seen_boot, (seen_fault, persists), how in product(
            Goal,
            (0, 2),
            (None, "broken"),
            (None, *Power),
            GuestPhase,
            (0, 1, 2),
            (0, 1, 2),
            ((None, False), ("no disk left", False), ("no disk left", True)),
            (None, ExitReason.GUEST_SHUTDOWN),
        )
    ]


ALL = every_combination()
RUNS = Facts(
    goal=Goal.ON,
    generation=1,
    boot=1,
    seen=Power.ON,
    seen_guest=GuestPhase.READY,
    seen_generation=1,
    seen_boot=1,
)


DIED = ended(ExitReason.VMM_KILLED)
AWAITS = Facts(goal=Goal.ON, boot=1, restore_boot=1, restore_is_ready=False)
"""A clone whose snapshot is being taken."""


def test_every_combination_has_one_move_and_one_state() -> None:
    assert len(ALL) > 10_000
    for facts in ALL:
        assert decide(facts) in Move
        assert state_of(facts, host_is_silent=False) in State


def test_what_is_wished_gone_is_discarded_whatever_else_is_true() -> None:
    for facts in (facts for facts in ALL if facts.goal is Goal.GONE):
        assert decide(facts) is Move.DISCARD
        assert state_of(facts, host_is_silent=True) is State.DELETING


def test_a_machine_settles_only_when_its_wish_has_come_true() -> None:
    settled = [facts for facts in ALL if decide(facts) is Move.SETTLE]
    assert settled
    for facts in settled:
        assert is_reached(facts)
        assert facts.goal is not Goal.ON or facts.seen_guest is not GuestPhase.BOOTING
        assert facts.seen_generation >= facts.generation
        wanted = {Goal.ON: State.RUNNING, Goal.PAUSED: State.PAUSED, Goal.OFF: State.STOPPED}[facts.goal]
        assert state_of(facts, host_is_silent=False) is wanted


def test_nothing_is_sent_while_a_fault_is_in_the_way() -> None:
    for facts in (facts for facts in ALL if facts.goal is not Goal.GONE and facts.fault):
        if facts.goal is Goal.OFF and facts.seen is Power.OFF:
            continue
        assert decide(facts) is Move.GIVE_UP, facts


def test_a_fault_that_its_host_may_get_over_is_waited_for_and_not_stirred() -> None:
    stuck = replace(RUNS, seen=Power.OFF, seen_boot=0, seen_guest=GuestPhase.ABSENT, seen_fault="no disk left")
    assert decide(stuck) is Move.WAIT
    assert state_of(stuck, host_is_silent=False) is State.STARTING
    for_good = replace(stuck, fault_persists=True)
    assert decide(for_good) is Move.GIVE_UP
    assert state_of(for_good, host_is_silent=False) is State.ERROR


def test_a_fault_with_an_older_wish_does_not_stop_a_newer_one() -> None:
    again = replace(RUNS, generation=2, boot=2, seen=Power.OFF, seen_fault="no disk left", fault_persists=True)
    assert decide(again) is Move.DEFINE


def test_the_silence_of_its_host_makes_every_state_unknown_but_deleting() -> None:
    for facts in (facts for facts in ALL if facts.goal is not Goal.GONE):
        assert state_of(facts, host_is_silent=True) is State.UNKNOWN


@pytest.mark.parametrize(
    ("facts", "move", "state"),
    [
        (Facts(goal=Goal.ON, boot=1), Move.DEFINE, State.CREATING),
        (Facts(goal=Goal.OFF), Move.DEFINE, State.CREATING),
        (Facts(goal=Goal.OFF, seen=Power.OFF, seen_generation=1), Move.SETTLE, State.STOPPED),
        (Facts(goal=Goal.ON, boot=1, seen=Power.OFF, seen_generation=1), Move.POWER, State.STARTING),
        (replace(RUNS, seen_guest=GuestPhase.BOOTING), Move.WAIT, State.RUNNING),
        (replace(RUNS, seen_guest=GuestPhase.ABSENT), Move.SETTLE, State.RUNNING),
        (RUNS, Move.SETTLE, State.RUNNING),
        (replace(RUNS, goal=Goal.PAUSED), Move.POWER, State.RUNNING),
        (replace(RUNS, goal=Goal.PAUSED, seen=Power.PAUSED), Move.SETTLE, State.PAUSED),
        (replace(RUNS, seen=Power.PAUSED), Move.POWER, State.PAUSED),
        (replace(RUNS, boot=2), Move.POWER, State.STARTING),
        (replace(RUNS, boot=2, seen=Power.PAUSED), Move.POWER, State.STARTING),
        (replace(RUNS, goal=Goal.OFF), Move.POWER, State.STOPPING),
        (replace(RUNS, goal=Goal.OFF, seen=Power.PAUSED), Move.POWER, State.STOPPING),
        (replace(RUNS, seen=Power.OFF), Move.WAIT, State.STARTING),
        (replace(RUNS, boot=2, seen_boot=2, seen=Power.OFF, exit=DIED), Move.WAIT, State.STARTING),
        (replace(RUNS, seen=Power.OFF, exit=DIED), Move.CONCLUDE, State.STOPPED),
        (replace(RUNS, goal=Goal.PAUSED, seen=Power.OFF, exit=DIED), Move.CONCLUDE, State.STOPPED),
        (replace(RUNS, seen=Power.OFF, exit=ended(ExitReason.GUEST_REBOOT)), Move.CONCLUDE, State.STARTING),
        (replace(RUNS, seen=Power.OFF, exit=ended(ExitReason.BOOT_TIMEOUT)), Move.CONCLUDE, State.ERROR),
        (replace(RUNS, seen=Power.OFF, fault="It never came up."), Move.GIVE_UP, State.ERROR),
        (replace(RUNS, goal=Goal.OFF, seen=Power.OFF, fault="Killed."), Move.SETTLE, State.STOPPED),
        (replace(RUNS, seen=Power.ABSENT), Move.GIVE_UP, State.ERROR),
        (replace(RUNS, goal=Goal.OFF, seen=Power.ABSENT), Move.GIVE_UP, State.ERROR),
        (replace(RUNS, seen=Power.ABSENT, seen_generation=0), Move.DEFINE, State.CREATING),
        (AWAITS, Move.WAIT, State.CREATING),
        (replace(AWAITS, restore_fault="No disk left."), Move.GIVE_UP, State.ERROR),
        (replace(AWAITS, restore_is_ready=True), Move.DEFINE, State.CREATING),
        (replace(AWAITS, goal=Goal.OFF), Move.DEFINE, State.CREATING),
        (replace(AWAITS, goal=Goal.GONE), Move.DISCARD, State.DELETING),
        (replace(RUNS, restore_boot=1, restore_is_ready=False), Move.SETTLE, State.RUNNING),
        (replace(RUNS, boot=2, restore_boot=2, generation=2), Move.DEFINE, State.STARTING),
        (replace(RUNS, goal=Goal.OFF, restore_boot=2), Move.POWER, State.STOPPING),
        (replace(RUNS, goal=Goal.OFF, seen=Power.OFF, restore_boot=2), Move.SETTLE, State.SUSPENDED),
        (replace(RUNS, goal=Goal.OFF, seen=Power.OFF, restore_boot=1), Move.SETTLE, State.STOPPED),
        (replace(RUNS, boot=2, seen=Power.OFF, restore_boot=2), Move.POWER, State.STARTING),
    ],
)
def test_from_there_it_goes_on_so(facts: Facts, move: Move, state: State) -> None:
    assert (decide(facts), state_of(facts, host_is_silent=False)) == (move, state)


@pytest.mark.parametrize(
    ("reason", "goal", "policy", "wanted", "boots_again", "has_fault"),
    [
        (ExitReason.GUEST_SHUTDOWN, Goal.ON, ALWAYS, Goal.OFF, False, False),
        (ExitReason.ASKED, Goal.ON, ALWAYS, Goal.OFF, False, False),
        (ExitReason.GUEST_REBOOT, Goal.ON, NEVER, Goal.ON, True, False),
        (ExitReason.GUEST_REBOOT, Goal.PAUSED, NEVER, Goal.PAUSED, True, False),
        (ExitReason.HOST_REBOOTED, Goal.ON, ALWAYS, Goal.ON, True, False),
        (ExitReason.HOST_REBOOTED, Goal.ON, NEVER, Goal.OFF, False, False),
        (ExitReason.HOST_REBOOTED, Goal.PAUSED, ALWAYS, Goal.OFF, False, False),
        (ExitReason.VMM_KILLED, Goal.ON, ALWAYS, Goal.OFF, False, True),
        (ExitReason.GUEST_PANIC, Goal.ON, ALWAYS, Goal.OFF, False, True),
        (ExitReason.VMM_FAILED, Goal.ON, ALWAYS, Goal.ON, False, True),
        (ExitReason.BOOT_TIMEOUT, Goal.ON, ALWAYS, Goal.ON, False, True),
    ],
)
def test_a_boot_that_ended_by_itself_means(
    reason: ExitReason, goal: Goal, policy: RestartPolicy, wanted: Goal, *, boots_again: bool, has_fault: bool
) -> None:
    verdict = conclude(goal, ended(reason), restart_policy=policy)
    assert (verdict.goal, verdict.boots_again, verdict.fault is not None) == (wanted, boots_again, has_fault)


def test_every_reason_a_boot_can_end_for_has_a_meaning() -> None:
    for reason, goal, policy in product(ExitReason, (Goal.ON, Goal.PAUSED), RestartPolicy):
        assert conclude(goal, ended(reason), restart_policy=policy).why, "somebody will ask"


ALLOWED = {
    Verb.START: {State.STOPPED, State.SUSPENDED, State.ERROR},
    Verb.STOP: {
        *(State.CREATING, State.STARTING, State.RUNNING, State.PAUSED, State.STOPPING, State.SUSPENDED, State.ERROR)
    },
    Verb.PAUSE: {State.RUNNING},
    Verb.RESUME: {State.PAUSED, State.SUSPENDED},
    Verb.REBOOT: {State.RUNNING, State.ERROR},
    Verb.SUSPEND: {State.RUNNING, State.PAUSED},
    Verb.SNAPSHOT: {State.RUNNING, State.PAUSED, State.STOPPED},
    Verb.CLONE: {State.RUNNING, State.PAUSED, State.STOPPED},
    Verb.ROLLBACK: {State.RUNNING, State.PAUSED, State.STOPPED, State.SUSPENDED, State.ERROR},
    Verb.CTRL_ALT_DEL: {State.RUNNING},
    Verb.SHELL: {State.RUNNING},
    Verb.EXEC: {State.RUNNING},
    Verb.FORWARD: {State.RUNNING},
    Verb.COPY_FILES: {State.RUNNING},
    Verb.CONSOLE: {State.STARTING, State.RUNNING, State.PAUSED},
    Verb.FLUSH_METRICS: {State.RUNNING, State.PAUSED},
    Verb.CONFIGURE: set(State) - {State.SUSPENDED, State.UNKNOWN, State.DELETING},
    Verb.DELETE: set(State) - {State.DELETING},
}


@pytest.mark.parametrize(("verb", "state"), list(product(Verb, State)))
def test_every_verb_is_allowed_where_it_should_be_and_refused_in_a_full_sentence_elsewhere(
    verb: Verb, state: State
) -> None:
    refused = refusal(verb, state, Circumstances())
    assert (refused is None) is (state in ALLOWED[verb])
    if refused is not None:
        assert refused.sentence("web-1").startswith("Cannot ")
        assert "web-1: it" in refused.sentence("web-1")
        assert refused.sentence("web-1").count(". ") == 1, "object and obstacle, then the way out"


@pytest.mark.parametrize(
    ("circumstances", "verbs"),
    [
        (Circumstances(guest_is_ready=False), {Verb.SHELL, Verb.EXEC, Verb.FORWARD, Verb.COPY_FILES}),
        (Circumstances(can_pause=False), {Verb.PAUSE}),
        (Circumstances(can_ctrl_alt_del=False), {Verb.CTRL_ALT_DEL}),
        (Circumstances(can_snapshot=False), {Verb.SNAPSHOT, Verb.ROLLBACK, Verb.CLONE, Verb.SUSPEND}),
    ],
)
def test_what_a_running_vm_cannot_do_depends_on_guest_and_host(circumstances: Circumstances, verbs: set[Verb]) -> None:
    always = {verb for verb, refused in actions(State.RUNNING, Circumstances()).items() if refused}
    now = {verb for verb, refused in actions(State.RUNNING, circumstances).items() if refused}
    assert now - always == verbs
