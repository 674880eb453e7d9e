"""One supervisor at a time: what a newcomer does about the one that runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.cli.installation import Installation, installed
from tests.local.newer import another_version

from nexus.local import identity, takeover, version
from nexus.local.errors import CannotStart
from nexus.local.images import Store
from nexus.local.place import Place
from nexus.local.takeover import Newcomer

HOLDER = """
import sys, signal, time
from pathlib import Path
from nexus.local import lock, takeover
from nexus.local.place import Place
where = Place(data=Path(sys.argv[1]), runtime=Path(sys.argv[1]))
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
with lock.hold(where.runtime / "up.lock"):
    takeover.sign(where, code=sys.argv[2], checkout=Path("/srv/nexus"), url="http://127.0.0.1:1", ready=True)
    print("holds", flush=True)
    time.sleep(600)
"""


@dataclass
class Said:
    words: list[str] = field(default_factory=list[str])
    refusal: CannotStart | None = None

    def newcomer(self, code: str) -> Newcomer:
        return Newcomer(code=code, why_not=self._why_not, say=self.words.append)

    async def _why_not(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def where(short_tmp: Path) -> Place:
    return Place(data=short_tmp, runtime=short_tmp)


@pytest.fixture
def holder(where: Place) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor of code `then`."""
    command = [sys.executable, "-c", HOLDER, str(where.runtime), "then"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    yield process
    process.kill()
    process.wait()


def test_a_supervisor_of_the_same_code_is_left_alone(where: Place, holder: "subprocess.Popen[str]") -> None:
    with (
        pytest.raises(takeover.RunsAlready, match=r"http://127\.0\.0\.1:1"),
        takeover.sole(where, Said().newcomer("then")),
    ):
        pytest.fail("there are two supervisors")
    assert holder.poll() is None


def test_one_of_other_code_is_ended_before_the_block_begins(where: Place, holder: "subprocess.Popen[str]") -> None:
    said = Said()
    with takeover.sole(where, said.newcomer("now")):
        assert holder.wait(timeout=60) == 0
    assert "from /srv/nexus" in said.words[0]


def test_one_that_knew_no_codes_is_ended_too(where: Place, holder: "subprocess.Popen[str]") -> None:
    found = identity.find(holder.pid)
    assert found is not None
    identity.write(where.supervisor_pid, found, url="http://127.0.0.1:1", ready=True)  # as the first release did
    with takeover.sole(where, Said().newcomer("now")):
        assert holder.wait(timeout=60) == 0


def test_a_newcomer_that_could_not_go_on_stops_nothing(where: Place, holder: "subprocess.Popen[str]") -> None:
    said = Said(refusal=CannotStart("the database is newer"))
    with (
        pytest.raises(CannotStart, match="the database is newer\nNothing was stopped"),
        takeover.sole(where, said.newcomer("now")),
    ):
        pytest.fail("it goes on all the same")
    assert holder.poll() is None


def test_the_place_is_free_again_after_the_block(where: Place) -> None:
    for _ in range(2):
        with takeover.sole(where, Said().newcomer("now")):
            pass


def test_code_that_differs_has_another_digest(short_tmp: Path, guest_init: Path) -> None:
    here = {"NEXUS_GUEST_INIT": str(guest_init)}
    digests = [
        subprocess.run(
            [sys.executable, "-c", "from nexus.local import version; print(version.digest())"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for environment in (here, here, another_version(short_tmp, guest_init=guest_init))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_an_older_version_is_refused_by_a_newer_database_and_stops_nothing(
    short_tmp: Path, built_images: Store, guest_init: Path
) -> None:
    with installed(short_tmp, built_images, AGENT_VMM="fake", NEXUS_GUEST_INIT=str(guest_init)) as newer:
        before = newer.pid_of("up"), newer.pid_of("manager")
        old = another_version(short_tmp, guest_init=guest_init, forgets_migration=True)
        up = Installation(newer.data, newer.environment | old).nexus("up", "--detach")
        assert up.returncode == 1
        assert b"The database is newer than this program" in up.stderr
        assert b"Nothing was stopped" in up.stderr
        assert (newer.pid_of("up"), newer.pid_of("manager")) == before
        assert newer.nexus("vm", "list").returncode == 0
    shutil.rmtree(short_tmp / "checkout")


def test_this_checkout_is_where_the_code_is() -> None:
    assert (version.checkout() / "src" / "nexus" / "local" / "version.py").is_file()
