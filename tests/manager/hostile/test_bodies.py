"""Bodies that are no JSON, not said to be JSON, or JSON of another form."""

from uuid import UUID

import httpx
from tests.manager.hostile.trying import ANY_ID, JSON, Trials, Try, posts

from nexus.manager.app import MOST_BODY_BYTES

NAMED = '{"name":"web-1"}'
DEEP = '{"name":' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}"


async def test_what_is_no_json_is_malformed(trials: Trials) -> None:
    texts: list[str | bytes] = [
        *("{", "}", "{'name':'web-1'}", '{"name":}', '{"name":"web-1",}', '{"name":"web-1"} x', "web-1", "name=web-1"),
        *('{"name":"web-1"', '{"name":"we\nb"}', '{"name":"\\x41"}', "// no\n{}", " ", "\ufeff" + NAMED, "\0", "<a/>"),
        *(b'{"name":"\xff"}', b'{"name":"\xc0\xaf"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"\xf8\x88\x80\x80\x80"}'),
        *(NAMED.encode("utf-16"), NAMED.encode("utf-32"), b"\x1f\x8b\x08\x00" + bytes(20)),
        *("[" * 100_000, DEEP, "[" * 900 + "]" * 900 + "x"),
    ]
    await trials.all_refused(posts("/v1/vms", 400, texts))


async def test_json_that_parsers_would_read_differently_is_malformed(trials: Trials, vm_id: UUID) -> None:
    texts = [
        *(
            '{"name":"web-1","name":"web-2"}',
            '{"name":"web-1","vcpu":1,"vcpu":32}',
            '{"name":"web-1","n\\u0061me":"b-2"}',
        ),
        *('{"name":"web-1","tags":[{"a":1,"a":2}]}', '{"name":"web-1","vcpu":NaN}', '{"name":"\\ud800"}'),
    ]
    await trials.all_refused(posts("/v1/vms", 400, texts))
    twice = '{"description":"one","description":"two"}'
    await trials.all_refused(posts(f"/v1/vms/{vm_id}", 400, [twice], method="PATCH"))
    await trials.all_refused(posts("/v1/auth/login", 400, ['{"username":"root","password":"a","password":"root"}']))


async def test_json_that_is_no_object_does_not_fit(trials: Trials, vm_id: UUID) -> None:
    texts = ["[]", "null", "1", '"web-1"', "true", '["name","web-1"]', "[[]]"]
    for path in ("/v1/vms", "/v1/images", "/v1/auth/login", "/v1/hosts/join-tokens", f"/v1/vms/{vm_id}/exec"):
        await trials.all_refused(posts(path, 400, texts[: 7 if path == "/v1/vms" else 2]))
    await trials.all_refused([Try(400, "POST", "/v1/vms"), Try(400, "PATCH", f"/v1/vms/{vm_id}", headers=JSON)])


async def test_a_body_that_is_not_said_to_be_json_is_refused_for_that(trials: Trials, vm_id: UUID) -> None:
    types = [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"),
        *("application/jsonx", "json", "text/json", "application/octet-stream", "", "application/json/x", ";"),
    ]
    tries = [Try(415, "POST", "/v1/vms", content=NAMED, headers={"Content-Type": kind}) for kind in types]
    tries += [Try(415, "POST", "/v1/vms", content=NAMED), Try(415, "POST", f"/v1/vms/{vm_id}/stop", content="{}")]
    await trials.all_refused(tries)


