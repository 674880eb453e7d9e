"""`nexus up` of another version over one that runs: its guests, and shells that are open in them, go on."""

import re
from pathlib import Path

import pytest
from tests.cli.installation import Installation, installed
from tests.local.newer import another_version

from nexus.local.images import Store

pytestmark = pytest.mark.vm

WITHIN_S = 120


def test_a_shell_goes_on_through_an_upgrade(short_tmp: Path, built_images: Store, guest_init: Path) -> None:
    with installed(short_tmp, built_images, NEXUS_GUEST_INIT=str(guest_init)) as old:
        old.done("vm", "create", "web-1")
        shell = old.on_terminal("vm", "shell", "web-1")
        shell.expect(rb"[#$] ", timeout=WITHIN_S)
        shell.sendline(b"MARK=kept; echo shell-$$-")
        shell.expect(rb"shell-(\d+)-", timeout=WITHIN_S)
        assert isinstance(shell.match, re.Match)
        pid: bytes = shell.match[1]
        shell.sendline(b"until [ -e /tmp/go ]; do sleep 0.1; done; for i in $(seq 1 500); do echo row-$i-; done")
        newer = Installation(old.data, old.environment | another_version(short_tmp, guest_init=guest_init))
        before = [old.pid_of(name) for name in ("up", "manager", "agent")]
        up = newer.nexus("up", "--detach")
        assert up.returncode == 0, up.stderr.decode()
        assert b"Taking over: guests keep running" in up.stderr
        assert not set(before) & {newer.pid_of(name) for name in ("up", "manager", "agent")}

        newer.done("vm", "exec", "web-1", "--", "touch", "/tmp/go")
        for row in range(1, 501):
            shell.expect(b"row-%d-" % row, timeout=WITHIN_S)
        shell.sendline(b"echo $MARK-$$-; exit 7")
        shell.expect(b"kept-" + pid + b"-", timeout=WITHIN_S)
        shell.wait()
        assert shell.exitstatus == 7
        newer.done("vm", "delete", "web-1", "--yes")
        old.environment.update(newer.environment)  # what is stopped in the end is the newer one
