"""How much of everything: the runs that have names."""

from tests.chaos.plan import MANY_GUESTS, Extent

FAKE = Extent(actions=6000, crashes=1000, users=16, names=240)
"""`make chaos`"""

SMALL = Extent(actions=240, crashes=24, users=8, names=40, pace_s=0.25, lease_s=10, outlasts=False)
"""With every `make test`, in well under a minute."""

REAL = Extent(
    actions=180,
    crashes=60,
    users=3,
    names=4,
    agents=2,
    pace_s=2.5,
    memory_mib=256,
    grace_s=(0, 30),
    blows=MANY_GUESTS,
)
"""`make chaos ARGS="--driver qemu"`"""
