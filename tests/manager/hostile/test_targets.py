"""Paths and queries: ids that are none, ways out of a directory, bounds of lists, cursors from elsewhere."""

import base64
from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import JoinedHost, create, ok
from tests.manager.hostile.trying import ANY_ID, Trials, Try, gets

NO_IDS = [
    *("1", "-1", "null", "undefined", "kept", "01890000-0000-7000-8000-00000000000", ANY_ID + "0", "*", "%20"),
    *(
        "g1890000-0000-7000-8000-000000000000",
        "\u0661" * 32,
        "\U0001f600",
        "' or 1=1",
        "$(id)",
        "0" * 4000,
        "%25",
        "{}",
    ),
]
NOWHERE = [
    *(
        "/v1/vms/..%2f..%2fetc%2fpasswd",
        "/v1/vms/%2e%2e/users",
        "/v2/vms",
        "/v1",
        "/V1/vms",
        "/v1//vms",
        "/v1/vms/x/y/z",
    ),
    *(
        "/.git/config",
        "/%2e%2e/%2e%2e/etc/passwd",
    ),
    *(
        "/openapi.json/",
        "/v1/vms/",
        "/v1/images/content/..%2f..%2fetc%2fpasswd",
        f"/v1/vms/{ANY_ID}/format",
        "/wp-login.php",
    ),
]
LISTS = ["/v1/vms", "/v1/images", "/v1/hosts", "/v1/networks", "/v1/operations", "/v1/audit", "/v1/ssh-keys"]


async def test_what_is_no_id_names_nothing(trials: Trials) -> None:
    for noun in ("vms", "images", "hosts", "networks", "operations", "ssh-keys"):
        await trials.all_refused([Try(422, "GET", f"/v1/{noun}/{text}") for text in NO_IDS])
    for verb in ("start", "stop", "pause", "resume", "reboot", "ctrl-alt-del"):
        await trials.all_refused([Try(422, "POST", f"/v1/vms/{text}/{verb}") for text in NO_IDS[:4]])
        await trials.all_refused([Try(404, "POST", f"/v1/vms/{ANY_ID}/{verb}")])
    await trials.all_refused([Try(422, "DELETE", f"/v1/{noun}/kept") for noun in ("vms", "images", "ssh-keys")])


async def test_there_is_nothing_beside_the_routes(trials: Trials) -> None:
    await trials.all_refused([Try(404, method, path) for method in ("GET", "POST") for path in NOWHERE])
    ways_out = ["%2e%2e%2f__init__.py", "..%5c..%5capp.py", "%2fetc%2fpasswd", "swagger-ui.css/..%2f..%2fapp.py"]
    await trials.all_refused([Try(404, "GET", f"/swagger-ui/{path}") for path in ways_out])


async def test_a_target_that_is_no_text_is_malformed(trials: Trials) -> None:
    for bad in ("%00", "a%00b", "%ff", "%c0%af", "%ed%a0%80", "%c0%80"):
        tries = [
            Try(400, "GET", f"/v1/vms/{bad}"),
            Try(400, "POST", f"/v1/vms/{bad}/start"),
            Try(400, "GET", f"/{bad}"),
        ]
        tries.append(Try(400, "POST", f"/v1/vms/{bad}/start", headers={"Idempotency-Key": "k"}))
        await trials.all_refused(tries)
    await trials.all_refused(
        [Try(400, "GET", f"/v1/vms?q={bad}") for bad in ("%ff", "a%c0%af", "%ed%a0%80", "\u00e4%e4")]
    )


async def test_no_query_of_a_list_takes_nul(trials: Trials) -> None:
    for path in LISTS:
        names = ("q", "name", "tag", "kind", "verb", "subject_kind", "actor_name", "sort", "cursor", "limit", "unknown")
        await trials.all_refused(gets(path, 422, [{name: "a\0b"} for name in names]))


async def test_a_list_has_bounds_sorts_and_cursors_of_its_own(trials: Trials) -> None:
    for path in LISTS:
        limits = [
            "0",
            "-1",
            "501",
            "2147483648",
            "9223372036854775808",
            "1e2",
            "1.5",
            "ten",
            "",
            "\u0661\u0660",
            "9" * 5000,
        ]
        await trials.all_refused(gets(path, 422, [{"limit": text} for text in limits]))
        sorts = ["password_hash", "-", "--name", "name;drop table vms", "name,id", "NAME", "id desc", " name", "x" * 65]
        await trials.all_refused(gets(path, 422, [{"sort": text} for text in sorts]))
        cursors = ["x", "====", "bm9uZQ", "\u00e4", "\U0001f600", "null", "-1", "AAAA" * 500, "bnVsbA==", _forged([])]
        await trials.all_refused(gets(path, 400, [{"cursor": text} for text in cursors]))
        await trials.all_refused(gets(path, 422, [{"cursor": "A" * 2049}]))


def _forged(content: list[Any]) -> str:
    return base64.urlsafe_b64encode(str(content).encode()).decode()


