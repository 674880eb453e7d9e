"""Headers that are too long, of the wrong form, or mean to add others."""

import asyncio
import contextlib
from uuid import UUID

import httpx
from tests.manager.compute.acting import ok
from tests.manager.conftest import sign_in
from tests.manager.hostile.trying import Trials, Try

from nexus.kit.db import Db

NAMED = '{"name":"web-1"}'


async def test_an_idempotency_key_is_visible_ascii(trials: Trials) -> None:
    keys: list[bytes] = [
        b"",
        b" ",
        b"a b",
        b"x" * 256,
        b"\xc3\xa4",
        b"a\r\nX-Admin: 1",
        b"\0",
        b"a\tb",
        b"\x7f",
        b"x" * 9000,
    ]
    for key in keys:
        headers = [(b"Content-Type", b"application/json"), (b"Idempotency-Key", key)]
        await trials.all_refused([Try(422, "POST", "/v1/vms", content=NAMED, headers=headers)])  # pyright: ignore[reportArgumentType]


async def test_no_token_but_a_right_one_signs_anybody_in(trials: Trials, anonymous: httpx.AsyncClient) -> None:
    values: list[bytes] = [
        *(
            b"",
            b"Bearer",
            b"Bearer ",
            b"Basic cm9vdDpyb290",
            b"Bearer nxl_",
            b"Bearer nxh_x",
            b"bearer nxl_" + b"x" * 9000,
        ),
        *(
            b"Bearer nxl_\0",
            b"Bearer nxl_\xff\xfe",
            b"Bearer nxl_\xc3\xa4",
            b"Bearer a, Bearer b",
            b"nxl_x",
            b"Bearer\tnxl_",
        ),
    ]
    tries = [Try(401, "GET", "/v1/vms", headers=[(b"Authorization", value)]) for value in values]  # pyright: ignore[reportArgumentType]
    cookies: list[bytes] = [
        b"nexus_session=",
        b"nexus_session=nxl_\xff",
        b"nexus_session=a; nexus_session=b",
        b"=;=;" * 500,
        b"\0",
    ]
    tries += [Try(401, "GET", "/v1/vms", headers=[(b"Cookie", value)]) for value in cookies]  # pyright: ignore[reportArgumentType]
    await trials.all_refused(tries, client=anonymous)


async def test_a_request_id_that_is_none_is_replaced_and_never_told_back(admin: httpx.AsyncClient) -> None:
    for given in (b"a\r\nSet-Cookie: x=1", b"a\nb", b"\0", b"\xff", b"x" * 9000, b"", b'"}', b"\x1b[2J"):
        answer = await admin.get("/v1/nowhere", headers=[(b"X-Request-ID", given)])
        assert str(UUID(answer.headers["x-request-id"])) == answer.json()["request_id"]
        assert "set-cookie" not in answer.headers


async def test_a_range_is_one_of_bytes_that_the_file_has(
    as_host: httpx.AsyncClient, trials: Trials, images: dict[str, str], admin: httpx.AsyncClient
) -> None:
    item = ok(await admin.get(f"/v1/images/{images['rootfs']}"))["item"]
    path, size = f"/v1/images/content/{item['sha256']}", item["size"]
    none = [
        "bytes",
        "bytes=",
        "bytes=a-b",
        "bytes=5-1",
        "lines=0-1",
        "bytes=" + "9" * 5000 + "-",
        "0-1",
        "\x01",
    ]
    beyond = ["bytes=--1", f"bytes={size}-", f"bytes={2**63}-{2**64}", f"bytes={2**64}-"]
    for status, values in ((400, none), (416, beyond)):
        tries = [Try(status, "GET", path, headers={"Range": value}) for value in values]
        await trials.all_refused(tries, client=as_host)
    assert (await as_host.get(path, headers={"Range": beyond[1]})).headers["content-range"] == f"bytes */{size}"
    for value, status, length in (("bytes=-1", 206, 1), ("bytes=0-99999999", 206, size), ("bytes=0-0", 206, 1)):
        answer = await as_host.get(path, headers={"Range": value})
        assert (answer.status_code, len(answer.content)) == (status, length)
    many = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 2000, 2))
    assert (await as_host.get(path, headers={"Range": many})).status_code in (200, 206, 400)
    names = ["x", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "\u0661" * 64, "0" * 4000]
    await trials.all_refused([Try(422, "GET", f"/v1/images/content/{name}") for name in names], client=as_host)
    await trials.all_refused([Try(404, "GET", "/v1/images/content/" + "0" * 64)], client=as_host)


async def _raw(served: str, request: bytes) -> bytes:
    """What the server says to these very bytes."""
    reader, writer = await asyncio.open_connection(*served.split(":"))
    said = b""
    with contextlib.suppress(ConnectionError, OSError):  # it may hang up before it has heard all
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(20):
            said = await reader.read()
    writer.close()
    return said


async def test_bytes_that_are_no_request_end_the_connection_and_nothing_else(
    trials: Trials, served: str, db: Db, admin: httpx.AsyncClient
) -> None:
    token = (await sign_in(db, "root")).encode()
    head = b"Host: a\r\nAuthorization: Bearer " + token + b"\r\nConnection: close\r\n"
    hostile = [
        *(
            b"\0\0\0\0\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /v1/vms HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01" + bytes(60),
        ),
        b"GET /v1/vms\0 HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/vms/\xff\xfe HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/vms/%ff%00 HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/vms?q=%ff HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/../../etc/passwd HTTP/1.1\r\n" + head + b"\r\n",
        b"GET http://elsewhere/etc/passwd HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/nowhere HTTP/1.1\r\n" + head + b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"GET /v1/nowhere HTTP/1.1\r\n" + head + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/nowhere HTTP/1.1\r\n" + head + b"X-Bad\x01Name: 1\r\n\r\n",
        b"GET /v1/nowhere HTTP/1.1\r\n" + head + b"X-Request-ID: a\nSet-Cookie: x=1\r\n\r\n",
        b"POST /v1/vms HTTP/1.1\r\n" + head + b"Content-Type: application/json\r\nContent-Length: -1\r\n\r\n{}",
        b"POST /v1/vms HTTP/1.1\r\n"
        + head
        + b"Content-Type: application/json\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        b"POST /v1/vms HTTP/1.1\r\n" + head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"POST /v1/vms HTTP/1.1\r\n" + head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /v1/vms HTTP/1.1\r\n"
        + head
        + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    ]
    for request in hostile:
        said = await _raw(served, request)
        status = said.split(b" ", 2)[1:2]
        assert status == [] or status[0][:1] == b"4", (request[:100], said[:200])
        assert b"set-cookie" not in said.lower()
    assert (await admin.get("/v1/vms")).status_code == 200
