"""Who runs beside whom, where tests run in several processes (pytest-xdist, `-n 2`).

What has the machine itself for its subject stays together, in one process and in order: real guests, network
namespaces, control groups, the uids of jails. So no two tests meet there that would not meet without this. The UI's
tests stay together for the sake of their browser and their installation. Everything else goes by file, to whichever
process has nothing to do; lanes with many tests begin first, so a single long test is put among others.
"""

from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadScopeScheduling

MACHINE = "machine"
_PREFIXES = {
    "tests/agent/": MACHINE,
    "tests/e2e/": MACHINE,
    "tests/manager/hosts/test_real_truth.py": MACHINE,
    "tests/ui/test_walk.py": MACHINE,
    "tests/ui/": "browser",
    "tests/manager/hostile/": "hostile",
    "tests/chaos/": "chaos",
}
"""Of the ids of tests; the first that fits counts."""


class Lanes(LoadScopeScheduling):
    """xdist's own scheduler, with our idea of what belongs together."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def lane_of(nodeid: str) -> str:
    """Tests of one lane run in one process, one after the other."""
    return next((lane for prefix, lane in _PREFIXES.items() if nodeid.startswith(prefix)), nodeid.split("::")[0])


def strays(items: Iterable[pytest.Item]) -> list[str]:
    """Tests that take the machine (marks `vm` and `net`) and are not in its lane."""
    taking = (item for item in items if item.get_closest_marker("vm") or item.get_closest_marker("net"))
    return [item.nodeid for item in taking if lane_of(item.nodeid) != MACHINE]
