"""Terminals, ports, files and consoles of VMs where no real guest is needed; with one, see tests/e2e."""

import asyncio
import json
from uuid import uuid4

import httpx
import pytest
from tests.manager.compute.acting import JoinedHost, create, machine_of, ok
from tests.manager.compute.test_streams import end_of, socket

from nexus.kit.db import Db

OTHERS = ("terminals", "files?path=/etc")


async def test_what_a_guest_refuses_is_told_in_its_words(host: JoinedHost, user: httpx.AsyncClient) -> None:
    vm_id = await create(user)
    assert ok(await user.get(f"/v1/vms/{vm_id}/terminals")) == {"items": []}
    refused = await user.post(f"/v1/vms/{vm_id}/terminals")
    assert refused.status_code == 409
    assert "a simulated guest runs no processes" in refused.json()["error"]
    gone = await user.get(f"/v1/vms/{vm_id}/terminals/abc")
    assert (gone.status_code, gone.json()["code"]) == (404, "terminal_not_found")
    assert (await user.delete(f"/v1/vms/{vm_id}/terminals/abc")).status_code == 404
    assert (await user.get(f"/v1/vms/{vm_id}/files", params={"path": "/etc"})).status_code == 404
    assert (await user.get(f"/v1/vms/{vm_id}/files", params={"path": "etc"})).status_code == 422


async def test_a_vm_that_is_off_or_somebody_elses_has_none(
    host: JoinedHost, user: httpx.AsyncClient, other_user: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    vm_id, off = await create(user), await create(user, "off", start=False)
    for what in OTHERS:
        assert (await user.get(f"/v1/vms/{off}/{what}")).status_code == 409
        assert (await user.get(f"/v1/vms/{uuid4()}/{what}")).status_code == 404
        assert (await other_user.get(f"/v1/vms/{vm_id}/{what}")).status_code == 404
        assert (await viewer.get(f"/v1/vms/{vm_id}/{what}")).status_code == 403


async def test_pipes_are_refused_on_the_socket_in_words(host: JoinedHost, served: str, user: httpx.AsyncClient) -> None:
    vm_id, off = await create(user), await create(user, "off", start=False)
    for path, status in (
        (f"{off}/forward/ws?port=80", 409),
        (f"{off}/files/ws?path=/root", 409),
        (f"{off}/console/ws", 409),
        (f"{uuid4()}/forward/ws?port=80", 404),
        (f"{vm_id}/forward/ws?port=80", 404),
        (f"{vm_id}/console/ws", 409),
    ):
        async with socket(served, user, path) as connection:
            said, code = await end_of(connection)
        assert (said["type"], said["status"], code) == ("error", status, 1008), (path, said)


async def test_who_reaches_into_a_guest_is_on_record(
    host: JoinedHost, served: str, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(user)
    await user.post(f"/v1/vms/{vm_id}/terminals", json={"argv": ["top"], "username": "bob"})
    await user.get(f"/v1/vms/{vm_id}/files", params={"path": "/etc"})
    for _ in range(3):
        async with socket(served, user, f"{vm_id}/forward/ws?port=80") as connection:
            await end_of(connection)
    async with socket(served, user, f"{vm_id}/files/ws?path=/root/") as connection:
        await end_of(connection)
    rows = await db.fetch(
        "select verb, details from audit where subject_id = $1 and actor_name = 'ada' and verb <> 'create' order by at",
        vm_id,
    )
    assert [(row["verb"], row["details"]) for row in rows] == [
        ("shell", {"argv": ["top"], "user": "bob"}),
        ("copy-files", {"from": "/etc"}),
        ("forward", {"port": 80}),
        ("copy-files", {"to": "/root/"}),
    ], "three connections of one forward are one record"


async def test_a_console_can_be_followed(host: JoinedHost, served: str, user: httpx.AsyncClient, db: Db) -> None:
    vm_id = await create(user)
    log = host.vmm.console(await machine_of(db, vm_id))
    log.write_bytes(b"old and ")
    got = b""
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=f"http://{served}", headers=user.headers, timeout=60) as client,
        client.stream("GET", f"/v1/vms/{vm_id}/console", params={"follow": "true", "offset": 4}) as answer,
    ):
        assert answer.headers["Nexus-Offset"] == "4"
        async for chunk in answer.aiter_raw():
            got += chunk
            if got == b"and ":
                with log.open("ab") as file:
                    file.write(b"new")
            if got == b"and new":
                return


async def test_logs_are_shown_by_name_to_administrators_only(
    host: JoinedHost, admin: httpx.AsyncClient, user: httpx.AsyncClient, db: Db
) -> None:
    vm_id = await create(admin)
    machine = await machine_of(db, vm_id)
    host.vmm.console(machine).write_text("one\ntwo\nthree\n")
    host.vmm.log(machine).write_text("vmm says\n")
    [known] = ok(await admin.get("/v1/hosts"))["items"]
    console = ok(await admin.get("/v1/logs/tail", params={"name": "console", "vm": str(vm_id), "lines": 2}))
    assert console == {"text": "two\nthree\n", "offset": 4, "size_bytes": 14}
    vmm = await admin.get("/v1/logs/tail", params={"name": "vmm", "vm": str(vm_id)})
    assert ok(vmm)["text"] == "vmm says\n"
    for asked, status, code in (
        ({"name": "manager"}, 409, "log_not_kept"),
        ({"name": "agent", "host": known["id"]}, 409, None),
        ({"name": "agent", "host": str(uuid4())}, 404, "host_not_found"),
        ({"name": "agent"}, 422, "log_subject_missing"),
        ({"name": "console"}, 422, "log_subject_missing"),
        ({"name": "vmm", "vm": str(uuid4())}, 404, "vm_not_found"),
        ({"name": "/etc/passwd"}, 422, None),
        ({"path": "/var/log/syslog"}, 422, None),
    ):
        refused = await admin.get("/v1/logs/tail", params=asked)
        assert refused.status_code == status, (asked, refused.text)
        assert code in (None, refused.json()["code"]), asked
    assert (await user.get("/v1/logs/tail", params={"name": "console", "vm": str(vm_id)})).status_code == 403


@pytest.mark.parametrize("said", ['{"type": "stop"}', "nonsense", '{"type": ["end"]}'])
async def test_a_pipe_takes_bytes_and_an_end(host: JoinedHost, served: str, user: httpx.AsyncClient, said: str) -> None:
    """Whatever else is said, nobody breaks."""
    vm_id = await create(user)
    async with socket(served, user, f"{vm_id}/files/ws?path=/root") as connection:
        await connection.send(said)
        last, _code = await end_of(connection)
    assert json.loads(json.dumps(last))["type"] == "error"
