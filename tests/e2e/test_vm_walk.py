"""One VM from creation to deletion, as users have it: manager and agent as processes, QEMU, a Linux guest.

What only a real guest can show is shown here; everything else is tested faster elsewhere.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.e2e.inside import work_inside
from tests.e2e.measuring import shows_in_metrics
from tests.manager.conftest import free_port
from websockets.asyncio.client import ClientConnection, connect

from nexus.local import images

pytestmark = pytest.mark.vm

READY_WITHIN_S = 60
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMXbtoBB6AYAk/gwvtR3xz+cBBr51pvlcBqrx3q1gGad ada@laptop"


@dataclass(frozen=True)
class Site:
    """A manager and an agent that run; `api` is signed in as root."""

    api: httpx.AsyncClient
    base: str
    token: str
    agent_data: Path
    runtime: Path

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncGenerator[ClientConnection]:
        url = f"{self.base.replace('http', 'ws', 1)}{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with connect(url, additional_headers=headers, proxy=None, compression=None) as connection:
            yield connection


@pytest.fixture(scope="module")
async def site(
    session_tmp: Path, postgres_server: Any, built_images: images.Store, module_database: str
) -> AsyncIterator[Site]:
    home = session_tmp / "walk"
    home.mkdir(mode=0o711)
    token_file = home / "join-token"
    token_file.write_text(secrets.token_urlsafe(32))
    base = f"http://127.0.0.1:{free_port()}"
    manager = {
        "DATABASE_URL": module_database,
        "MANAGER_BIND": base.removeprefix("http://"),
        "MANAGER_IMAGE_ROOT": str(built_images.root),
        "MANAGER_SECRET_KEY_FILE": str(home / "secret.key"),
        "MANAGER_LOCAL_JOIN_TOKEN_FILE": str(token_file),
        "MANAGER_METRICS_INTERVAL_S": "2",
    }
    agent = {
        "AGENT_BIND": f"unix:{home}/run/agent.sock",
        "FC_RUN_DIR": str(home / "agent"),
        "AGENT_RUNTIME_DIR": str(home / "run"),
        "MANAGER_BASE": base,
        "AGENT_JOIN_TOKEN_FILE": str(token_file),
        "AGENT_IMAGE_SEED": str(built_images.root),
        "AGENT_NETWORK": "user",
        "AGENT_USER_NET_RESTRICT": "1",
    }
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running("nexus.manager", manager, home / "manager.log"))
        token = await mint_session(manager)
        api = httpx.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=90)
        await stack.enter_async_context(api)
        await until_ready(api)
        await register(api, built_images)
        await stack.enter_async_context(running("nexus.agent", agent, home / "agent.log"))
        await until_host(api)
        yield Site(api, base, token, home / "agent", home / "run")


@pytest.fixture(scope="module")
async def module_database(postgres_server: Any) -> AsyncIterator[str]:
    import asyncpg

    connection = await asyncpg.connect(postgres_server.url())
    await connection.execute("create database walk")
    yield postgres_server.url("walk")
    await connection.execute("drop database walk with (force)")
    await connection.close()


@asynccontextmanager
async def running(module: str, environment: dict[str, str], log: Path) -> AsyncGenerator[None]:
    """The process `python -m module`, asked to end afterwards; its log is shown if the test fails."""
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, env=os.environ | environment, stdout=file, stderr=file
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        sys.stderr.write(f"--- {log.name}\n{log.read_text()[-20_000:]}\n")


async def mint_session(environment: dict[str, str]) -> str:
    """A session of root's; asks until the manager has made that user."""
    async with asyncio.timeout(120):
        while True:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "nexus.manager", "mint-session"),
                env=os.environ | environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            out, _ = await process.communicate()
            if process.returncode == 0:
                return json.loads(out)["token"]


