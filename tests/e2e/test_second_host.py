"""The README's "A second host", with a real guest on it: an all-in-one that serves https, and an agent that joins it
with the command that `nexus host join-token` prints. The two share nothing but a network.
"""

import hashlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.installation import Installation, installed

from nexus.kit.ids import new_id
from nexus.kit.paths import runtime_dir
from nexus.local.images import Store

pytestmark = pytest.mark.vm

PASSWORD = "not the default one"


@dataclass(frozen=True)
class Surroundings:
    """Where the manager can be reached, what to run the second host's commands behind, and how its agent is to listen
    (nothing: as it does by itself)."""

    address: str
    prefix: tuple[str, ...]
    listening: tuple[str, ...]


@contextmanager
def loopback() -> Generator[Surroundings]:
    yield Surroundings("127.0.0.1", (), ("--bind", f"127.0.0.1:{free_port()}"))


@contextmanager
def namespace() -> Generator[Surroundings]:
    """A network namespace for the second host, with one wire to this machine and no other way out."""
    name = f"nx{new_id().hex[-10:]}"
    ours, theirs = f"{name}a", f"{name}b"
    here, there = "198.18.77.1", "198.18.77.2"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    ip("netns", "add", name)
    try:
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        ip("address", "add", f"{here}/30", "dev", ours)
        ip("link", "set", ours, "up")
        ip("-n", name, "address", "add", f"{there}/30", "dev", theirs)
        ip("-n", name, "link", "set", theirs, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield Surroundings(here, ("ip", "netns", "exec", name), ())
    finally:
        ip("netns", "delete", name)


PLACE = (
    pytest.param(namespace, id="namespace", marks=pytest.mark.net)
    if os.geteuid() == 0
    else pytest.param(loopback, id="loopback")
)
"""A namespace keeps more apart than loopback does, but only root can make one."""


@pytest.mark.parametrize("surroundings", [PLACE])
def test_a_vm_on_a_second_host(short_tmp: Path, built_images: Store, surroundings: Callable[[], Any]) -> None:
    with ExitStack() as stack:
        place: Surroundings = stack.enter_context(surroundings())
        site = stack.enter_context(over_https(short_tmp / "near", built_images, place))
        far = SecondHost(short_tmp / "far", place, certificate=short_tmp / "near/cert.pem")
        stack.callback(far.clear)
        printed = site.done("host", "join-token").strip()
        assert f"--join https://{place.address}:" in printed
        far.start(*shlex.split(printed)[1:], *place.listening)
        eventually(lambda: "far-1" in online(site), far)
        assert len(online(site)) == 2
        assert f"https://{'198.18.77.2:18081' if place.prefix else '127.0.0.1:'}" in site.done("host", "show", "far-1")
        name = vm_on("far-1", site)
        assert site.done("vm", "exec", name, "--", "uname", "-a").startswith(f"Linux {name} ")
        kept = list((far.data / "agent/images").iterdir())
        assert len(kept) == 3
        assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in kept)
        assert all(path.stat().st_nlink == 1 for path in kept)
        far.kill()
        url = shlex.split(printed)[shlex.split(printed).index("--join") + 1]
        far.start("agent", "--join", url, *place.listening)
        eventually(lambda: site.nexus("vm", "exec", name, "--", "true").returncode == 0, far)
        assert b"is on it" in site.nexus("host", "delete", "far-1").stderr
        site.done("vm", "delete", name)
        site.done("host", "delete", "far-1")
        assert "far-1" not in online(site)
        eventually(lambda: "refuses this host's credential" in far.log(), far)


def vm_on(host: str, site: Installation) -> str:
    """A VM that was placed there: each goes where the most memory is left."""
    for name in ("one", "two"):
        made = json.loads(site.done("vm", "create", name, "--memory", "256", "-o", "json"))
        assert (made["state"], made["guest"]) == ("running", "ready")
        if made["host_name"] == host:
            return name
    raise AssertionError(f"nothing was placed on {host}")


@contextmanager
def over_https(home: Path, images: Store, place: Surroundings) -> Generator[Installation]:
    """The all-in-one with a hypervisor that runs nothing, first started as it comes, then opened to the network."""
    home.mkdir(mode=0o711)
    certificate, key = home / "cert.pem", home / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=nexus", "-addext", f"subjectAltName=IP:{place.address}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with installed(home, images, AGENT_VMM="fake", AGENT_NAME="near-1") as site:
        site.done("passwd", input=f"root\n{PASSWORD}\n".encode())
        site.done("down")
        settings = {
            "MANAGER_BIND": f"{place.address}:{free_port()}",
            "MANAGER_TLS_CERT": str(certificate),
            "MANAGER_TLS_KEY": str(key),
        }
        opened = replace(site, environment=site.environment | settings)
        opened.done("up", "--detach")
        yield opened


class SecondHost:
    """A machine of its own, as far as its agent can tell."""

    def __init__(self, home: Path, place: Surroundings, *, certificate: Path) -> None:
        home.mkdir(mode=0o711)
        self.data = home / "data"
        self._home = home
        self._place = place
        self._ca = home / "ca.pem"
        shutil.copy(certificate, self._ca)
        self._agent: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        own = {"NEXUS_DATA_DIR": str(self.data), "AGENT_VMM": "qemu", "AGENT_ZYGOTES": "0"}  # it is killed
        command = [*self._place.prefix, sys.executable, "-m", "nexus.cli", *words]
        with (self._home / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(
                [*command, "--name", "far-1", "--ca", str(self._ca)], env=os.environ | own, stdout=log, stderr=log
            )

    def log(self) -> str:
        return (self._home / "agent.log").read_text()

    def has_ended(self) -> bool:
        return self._agent is None or self._agent.poll() is not None

    def kill(self) -> None:
        """As a power cut would end it, but for the guests."""
        assert self._agent is not None
        self._agent.kill()
        self._agent.wait()

    def clear(self) -> None:
        if not self.has_ended():
            self.kill()
        shutil.rmtree(runtime_dir(self.data), ignore_errors=True)
        sys.stderr.write(f"--- the second host's agent\n{self.log()[-10_000:]}\n")


def online(site: Installation) -> list[str]:
    hosts: list[dict[str, Any]] = json.loads(site.done("host", "list", "-o", "json"))
    return [host["name"] for host in hosts if host["state"] == "online"]


def eventually(claim: Callable[[], bool], far: SecondHost, *, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not claim():
        assert not far.has_ended(), far.log()
        assert time.monotonic() < deadline, far.log()
        time.sleep(0.2)


def free_port() -> int:
    """With the two after it free as well: the all-in-one's own port is one of them."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                stack.enter_context(socket.create_server(("127.0.0.1", first + 2)))
            except (OSError, OverflowError):
                continue
            return first