async def test_an_objects_fields_are_those_that_there_are_and_of_their_types(trials: Trials, vm_id: UUID) -> None:
    texts = [
        *('{"name":["web-1"]}', '{"name":{"a":1}}', '{"name":null}', '{"name":true}', '{"name":1}', '{"Name":"web-1"}'),
        *(
            '{"name":"web-1","x":1}',
            '{"name":"web-1","__proto__":{}}',
            '{"name":"web-1","":1}',
            '{"name":"web-1","a\\u0000":1}',
        ),
        *('{"name":"web-1","tags":"a"}', '{"name":"web-1","tags":{"a":1}}', '{"name":"web-1","tags":[1]}'),
        *(
            '{"name":"web-1","tags":[["a"]]}',
            '{"name":"web-1","tags":null}',
            '{"name":"web-1","ssh_authorized_keys":""}',
        ),
        *('{"name":"web-1","kernel_image_id":1}', '{"name":"web-1","kernel_image_id":""}'),
        *('{"name":"web-1","rootfs_image_id":"{}"}', '{"name":"web-1","rootfs_image_id":["a"]}'),
        f'{{"name":"web-1","kernel":"a","kernel_image_id":"{ANY_ID}"}}',
        '{"name":"web-1","state":"running"}',
        '{"name":"web-1","created_by_user_id":"root"}',
    ]
    await trials.all_refused(posts("/v1/vms", 422, texts))
    edits = ['{"vcpu":2}', '{"state":"running"}', '{"id":"x"}', '{"name":null}', '{"tags":null}', '{"password":"x"}']
    await trials.all_refused(posts(f"/v1/vms/{vm_id}", 422, edits, method="PATCH"))
    await trials.all_refused(posts(f"/v1/vms/{vm_id}/stop", 422, ['{"grace":5}', '{"grace_s":5,"force":true}']))
    await trials.all_refused(posts("/v1/hosts/join-tokens", 422, ['{"expires":60}', '{"host_id":"x"}']))


async def test_a_body_beyond_the_limit_is_too_large_whatever_it_holds(trials: Trials, vm_id: UUID) -> None:
    long = '{"name":"web-1","description":"' + "x" * MOST_BODY_BYTES + '"}'
    tries = posts("/v1/vms", 413, [long, "[" * (MOST_BODY_BYTES + 1)])
    tries += [Try(413, "POST", "/v1/vms", content=long), Try(413, "POST", f"/v1/vms/{vm_id}/exec", content=long)]
    tries += [Try(413, "POST", "/v1/vms", content=long, headers={**JSON, "Idempotency-Key": "long"})]
    await trials.all_refused(tries)


async def test_commands_hold_what_can_be_an_argument_and_an_environment(trials: Trials, vm_id: UUID) -> None:
    texts = [
        *("{}", '{"argv":[]}', '{"argv":[""]}', '{"argv":["id"],"command":"id"}', '{"argv":"id"}', '{"argv":[null]}'),
        *('{"argv":["a\\u0000b"]}', '{"argv":["id",""],"cwd":"tmp"}', '{"argv":["id"],"cwd":"/a\\u0000"}'),
        *(
            '{"command":"a\\u0000"}',
            '{"command":["id"]}',
            '{"argv":["id"],"user":"root;id"}',
            '{"argv":["id"],"user":""}',
        ),
        *('{"argv":["id"],"env":{"A=B":"x"}}', '{"argv":["id"],"env":{"":"x"}}', '{"argv":["id"],"env":{"A\\nB":"x"}}'),
        *('{"argv":["id"],"env":{"A":"x\\u0000"}}', '{"argv":["id"],"env":{"A":1}}', '{"argv":["id"],"env":["A=B"]}'),
        *('{"argv":["id"],"env":{"1A":"x"}}', '{"argv":["id"],"env":{"\u00c4":"x"}}', '{"argv":["id"],"stdin":1}'),
        '{"argv":["' + "x" * 65_537 + '"]}',
        '{"argv":[' + '"x",' * 1024 + '"x"]}',
        '{"argv":["id"],"env":{"' + "A" * 129 + '":"x"}}',
        '{"argv":["id"],"env":{' + ",".join(f'"A{n}":"x"' for n in range(257)) + "}}",
    ]
    await trials.all_refused(posts(f"/v1/vms/{vm_id}/exec", 422, texts))


async def test_who_is_not_signed_in_learns_nothing_by_sending_nonsense(
    trials: Trials, anonymous: httpx.AsyncClient
) -> None:
    tries = [*posts("/v1/vms", 401, ["{}", '{"name":"kept"}', '{"name":1}']), Try(401, "GET", f"/v1/vms/{ANY_ID}")]
    await trials.all_refused(tries, client=anonymous)