async def until_ready(api: httpx.AsyncClient) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                if (await api.get("/health/live")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def until_host(api: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while not ok(await api.get("/v1/hosts"))["items"]:  # noqa: ASYNC110 - the world tells nobody
            await asyncio.sleep(0.1)


async def register(api: httpx.AsyncClient, store: images.Store) -> None:
    for image in store.images():
        wanted = {
            "kind": image.kind,
            "name": image.name,
            "path": str(store.path(image)),
            "sha256": image.sha256,
            "is_default": image.is_default,
        }
        ok(await api.post("/v1/images", json=wanted))


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code}: {answer.text}"
    return answer.json()


async def act(site: Site, vm_id: str, verb: str) -> dict[str, Any]:
    """Do a verb, wait until it is done, answer with the VM as it is then."""
    answer = ok(await site.api.post(f"/v1/vms/{vm_id}/{verb}", params={"wait": READY_WITHIN_S}))
    assert answer["status"] == "done", answer
    return ok(await site.api.get(f"/v1/vms/{vm_id}"))["item"]


async def run(site: Site, vm_id: str, *argv: str, **more: object) -> dict[str, Any]:
    return ok(await site.api.post(f"/v1/vms/{vm_id}/exec", json={"argv": list(argv), **more}))


async def boot_id(site: Site, vm_id: str) -> str:
    return (await run(site, vm_id, "cat", "/proc/sys/kernel/random/boot_id"))["stdout"].strip()


def machines(site: Site) -> set[str]:
    """The ids of the machines the agent keeps."""
    return {path.name for path in (site.agent_data / "machines").iterdir()}


def vmm_processes(machine_ids: set[str]) -> list[int]:
    """The VMMs of these machines: each is named after its machine."""
    found: list[int] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words and "qemu" in words[0] and any(machine in word for machine in machine_ids for word in words):
            found.append(process.pid)
    return found


async def read_until(connection: ClientConnection, wanted: str) -> str:
    """What a shell says, up to and including `wanted`."""
    said = ""
    async with asyncio.timeout(120):
        while wanted not in said:
            message = json.loads(await connection.recv())
            assert message["type"] == "output", message
            said += message["data"]
    return said


async def test_a_vm_walks_through_its_whole_life(site: Site, tmp_path: Path) -> None:
    ok(await site.api.post("/v1/ssh-keys", json={"name": "laptop", "public_key": SSH_KEY}))
    wanted = {"name": "walker", "mem_mib": 256, "ssh_keys": ["laptop"]}
    created = ok(await site.api.post("/v1/vms", json=wanted, params={"wait": 60}))
    assert created["status"] == "done"
    vm_id = created["id"]
    vm = ok(await site.api.get(f"/v1/vms/{vm_id}"))["item"]
    assert (vm["state"], vm["guest"]) == ("running", "ready")
    ids = machines(site)
    assert len(vmm_processes(ids)) == 1

    done = await run(site, vm_id, "sh", "-c", "hostname; cat; echo oops >&2; exit 7", stdin="from outside")
    assert done == {
        "exit_code": 7,
        "stdout": "walker\nfrom outside",
        "stderr": "oops\n",
        "truncated": False,
        "timed_out": False,
    }
    assert (await run(site, vm_id, "sleep", "30", timeout_s=0.5))["timed_out"]
    assert (await run(site, vm_id, "cat", "/root/.ssh/authorized_keys"))["stdout"] == f"{SSH_KEY}\n"

    await shell_survives_its_connection(site, vm_id)
    await a_command_streams(site, vm_id)
    async with site.socket(f"/v1/vms/{vm_id}/console/ws") as console:
        await work_inside(site, vm_id, tmp_path, console)

    first_boot = await boot_id(site, vm_id)
    assert (await act(site, vm_id, "pause"))["state"] == "paused"
    assert (await site.api.post(f"/v1/vms/{vm_id}/exec", json={"argv": ["true"]})).status_code == 409
    assert (await act(site, vm_id, "resume"))["state"] == "running"
    assert await boot_id(site, vm_id) == first_boot

    await run(site, vm_id, "sh", "-c", "echo kept > /root/note; sync")
    assert (await act(site, vm_id, "reboot"))["guest"] == "ready"
    second_boot = await boot_id(site, vm_id)
    assert second_boot != first_boot

    assert (await act(site, vm_id, "stop"))["state"] == "stopped"
    assert vmm_processes(ids) == []
    assert (await act(site, vm_id, "start"))["guest"] == "ready"
    assert await boot_id(site, vm_id) not in (first_boot, second_boot)
    assert (await run(site, vm_id, "cat", "/root/note"))["stdout"] == "kept\n"

    await shows_in_metrics(site, vm_id)
    await goes_back_and_sleeps(site, vm_id)
    assert "walker login" in (await site.api.get(f"/v1/vms/{vm_id}/console")).text

    assert ok(await site.api.delete(f"/v1/vms/{vm_id}", params={"wait": 60}))["status"] == "done"
    assert (await site.api.get(f"/v1/vms/{vm_id}")).status_code == 404
    assert vmm_processes(ids) == []
    assert machines(site) == set()
    assert list((site.runtime / "m").iterdir()) == []


async def goes_back_and_sleeps(site: Site, vm_id: str) -> None:
    """What was in its memory and on its disk is there again: after a rollback, in a clone, after a suspend."""
    then = await boot_id(site, vm_id)
    await run(site, vm_id, "sh", "-c", "echo then > /root/note; echo then > /run/note")
    taken = ok(await site.api.post(f"/v1/vms/{vm_id}/snapshots", params={"wait": 60}))
    await run(site, vm_id, "sh", "-c", "echo later > /root/note; rm /run/note; sync")
    ok(await site.api.post(f"/v1/vms/{vm_id}/rollback", json={"snapshot_id": taken["id"]}, params={"wait": 60}))
    assert (await run(site, vm_id, "cat", "/root/note", "/run/note", "/etc/hostname"))["stdout"].startswith(
        "then\nthen\n"
    )
    assert await boot_id(site, vm_id) == then

    made = ok(await site.api.post(f"/v1/vms/{vm_id}/clone", json={"name": "second"}, params={"wait": 60}))
    clone = made["id"]
    assert made["status"] == "done", ok(await site.api.get(f"/v1/vms/{clone}"))
    told = await run(site, clone, "sh", "-c", "cat /run/note; hostname; cat /etc/machine-id")
    assert told["stdout"].startswith("then\nsecond\n")
    own = await run(site, vm_id, "sh", "-c", "cat /run/note; hostname; cat /etc/machine-id")
    assert own["stdout"].startswith("then\nwalker\n")
    assert own["stdout"].splitlines()[2] != told["stdout"].splitlines()[2]
    ok(await site.api.delete(f"/v1/vms/{clone}", params={"wait": 60}))

    ok(await site.api.post(f"/v1/vms/{vm_id}/suspend", params={"wait": 60}))
    assert (await act(site, vm_id, "resume"))["guest"] == "ready"
    assert await boot_id(site, vm_id) == then
    ok(await site.api.delete(f"/v1/snapshots/{taken['id']}", params={"wait": 60}))


async def shell_survives_its_connection(site: Site, vm_id: str) -> None:
    """A shell is resized, cut off, and taken up again where it was."""
    async with site.socket(f"/v1/vms/{vm_id}/shell/ws?cols=100&rows=40") as connection:
        opened = json.loads(await connection.recv())
        assert (opened["type"], opened["offset"]) == ("session", 0)
        await connection.send(json.dumps({"type": "input", "data": "stty size; echo first-$((1+1))\n"}))
        said = await read_until(connection, "first-2")
        assert "40 100" in said
    offset = len(said.encode())
    path = f"/v1/vms/{vm_id}/shell/ws?session={opened['id']}&offset={offset}"
    async with site.socket(path) as connection:
        assert json.loads(await connection.recv()) == {"type": "session", "id": opened["id"], "offset": offset}
        await connection.send(json.dumps({"type": "resize", "cols": 132, "rows": 50}))
        await connection.send(b"stty size; echo second-$((2+2))\n")
        assert "50 132" in await read_until(connection, "second-4")
        await connection.send(json.dumps({"type": "input", "data": "exit 3\n"}))
        async with asyncio.timeout(120):
            last = [json.loads(message) async for message in connection][-1]
    assert last == {"type": "exit", "code": 3}


async def a_command_streams(site: Site, vm_id: str) -> None:
    """Both outputs, told apart by their first byte; input until its end; a signal."""
    async with site.socket(f"/v1/vms/{vm_id}/exec/ws?framing=binary") as connection:
        await connection.send(json.dumps({"argv": ["sh", "-c", "tr a-z A-Z; echo no >&2"]}))
        assert json.loads(await connection.recv())["type"] == "session"
        for part in (b"one ", b"two"):
            await connection.send(part)
        await connection.send(json.dumps({"type": "eof"}))
        async with asyncio.timeout(120):
            messages = [message async for message in connection]
    assert b"".join(each[1:] for each in messages if isinstance(each, bytes) and each[0] == 1) == b"ONE TWO"
    assert b"".join(each[1:] for each in messages if isinstance(each, bytes) and each[0] == 2) == b"no\n"
    assert json.loads(messages[-1]) == {"type": "exit", "code": 0}
    async with site.socket(f"/v1/vms/{vm_id}/exec/ws") as connection:
        await connection.send(json.dumps({"argv": ["sleep", "60"]}))
        await connection.recv()
        await connection.send(json.dumps({"type": "signal", "signal": 15}))
        async with asyncio.timeout(120):
            assert json.loads(await connection.recv()) == {"type": "exit", "code": 143}


async def test_a_guest_that_powers_itself_off_stays_off_and_one_that_reboots_comes_back(site: Site) -> None:
    vm_id = ok(await site.api.post("/v1/vms", json={"name": "willful", "mem_mib": 256}, params={"wait": 60}))["id"]
    first_boot = await boot_id(site, vm_id)
    await run(site, vm_id, "sh", "-c", "(sleep 0.2; reboot) >/dev/null 2>&1 &")
    await until_vm(site, vm_id, lambda vm: vm["guest"] != "ready")
    await until_vm(site, vm_id, lambda vm: vm["guest"] == "ready")
    assert await boot_id(site, vm_id) != first_boot
    await run(site, vm_id, "sh", "-c", "(sleep 0.2; poweroff) >/dev/null 2>&1 &")
    vm = await until_vm(site, vm_id, lambda vm: vm["state"] == "stopped")
    assert vm["why"]
    assert vm["fault"] is None
    assert (await act(site, vm_id, "start"))["guest"] == "ready"
    ok(await site.api.delete(f"/v1/vms/{vm_id}", params={"wait": 60}))


async def until_vm(site: Site, vm_id: str, claim: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(READY_WITHIN_S):
        while not claim(vm := ok(await site.api.get(f"/v1/vms/{vm_id}"))["item"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return vm
