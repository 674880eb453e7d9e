"""Every combination of facts has one next move, and moves come to rest."""

import itertools
from dataclasses import replace

import pytest

from nexus.agent.machines.decide import Facts, Move, decide
from nexus.protocol.machines import ExitReason, Power

OFF = Facts(
    goal=Power.OFF,
    wished_boot=0,
    boot=0,
    has_ended=True,
    is_launched=False,
    power=Power.OFF,
    exit=None,
    was_ready=False,
    host_restarted=False,
)
BEGUN = replace(OFF, goal=Power.ON, wished_boot=1, boot=1, has_ended=False)
RUNNING = replace(BEGUN, power=Power.ON, is_launched=True, was_ready=True)


@pytest.mark.parametrize(
    ("facts", "move"),
    [
        (OFF, Move.REST),
        (replace(OFF, goal=Power.ABSENT), Move.DISCARD),
        (replace(RUNNING, goal=Power.ABSENT), Move.DISCARD),
        (replace(OFF, goal=Power.ON, wished_boot=1), Move.BOOT),
        (BEGUN, Move.BOOT),
        (replace(BEGUN, has_ended=True), Move.REST),
        (replace(BEGUN, has_ended=True, wished_boot=2), Move.BOOT),
        (replace(BEGUN, is_launched=True, exit=ExitReason.ASKED), Move.BOOT),
        (replace(BEGUN, is_launched=True, exit=ExitReason.ASKED, was_ready=True), Move.END),
        (replace(BEGUN, is_launched=True, exit=ExitReason.GUEST_REBOOT), Move.END),
        (replace(BEGUN, goal=Power.OFF), Move.END),
        (replace(BEGUN, host_restarted=True), Move.END),
        (replace(BEGUN, wished_boot=2, is_launched=True, exit=ExitReason.ASKED), Move.END),
        (RUNNING, Move.REST),
        (replace(RUNNING, was_ready=False), Move.ATTEND),
        (replace(RUNNING, goal=Power.OFF), Move.SHUT_DOWN),
        (replace(RUNNING, wished_boot=2), Move.SHUT_DOWN),
        (replace(RUNNING, goal=Power.PAUSED), Move.PAUSE),
        (replace(RUNNING, goal=Power.PAUSED, power=Power.PAUSED), Move.REST),
        (replace(RUNNING, power=Power.PAUSED), Move.RESUME),
        (replace(RUNNING, power=Power.PAUSED, goal=Power.OFF), Move.SHUT_DOWN),
        (replace(OFF, is_snapshot_wanted=True), Move.TAKE),
        (replace(OFF, is_snapshot_wanted=True, goal=Power.ON, wished_boot=1), Move.TAKE),
        (replace(RUNNING, is_snapshot_wanted=True), Move.TAKE),
        (replace(RUNNING, is_snapshot_wanted=True, goal=Power.OFF), Move.TAKE),
        (replace(RUNNING, is_snapshot_wanted=True, goal=Power.ABSENT), Move.DISCARD),
        (replace(RUNNING, is_snapshot_wanted=True, was_ready=False), Move.ATTEND),
        (replace(RUNNING, is_snapshot_wanted=True, power=Power.PAUSED), Move.RESUME),
        (replace(RUNNING, is_snapshot_wanted=True, goal=Power.PAUSED), Move.PAUSE),
        (
            replace(RUNNING, is_snapshot_wanted=True, goal=Power.PAUSED, power=Power.PAUSED, was_ready=False),
            Move.REFUSE,
        ),
        (replace(RUNNING, is_snapshot_wanted=True, goal=Power.PAUSED, power=Power.PAUSED), Move.TAKE),
        (replace(BEGUN, is_snapshot_wanted=True), Move.BOOT),
        (replace(BEGUN, is_snapshot_wanted=True, is_launched=True, exit=ExitReason.GUEST_REBOOT), Move.END),
    ],
)
def test_the_next_move_is(facts: Facts, move: Move) -> None:
    assert decide(facts) is move


def test_a_boot_that_has_ended_is_never_begun_again() -> None:
    for goal, launched, exit_reason, ready in itertools.product(
        (Power.ON, Power.PAUSED, Power.OFF), (False, True), (None, *ExitReason), (False, True)
    ):
        ended = replace(BEGUN, goal=goal, has_ended=True, is_launched=launched, exit=exit_reason, was_ready=ready)
        assert decide(ended) is Move.REST


def test_nothing_is_launched_beside_a_running_vmm() -> None:
    for goal, wished, ready in itertools.product((Power.ON, Power.PAUSED, Power.OFF), (0, 1, 2), (False, True)):
        assert decide(replace(RUNNING, goal=goal, wished_boot=wished, was_ready=ready)) is not Move.BOOT
