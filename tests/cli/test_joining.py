"""`nexus host join-token` and `host delete`: letting hosts in and taking them out."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.cli.harness import Run
from tests.cli.stub_manager import StubManager, problem, uuid_of
from tests.cli.test_other_commands import HOST

TOKEN = "nxj_" + "t" * 43


def answer(url: str, *, hours: int = 1) -> dict[str, object]:
    expires_at = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    return {"id": uuid_of(301), "token": TOKEN, "expires_at": expires_at, "url": url}


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("https://manager.lab:18080", "--ca FILE"),
        ("http://127.0.0.1:18080", "for this machine only"),
        ("http://manager.lab:18080", "plain HTTP"),
    ],
)
def test_the_command_for_the_new_host_is_all_that_is_on_standard_output(
    nexus: Run, stub: StubManager, url: str, advice: str
) -> None:
    stub.on("POST", "/v1/hosts/join-tokens", answer(url, hours=24))
    shown = nexus("host", "join-token", "--hours", "24")
    assert shown.stdout == f"nexus agent --join {url} --token {TOKEN}\n"
    assert advice in shown.stderr
    assert "within 1d" in shown.stderr
    [asked] = stub.asked("POST", "/v1/hosts/join-tokens")
    assert asked.body == {"expires_in_s": 24 * 3600}
    assert "idempotency-key" not in asked.headers


def test_programs_get_the_parts_and_the_whole(nexus: Run, stub: StubManager) -> None:
    stub.on("POST", "/v1/hosts/join-tokens", answer("https://manager.lab"))
    made = json.loads(nexus("host", "join-token", "-o", "json").stdout)
    assert made["command"] == f"nexus agent --join https://manager.lab --token {TOKEN}"
    assert made["token"] == TOKEN


def test_a_host_is_deleted_by_its_name_and_a_refusal_is_passed_on(nexus: Run, stub: StubManager) -> None:
    stub.on("GET", "/v1/hosts", {"items": [HOST], "next_cursor": None})
    path = f"/v1/hosts/{uuid_of(201)}"
    stub.on("DELETE", path, {"ok": True}, problem(409, "Cannot remove lab-1: 2 machines are on it."))
    assert "lab-1 is deleted" in nexus("host", "delete", "lab-1").stderr
    refused = nexus("host", "delete", "lab-1")
    assert refused.exit_code == 1
    assert "2 machines are on it" in refused.stderr
