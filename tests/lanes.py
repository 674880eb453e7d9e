"""Who runs beside whom, where tests run in several processes (pytest-xdist, `-n 2`).

What has the machine itself for its subject stays together, in one process and in order: real guests, network
namespaces, control groups, the uids of jails. So no two tests meet there that would not meet without this. The UI's
tests stay together for the sake of their browser and their installation. Everything else goes by file, to whichever
process has nothing to do.
"""

from xdist.scheduler import LoadScopeScheduling

ON_THE_MACHINE = ("tests/agent/", "tests/e2e/", "tests/manager/hosts/test_real_truth.py", "tests/ui/test_walk.py")
IN_THE_BROWSER = ("tests/ui/",)


class Lanes(LoadScopeScheduling):
    """xdist's own scheduler, with our idea of what belongs together. The largest begin first."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def lane_of(nodeid: str) -> str:
    """Tests of one lane run in one process, one after the other."""
    file = nodeid.split("::")[0]
    if file.startswith(ON_THE_MACHINE):
        return "machine"
    return "browser" if file.startswith(IN_THE_BROWSER) else file