async def test_a_cursor_is_of_no_use_when_cut_changed_or_elsewhere(
    trials: Trials, admin: httpx.AsyncClient, images: dict[str, str]
) -> None:
    cursor = ok(await admin.get("/v1/images", params={"limit": 1}))["next_cursor"]
    changed = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in (0, 7, 15, 40)]
    damaged = [cursor[:-1], cursor[:-5], cursor[1:], cursor + "AAAA", cursor.swapcase(), *changed]
    await trials.all_refused(gets("/v1/images", 400, [{"cursor": text} for text in damaged]))
    await trials.all_refused(gets("/v1/images", 400, [{"cursor": cursor, "sort": "-name"}]))
    await trials.all_refused(
        [one for path in ("/v1/hosts", "/v1/networks") for one in gets(path, 400, [{"cursor": cursor}])]
    )
    assert ok(await admin.get("/v1/images", params={"limit": 1, "cursor": cursor}))["items"]


async def test_filters_take_what_there_is(trials: Trials) -> None:
    states = ["happy", "RUNNING", "running,stopped", "", "running "]
    await trials.all_refused(gets("/v1/vms", 422, [{"state": text} for text in states]))
    await trials.all_refused(gets("/v1/vms", 422, [{"state": ["running"] * 11}, {"tag": ["a"] * 33}, {"q": "x" * 101}]))
    await trials.all_refused(gets("/v1/vms", 422, [{"name": "x" * 64}]))
    await trials.all_refused(gets("/v1/images", 422, [{"kind": "disk"}, {"name": "x" * 64}, {"q": "x" * 101}]))
    for path in ("/v1/hosts", "/v1/networks", "/v1/ssh-keys"):
        await trials.all_refused(gets(path, 422, [{"q": "x" * 101}, {"name": "x" * 64}]))
    await trials.all_refused(gets("/v1/hosts", 422, [{"state": text} for text in states]))
    ids = ["x", "", "0" * 31, "\U0001f600", "-1"]
    for path in ("/v1/operations", "/v1/audit", "/v1/events"):
        await trials.all_refused(gets(path, 422, [{"subject_id": text} for text in ids]))
        await trials.all_refused(gets(path, 422, [{"subject_kind": "x" * 33}]))
    await trials.all_refused(gets("/v1/operations", 422, [{"status": "fine"}, {"verb": "x" * 33}]))
    await trials.all_refused(gets("/v1/audit", 422, [{"actor_name": "x" * 65}, {"verb": "x" * 33}]))


async def test_what_a_filter_is_given_is_taken_to_the_letter(host: JoinedHost, admin: httpx.AsyncClient) -> None:
    await create(admin, "web-1", start=False, description="100% e\u0301 \u05e9\u05dc\u05d5\u05dd a_b", tags=["a:b"])
    found = ["100%", "a_b", "e\u0301", "\u05e9\u05dc\u05d5\u05dd", "WEB"]
    missed = ["%", "_%_", "a%b", "\u00e9x", "\ufffd", "'", "\\", "web-1' or '1'='1"]
    for text in found:
        assert len(ok(await admin.get("/v1/vms", params={"q": text}))["items"]) == 1, text
    assert [text for text in missed if ok(await admin.get("/v1/vms", params={"q": text}))["items"]] == ["%"]
    for tag in ("a:b' or 1=1", "{a:b}", "%", "", "\U0001f600", "x" * 5000):
        assert ok(await admin.get("/v1/vms", params={"tag": tag}))["items"] == []


async def test_waits_offsets_and_positions_are_within_their_bounds(trials: Trials, vm_id: UUID) -> None:
    waits = ["-1", "61", "nan", "inf", "-inf", "1e400", "ten", "", "0x10", "\u0661", "1,5", "9" * 400]
    tries = [Try(422, "POST", f"/v1/vms/{vm_id}/start", query={"wait": text}) for text in waits]
    tries += gets(f"/v1/operations/{ANY_ID}", 422, [{"wait": text} for text in waits])
    await trials.all_refused(tries)
    offsets = ["-1", "9223372036854775808", "1.5", "x", "", "9" * 5000, "4611686018427387905"]
    await trials.all_refused(gets(f"/v1/vms/{vm_id}/console", 422, [{"offset": text} for text in offsets]))
    positions = ["-1", "9223372036854775808", "x", "", "1.5", "nan", "9" * 5000]
    await trials.all_refused(gets("/v1/events", 422, [{"since": text} for text in positions]))
    await trials.all_refused(gets("/v1/events", 422, [{"type": ["a"] * 33}]))
    await trials.all_refused(gets("/v1/events", 410, [{"since": "9223372036854775807"}]))
    headers = [
        Try(422, "GET", "/v1/events", headers={"Last-Event-ID": text}) for text in ("x", "-1", "9223372036854775808")
    ]
    await trials.all_refused(headers)


async def test_methods_are_those_that_the_route_has(trials: Trials, admin: httpx.AsyncClient, vm_id: UUID) -> None:
    for method, path in (
        *(
            ("PUT", "/v1/vms"),
            ("DELETE", "/v1/vms"),
            ("TRACE", "/v1/vms"),
            ("BREW", "/v1/vms"),
            ("get", "/v1/auth/login"),
        ),
        *(
            ("POST", f"/v1/vms/{vm_id}"),
            ("GET", f"/v1/vms/{vm_id}/start"),
            ("PATCH", "/health"),
            ("OPTIONS", "/v1/vms"),
        ),
    ):
        await trials.all_refused([Try(405, method, path)])
        assert (await admin.request(method, path)).headers["allow"]
