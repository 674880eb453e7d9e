"""When an order has come true, and what of a machine is worth no more waiting."""

from datetime import UTC, datetime

import pytest

from nexus.agent.machines.waiting import has_come_true
from nexus.kit.ids import new_id
from nexus.protocol.machines import Exit, ExitReason, GuestPhase, MachineSeen, Power, PowerWish

ON, PAUSED, OFF, ABSENT = Power.ON, Power.PAUSED, Power.OFF, Power.ABSENT
READY, BOOTING, NO_GUEST = GuestPhase.READY, GuestPhase.BOOTING, GuestPhase.ABSENT


def ended(boot: int) -> Exit:
    return Exit(boot=boot, reason=ExitReason.VMM_FAILED, why="it would not", at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("wished", "boot", "seen", "is_over"),
    [
        (ON, 1, {"power": OFF}, False),
        (ON, 1, {"power": ON, "boot": 1, "guest": BOOTING}, False),
        (ON, 1, {"power": ON, "boot": 1, "guest": READY, "stage": "booting"}, False),
        (ON, 1, {"power": ON, "boot": 1, "guest": READY}, True),
        (ON, 1, {"power": ON, "boot": 1, "guest": READY, "is_applying": True}, False),
        (ON, 1, {"power": ON, "boot": 1, "guest": NO_GUEST}, True),
        (ON, 2, {"power": ON, "boot": 1, "guest": READY}, False),
        (ON, 2, {"power": OFF, "boot": 1, "exit": ended(1)}, False),
        (ON, 2, {"power": OFF, "boot": 2, "exit": ended(2)}, True),
        (ON, 1, {"power": PAUSED, "boot": 1, "guest": READY}, False),
        (ON, 1, {"power": OFF, "fault": "the disk is full"}, True),
        (PAUSED, 1, {"power": ON, "boot": 1, "guest": READY}, False),
        (PAUSED, 1, {"power": PAUSED, "boot": 1, "guest": READY}, True),
        (OFF, 1, {"power": ON, "boot": 1, "guest": READY}, False),
        (OFF, 1, {"power": OFF, "boot": 1, "exit": ended(1)}, True),
        (OFF, 0, {"power": OFF}, True),
        (OFF, 1, {"power": OFF, "stage": "deleting"}, False),
        (ON, 1, {"power": ABSENT}, True),
    ],
)
def test_it_is_over_when_the_machine_rests_as_wished_or_cannot(
    wished: Power, boot: int, seen: dict[str, object], is_over: bool
) -> None:
    wish = PowerWish(generation=1, power=wished, boot=boot)
    now = MachineSeen.model_validate({"id": new_id(), "seq": 1, "generation": 1, **seen})
    assert has_come_true(wish, now) is is_over
