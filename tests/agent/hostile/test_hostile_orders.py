"""Orders that no manager gives: each is refused with a reason, and no machine comes of it or changes."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.agent.lab import AgentClient, agent_here, agent_settings, machine_spec, random_images

from nexus.kit.ids import new_id
from nexus.protocol.machines import MachineSpec
from nexus.protocol.trouble import TroubleBody

BEYOND_INT4, BEYOND_INT8 = 2**31, 2**63


@dataclass
class Lab:
    """An agent with one machine that is defined and off."""

    agent: AgentClient
    kept: MachineSpec
    fresh: dict[str, Any]
    """A good definition of another machine, to be spoiled."""

    async def refused(self, status: int, method: str, path: str, **request: Any) -> None:
        answer = await self.agent.http.request(method, path, **request)
        told = (method, path[:100], str(request)[:300], answer.text[:300])
        assert answer.status_code == status, (answer.status_code, *told)
        assert TroubleBody.model_validate_json(answer.content).error, told
        assert answer.json()["code"], told

    async def spoiled(self, *changes: dict[str, Any]) -> None:
        path = f"/v1/machines/{self.fresh['id']}"
        for change in changes:
            await self.refused(422, "PUT", path, content=json.dumps({**self.fresh, **change}))


@pytest.fixture
async def lab(short_tmp: Path) -> AsyncIterator[Lab]:
    using = random_images(short_tmp / "seed")
    async with agent_here(agent_settings(short_tmp, image_seed=using.directory)) as (agent, _):
        kept = machine_spec(using)
        assert (await agent.define(kept)).status_code == 200
        before = (await agent.http.get("/v1/machines")).json()["items"]
        yield Lab(agent, kept, machine_spec(using, number=2).model_dump(mode="json"))
        after = (await agent.http.get("/v1/machines")).json()["items"]
        assert [{**seen, "seq": 0} for seen in after] == [{**seen, "seq": 0} for seen in before]


async def test_no_machine_has_sizes_that_cannot_be(lab: Lab) -> None:
    numbers = [-1, 0, BEYOND_INT8, 2**64, 10**30, 1.5, "many", None]
    await lab.spoiled(*({field: number} for field in ("generation", "vcpus", "memory_mib") for number in numbers))
    await lab.spoiled({"memory_mib": BEYOND_INT4}, {"memory_mib": 127}, {"vcpus": 33})
    [root, overlay] = lab.fresh["disks"]
    for size in (0, -1, BEYOND_INT8, 2**64, "big", 1.5):
        await lab.spoiled({"disks": [root, {**overlay, "size_bytes": size}]})


async def test_no_machine_has_names_that_lead_elsewhere(lab: Lab) -> None:
    [root, overlay] = lab.fresh["disks"]
    [nic] = lab.fresh["nics"]
    digests = ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "0" * 63 + "/", "\0" * 64, None, 1]
    await lab.spoiled(*({field: text} for field in ("kernel_sha256", "initramfs_sha256") for text in digests))
    await lab.spoiled(*({"disks": [{**root, "image_sha256": text}, overlay]} for text in digests[:-2]))
    names = ["", "../rootfs", "a/b", "a b", "a\0", "a,b=c", "x" * 65, "\u00e4", "a\n", "-a"]
    await lab.spoiled(*({"disks": [{**root, "drive_id": text}, overlay]} for text in names))
    await lab.spoiled(*({"nics": [{**nic, "iface_id": text}]} for text in names))
    await lab.spoiled(*({"nics": [{**nic, "mac": text}]} for text in ("", "02:00", "02:00:00:00:00:0G", "x\n" * 9)))
    bridges = ["", "br 0", "../x", "x" * 16, "Br0", "br0;id", "br0\n", "0br"]
    await lab.spoiled(*({"nics": [{**nic, "network": {**nic["network"], "bridge": text}}]} for text in bridges))
    addresses = ["", "1.2.3.4/33", "::1/64", "1.2.3.4\n", "a", "999.1.1.1"]
    await lab.spoiled(*({"nics": [{**nic, "address": text}]} for text in addresses))
    await lab.spoiled({"id": "x"}, {"id": str(uuid4()) + "\n"}, {"id": None}, {"disks": None}, {"nics": {"a": 1}})


async def test_no_machine_has_limits_or_files_that_cannot_be(lab: Lab) -> None:
    [root, overlay] = lab.fresh["disks"]
    [nic] = lab.fresh["nics"]
    good = {"size": 1_000_000, "refill_time": 100}
    buckets: list[Any] = [{**good, name: number} for name in good for number in (-1, 0, BEYOND_INT8, 1.5, "many", None)]
    buckets += [{"size": 1, "refill_time": 1000}, {"size": 10**13, "refill_time": 1}, {}, [], "fast"]
    for bucket in buckets:
        limiter = {"bandwidth": bucket}
        await lab.spoiled({"disks": [root, {**overlay, "rate_limiter": limiter}]})
        await lab.spoiled(
            {"nics": [{**nic, "tx_rate_limiter": limiter}]}, {"nics": [{**nic, "rx_rate_limiter": limiter}]}
        )
    for path in ("", "etc/passwd", "/a\0", "/a\nb", "/" + "x" * 1100, 7):
        await lab.spoiled({"disks": [root, {**overlay, "path_on_host": path}]})
    await lab.spoiled(
        {"disks": [root, {**overlay, "cache_type": "none"}]}, {"disks": [root, {**overlay, "io_engine": "x"}]}
    )


async def test_nothing_of_the_host_is_looked_at_or_made_that_its_owner_has_not_opened(lab: Lab) -> None:
    for path in ("/etc/passwd", "/", "/dev/null", "/tmp/../etc/passwd"):
        await lab.refused(409, "GET", "/v1/host/files", params={"path": path})
        made = json.dumps({"path": path, "size_bytes": 1 << 20})
        await lab.refused(409, "PUT", "/v1/host/files", content=made)
    for path in ("", "etc", "/a\0b", "/a\nb"):
        await lab.refused(422, "GET", "/v1/host/files", params={"path": path})
    for body in (
        {"path": "etc", "size_bytes": 1},
        {"path": "/a", "size_bytes": -1},
        {"path": "/a", "size_bytes": 2**63},
    ):
        await lab.refused(422, "PUT", "/v1/host/files", content=json.dumps(body))


async def test_nothing_that_goes_into_the_guest_brings_a_line_of_its_own(lab: Lab) -> None:
    guest = lab.fresh["guest"]
    user = guest["user"]
    for name in ("", "-a", "a.b", "A", "a" * 64, "a\n", "a b", "\u00e4", None):
        await lab.spoiled({"guest": {**guest, "hostname": name}})
    for name in ("", "Root", "ro:ot", "../x", "root\n", "x" * 33):
        await lab.spoiled({"guest": {**guest, "user": {**user, "name": name}}})
    for text in ("", "a:b", "a\nroot::0:0", "a b", "\u00e4", "x" * 256, 1):
        await lab.spoiled({"guest": {**guest, "user": {**user, "password_hash": text}}})
    for text in ("", "a\nb", "a\0", "\x7f"):
        await lab.spoiled({"guest": {**guest, "user": {**user, "ssh_authorized_keys": [text]}}})
    for text in ("", "sbin/init", "/", "/sbin/init\0", "/sbin/init -x", "/x" * 200):
        await lab.spoiled({"guest": {**guest, "init": text}})
    await lab.spoiled(*({"boot_args": text} for text in ("a\nb", "a\0", "\x1b", "x" * 1025, 1, ["x"])))


async def test_a_body_that_is_no_order_is_refused(lab: Lab) -> None:
    good = json.dumps(lab.fresh)
    halves = [good.replace("guest-2", "\\ud800"), good.replace('"vcpus": 1', '"vcpus": NaN')]
    twice = good[:-1] + ',"vcpus":2}'
    texts: list[str | bytes] = [
        *("", "{", "x", '{"id":}', "[" * 100_000, good + "x", "\0", "\ufeff", *halves, twice),
        *(b"\xff", b'{"id":"\xff"}', good.encode("utf-16"), good.replace('"vcpus": 1', '"vcpus": 1e400')),
    ]
    for text in texts:
        for path in (f"/v1/machines/{lab.fresh['id']}", f"/v1/machines/{lab.kept.id}/power"):
            await lab.refused(400, "PUT", path, content=text)
    for text in ("[]", "null", "1", '"x"', "{}", "[[]]"):
        for path in (f"/v1/machines/{lab.fresh['id']}", f"/v1/machines/{lab.kept.id}/power"):
            await lab.refused(422, "PUT", path, content=text)
    await lab.refused(413, "PUT", f"/v1/machines/{lab.fresh['id']}", content=b" " * (5 << 20))


async def test_power_is_one_that_there_is_at_a_boot_that_can_be(lab: Lab) -> None:
    path = f"/v1/machines/{lab.kept.id}/power"
    good: dict[str, Any] = {"generation": 1, "power": "off", "boot": 0}
    for change in (
        *({"power": text} for text in ("", "ON", "reboot", None, 1)),
        *({"boot": number} for number in (-1, BEYOND_INT4, 2**64, 1.5, "x", None)),
        *({"generation": number} for number in (-1, 0, BEYOND_INT8, "x", None)),
        *({"grace_s": number} for number in (-1, 601, 1.5, 2**64, "x", None)),
    ):
        await lab.refused(422, "PUT", path, content=json.dumps({**good, **change}))
    await lab.refused(409, "PUT", f"/v1/machines/{new_id()}", content=json.dumps(lab.fresh))
    await lab.refused(404, "PUT", f"/v1/machines/{new_id()}/power", content=json.dumps(good))


async def test_there_is_nothing_beside_the_routes(lab: Lab) -> None:
    for machine in ("x", "1", "..", "%2e%2e", "%00", "%ff", "..%2f..%2fetc%2fpasswd", "0" * 4000, "\u0661" * 32):
        for way in ("", "/power", "/metrics", "/console", "/guest/health"):
            await lab.refused(404, "GET", f"/v1/machines/{machine}{way}")
    for path in ("/", "/v1", "/v2/host", "/v1/host/x", "/v1/machines/", "/etc/passwd", "/%00", "/v1/%2e%2e/x"):
        await lab.refused(404, "GET", path)
    for method in ("POST", "PATCH", "TRACE", "BREW"):
        await lab.refused(405, method, f"/v1/machines/{lab.kept.id}")
    for way in ("/power", "/metrics", "/console", "/ctrl-alt-del", "/guest/health"):
        method = {"/power": "PUT", "/ctrl-alt-del": "POST"}.get(way, "GET")
        content = '{"generation": 1, "power": "off", "boot": 0}' if way == "/power" else None
        await lab.refused(404, method, f"/v1/machines/{new_id()}{way}", content=content)


async def test_an_offset_is_a_number_of_bytes(lab: Lab) -> None:
    path = f"/v1/machines/{lab.kept.id}/console"
    for offset in ("-1", "x", "1.5", "\u0661", "\u00b2", "9" * 5000, "1e3", "a\0", "", " 1", str(2**64)):
        await lab.refused(409, "GET", path, params={"offset": offset})
    for offset in ("0", "9" * 18):
        assert (await lab.agent.http.get(path, params={"offset": offset})).status_code == 200


@pytest.mark.parametrize(
    "path", ["%00", "a%0ab", "..%2f..%2fv1%2fhealth", "%2e%2e/x", "a%3fb", "a%23b", "%ff", "\u00e4"]
)
async def test_what_is_passed_on_to_a_guest_stays_below_its_interface(short_tmp: Path, path: str) -> None:
    using = random_images(short_tmp / "seed")
    async with agent_here(agent_settings(short_tmp, image_seed=using.directory)) as (agent, _):
        spec = machine_spec(using)
        await agent.boot(spec)
        answer = await agent.http.get(f"/v1/machines/{spec.id}/guest/{path}")
        assert answer.status_code == 404, answer.text
