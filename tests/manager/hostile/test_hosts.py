"""What comes in the name of a host: to join, and to report."""

import json
from typing import Any

import httpx
import pytest
from tests.manager.compute.acting import ok, signing_request
from tests.manager.hostile.trying import ANY_ID, FACTS, Trials, Try, posts

SEEN: dict[str, Any] = {"id": ANY_ID, "seq": 1, "generation": 1, "power": "on"}
REPORT: dict[str, Any] = {"boot_id": "boot-1", "seq": 1, "full": False, "machines": [SEEN]}
BEYOND_INT4, BEYOND_INT8 = 2**31, 2**63

BAD_FACTS: list[dict[str, Any]] = [
    *({"name": name} for name in ("", "-a", "a b", "a\0", "a" * 64, "\u00e4", "a\n", "../a", None, 1)),
    *({"vmm": vmm} for vmm in ("", "QEMU", "qemu;id", None)),
    *({"acceleration": name} for name in ("", "xen", "kvm\n")),
    *({"vcpus": number} for number in (0, -1, BEYOND_INT4, 10**30, "many", 1.5, None)),
    *({"memory_mib": number} for number in (0, -1, BEYOND_INT8, 10**30, "much")),
    *({"disk_bytes": number} for number in (-1, BEYOND_INT8, 1.5)),
    *({"protocol_version": number} for number in (-1, BEYOND_INT4, "one")),
    *({"boot_id": text} for text in ("", "a\0", "x" * 65, "a\nb", None)),
    *({field: "a\0b"} for field in ("vmm_version", "why_vmm", "agent_version")),
    *({field: "x" * 16_385} for field in ("vmm_version", "why_vmm", "agent_version")),
    *({"offers": offers} for offers in ("pause", ["everything"], [["pause"]], None)),
]
BAD_SEEN: list[dict[str, Any]] = [
    *({"id": text} for text in ("", "x", ANY_ID + "0", None, 1)),
    *({"seq": number} for number in (-1, BEYOND_INT8, "x", None)),
    *({"generation": number} for number in (-1, BEYOND_INT8, 1.5)),
    *({"boot": number} for number in (-1, BEYOND_INT4, 2**64)),
    *({"power": text} for text in ("", "ON", "exploded", None)),
    *({"guest": text} for text in ("", "READY", 1)),
    *({"address": text} for text in ("", "300.1.1.1", "::1", "10.0.0.1/8", "10.0.0.1\0")),
    *({"stage": text} for text in ("a\0b", "x" * 16_385, 1)),
    *({"fault": text} for text in ("a\0b", "x" * 16_385, ["x"])),
    *({"started_at": text} for text in ("yesterday", "2026-13-01T00:00:00Z", 1e300)),
    {"exit": {"boot": 1, "reason": "asked", "why": "a\0b", "at": "2026-01-01T00:00:00Z"}},
    {"exit": {"boot": BEYOND_INT4, "reason": "asked", "why": "", "at": "2026-01-01T00:00:00Z"}},
    {"exit": {"boot": 1, "reason": "boredom", "why": "", "at": "2026-01-01T00:00:00Z"}},
]
BAD_REPORTS: list[Any] = [
    *({"seq": number} for number in (-1, BEYOND_INT8, 2**64, 1.5, "x", None)),
    *({"boot_id": text} for text in ("", "a\0", "x" * 65, None)),
    *({"full": value} for value in (None, 7, "perhaps")),
    *({"machines": value} for value in (None, "x", {"a": 1}, [None], [[1]], [1])),
    *({"usage": {"cpu_percent": number, "memory_used_mib": 1, "disk_used_bytes": 1}} for number in (-1, "x", None)),
    *({"usage": {"cpu_percent": 1, "memory_used_mib": number, "disk_used_bytes": 1}} for number in (-1, BEYOND_INT8)),
    *({"usage": {"cpu_percent": 1, "memory_used_mib": 1, "disk_used_bytes": number}} for number in (-1, BEYOND_INT8)),
]


@pytest.fixture
async def join_request(admin: httpx.AsyncClient) -> dict[str, Any]:
    """All that is needed to join."""
    token = ok(await admin.post("/v1/hosts/join-tokens", json={}))["token"]
    facts = {**FACTS, "name": "host-3"}
    return {"join_token": token, "address": "https://far-2.invalid:18081", "facts": facts, "csr": signing_request()}


async def test_no_host_joins_with_facts_that_cannot_be(join_request: dict[str, Any], trials: Trials) -> None:
    facts = join_request["facts"]
    bodies = [{**join_request, "facts": {**facts, **bad}} for bad in BAD_FACTS]
    await trials.all_refused(posts("/v1/hosts/register", 422, [*bodies, {**join_request, "facts": []}]))


