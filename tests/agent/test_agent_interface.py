"""The edges of the agent: settings, who may connect, malformed requests, doctor."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.agent.lab import AgentProcess, agent_here, agent_settings, machine_spec, random_images

from nexus.agent.api import peer
from nexus.agent.doctor import examine
from nexus.agent.settings import AgentSettings
from nexus.kit.ids import new_id
from nexus.kit.settings import SettingsError, load
from nexus.protocol.checkup import Checkup
from nexus.protocol.machines import Power


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AGENT_BIND", "0.0.0.0", "host:port"),
        ("AGENT_VMM", "xen", "fake"),
        ("AGENT_MAX_BOOTS", "0", "greater than or equal to 1"),
        ("AGENT_RUNTIME_DIR", "/" + "x" * 80, "107 bytes"),
        ("MANAGER_BASE", "manager:18080", "must be a URL"),
        ("FC_BRIDGE", "br 0", "pattern"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load(AgentSettings, config=None)
    assert name in str(refused.value)
    assert words in str(refused.value)


def test_the_process_says_which_setting_is_wrong_and_ends_with_its_own_status(short_tmp: Path) -> None:
    env = os.environ | {"AGENT_VMM": "xen", "NEXUS_DATA_DIR": str(short_tmp)}
    done = subprocess.run([sys.executable, "-m", "nexus.agent"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "AGENT_VMM" in done.stderr


def test_only_our_own_uid_and_root_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer.peer_uid(ours) == os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [peer.is_trusted(uid) for uid in (0, 1000, 1001, 64_000_001)] == [True, True, False, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can connect as somebody else")
async def test_a_stranger_gets_no_answer_even_if_the_socket_lets_him_in(short_tmp: Path) -> None:
    process = AgentProcess(short_tmp, AGENT_VMM="fake")
    await process.start()
    process.socket.parent.chmod(0o711)
    process.socket.chmod(0o666)
    script = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'GET /v1/host HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'); s.settimeout(5); print(len(s.recv(100)))"
    )
    try:
        command = ["/usr/bin/python3", "-c", script, str(process.socket)]
        trusted = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        assert int(trusted.stdout) > 0
        stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *command]
        refused = await asyncio.to_thread(subprocess.run, stranger, capture_output=True, text=True, check=False)
        assert refused.stdout.strip() in ("", "0"), refused.stdout
        assert "Permission" not in refused.stderr
    finally:
        process.kill()


async def test_malformed_requests_are_refused_with_a_reason(short_tmp: Path) -> None:
    using = random_images(short_tmp / "seed")
    async with agent_here(agent_settings(short_tmp)) as (agent, _):
        spec = machine_spec(using)
        nonsense = await agent.http.put(f"/v1/machines/{spec.id}", content='{"id": 7}')
        assert (nonsense.status_code, nonsense.json()["code"]) == (422, "invalid")
        other = await agent.http.put(f"/v1/machines/{new_id()}", content=spec.model_dump_json())
        assert other.status_code == 409
        assert (await agent.http.get("/v1/machines/not-an-id")).status_code == 404
        unknown = await agent.power(new_id(), Power.ON, boot=1)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "gone")
        await agent.define(spec)
        assert (await agent.http.get(f"/v1/machines/{spec.id}/metrics")).status_code == 409
        assert (await agent.http.get(f"/v1/machines/{spec.id}/console?offset=x")).status_code == 409
        assert (await agent.http.get(f"/v1/machines/{spec.id}/guest/health")).status_code == 503
        listed = (await agent.http.get("/v1/machines")).json()["items"]
        assert [each["id"] for each in listed] == [str(spec.id)]


async def test_a_request_id_is_kept(short_tmp: Path) -> None:
    async with agent_here(agent_settings(short_tmp)) as (agent, _):
        answer = await agent.http.get("/v1/host", headers={"X-Request-ID": "abc-1"})
        assert answer.headers["x-request-id"] == "abc-1"


async def test_doctor_looks_at_everything_the_agent_needs(short_tmp: Path) -> None:
    checkup = await examine(agent_settings(short_tmp))
    names = [finding.name for finding in checkup.findings]
    assert names == ["hypervisor", "acceleration", "network", "isolation", "limits", "disk tools", "disk cloning"]
    assert all(finding.found for finding in checkup.findings)
    assert all(finding.fix for finding in checkup.findings if finding.verdict != "ok")
    assert Checkup.model_validate_json(checkup.model_dump_json()) == checkup