async def test_no_host_joins_from_an_address_that_is_none(join_request: dict[str, Any], trials: Trials) -> None:
    addresses = [
        *("", "unix:", "unix:relative", "unix:/a\0b", "unix:/" + "x" * 200, "http://10.0.0.1:80", "https://", "//a:1"),
        *("https://a", "https://a:b@c:1", "https://a:1/x", "https://a:1?x", "https://a:1\n", "file:///etc/passwd"),
        *("https://[::1", "unix:/run/nexus/agent.sock", "javascript:alert(1)", "unix:/a\n/b", None, 1, ["unix:/a"]),
    ]
    bodies = [{**join_request, "address": address} for address in addresses]
    await trials.all_refused(posts("/v1/hosts/register", 422, bodies))


async def test_no_host_joins_with_a_token_that_is_none(join_request: dict[str, Any], trials: Trials) -> None:
    tokens = ["", "x", "nxj_", "nxj_" + "x" * 200, join_request["join_token"][:-1], join_request["join_token"].upper()]
    await trials.all_refused(
        posts("/v1/hosts/register", 401, [{**join_request, "join_token": text} for text in tokens])
    )
    never = ["a\0", "\u0001", "x" * 256, None, 1, ["x"]]
    await trials.all_refused(posts("/v1/hosts/register", 422, [{**join_request, "join_token": text} for text in never]))


async def test_nobody_is_certified_for_what_is_no_request(
    join_request: dict[str, Any], as_host: httpx.AsyncClient, trials: Trials
) -> None:
    good = join_request["csr"]
    lines = good.splitlines()
    requests = [
        *("", "x", "\0", "x" * 16_385, lines[0], good[: len(good) // 2], good.replace(" REQUEST", "")),
        *(f"{lines[0]}\nAAAA\n{lines[-1]}\n", good.replace(lines[1][10:20], "A" * 10)),
        *("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 1, [good]),
    ]
    joins = [{**join_request, "csr": text} for text in [*requests, None]]
    await trials.all_refused(posts("/v1/hosts/register", 422, joins))
    path, address = f"/v1/hosts/{as_host.headers['Host-Id']}/certificate", join_request["address"]
    renewals = [{"address": address, "csr": text} for text in [*requests, None]]
    await trials.all_refused(posts(path, 422, [*renewals, {"address": "unix:/a", "csr": good}]), client=as_host)
    elsewhere = f"/v1/hosts/{ANY_ID}/certificate"
    await trials.all_refused(posts(elsewhere, 403, [{"address": address, "csr": good}]), client=as_host)


async def test_no_report_is_taken_that_cannot_be_kept(as_host: httpx.AsyncClient, trials: Trials) -> None:
    path = f"/v1/hosts/{as_host.headers['Host-Id']}/heartbeat"
    bodies = [
        *({**REPORT, **bad} for bad in BAD_REPORTS),
        *({**REPORT, "machines": [{**SEEN, **bad}]} for bad in BAD_SEEN),
        *({**REPORT, "facts": {**FACTS, **bad}} for bad in BAD_FACTS),
    ]
    await trials.all_refused(posts(path, 422, bodies), client=as_host)
    usage = '{"cpu_percent":%s,"memory_used_mib":1,"disk_used_bytes":1}'
    texts = [f'{json.dumps(REPORT)[:-1]},"usage":{usage % number}}}' for number in ("NaN", "Infinity", "1e400")]
    texts.append(json.dumps(REPORT).replace('"boot-1"', '"\\ud800"'))
    await trials.all_refused(posts(path, 400, texts), client=as_host)


async def test_the_largest_report_that_fits_is_kept(as_host: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    path = f"/v1/hosts/{as_host.headers['Host-Id']}"
    largest = {**FACTS, "vcpus": BEYOND_INT4 - 1, "memory_mib": BEYOND_INT8 - 1, "disk_bytes": BEYOND_INT8 - 1}
    usage = {"cpu_percent": 1e300, "memory_used_mib": BEYOND_INT8 - 1, "disk_used_bytes": BEYOND_INT8 - 1}
    seen = {**SEEN, "seq": BEYOND_INT8 - 1, "generation": BEYOND_INT8 - 1, "boot": BEYOND_INT4 - 1, "fault": "\u202e\n"}
    report = {**REPORT, "seq": BEYOND_INT8 - 1, "machines": [seen], "facts": largest, "usage": usage, "full": True}
    ok(await as_host.post(f"{path}/heartbeat", json=report))
    item = ok(await admin.get(path))["item"]
    assert (item["vcpus"], item["memory_mib"], item["disk_bytes"]) == (2**31 - 1, 2**63 - 1, 2**63 - 1)
    assert item["usage"] == usage
    ok(await admin.post("/v1/vms", json={"name": "web-1", "disk_size_bytes": 1 << 44, "mem_mib": 1 << 20}))


async def test_a_hosts_credential_opens_nothing_but_its_own(as_host: httpx.AsyncClient, trials: Trials) -> None:
    await trials.all_refused(posts(f"/v1/hosts/{ANY_ID}/heartbeat", 403, [REPORT]), client=as_host)
    tries = [Try(401, "GET", path) for path in ("/v1/vms", "/v1/hosts", "/v1/auth/me", "/v1/events", "/v1/audit")]
    await trials.all_refused(tries, client=as_host)
    await trials.all_refused(posts("/v1/hosts/x/heartbeat", 422, [REPORT]), client=as_host)
