"""Drives and NICs that no client would ask for in good faith: refused, and nothing has changed."""

from typing import Any
from uuid import UUID

from tests.manager.hostile.trying import ANY_ID, Trials, Try, gets, posts

TEXTS = ["", " ", "a b", "../x", "a/b", "a\0", "a\n", "a,b=c", "x" * 65, "\u00e4", "$(id)", "' or 1=1 --", "-", None, 7]
NUMBERS = [0, -1, 1.5, "1", True, None, 2**63, 2**64, 10**40]
PATHS = ["", "etc", "./x", "//\0", "/a\nb", "/" + "x" * 2000, "file:///etc/passwd", "/\x1b[2J", 7]
MACS = [
    "",
    "02",
    "02:00:00:00:00:0g",
    "02-00-00-00-00-01",
    "020000000001",
    "02:00:00:00:00:01 ",
    "01:00:5e:00:00:01",
    7,
]


def buckets() -> list[Any]:
    good = {"size": 1_000_000, "refill_time": 100}
    spoiled = [{**good, field: number} for field in good for number in NUMBERS]
    spoiled += [{**good, "one_time_burst": number} for number in NUMBERS if number is not None]
    return [*spoiled, {}, [], "fast", 7, {"size": 1}, {**good, "rate": 1}, {"size": 10**13, "refill_time": 1}]


async def test_no_drive_has_names_paths_or_sizes_that_cannot_be(trials: Trials, vm_id: UUID) -> None:
    path, good = f"/v1/vms/{vm_id}/drives", {"drive_id": "data", "size_bytes": 1 << 26}
    await trials.all_refused(posts(path, 422, [{**good, "drive_id": text} for text in TEXTS]))
    await trials.all_refused(posts(path, 422, [{**good, "path_on_host": text} for text in PATHS]))
    await trials.all_refused(
        posts(path, 422, [{**good, "size_bytes": number} for number in NUMBERS if number is not None])
    )
    for field in ("cache_type", "io_engine", "format", "is_read_only", "is_root_device", "image", "image_id"):
        await trials.all_refused(posts(path, 422, [{**good, field: value} for value in ("", "x y", 7, {"a": 1})]))
    await trials.all_refused(posts(path, 422, [{**good, "role": "root"}, {**good, "position": 0}, {}]))
    await trials.all_refused(posts(path, 400, [[], "x", 7]))


async def test_no_limit_is_one_that_cannot_be_kept(trials: Trials, vm_id: UUID) -> None:
    drive, nic = f"/v1/vms/{vm_id}/drives/overlay", f"/v1/vms/{vm_id}/nics/eth0"
    for bucket in buckets():
        for name in ("bandwidth", "ops"):
            await trials.all_refused(posts(drive, 422, [{"rate_limiter": {name: bucket}}], method="PATCH"))
        for name in ("rx_rate_limiter", "tx_rate_limiter"):
            await trials.all_refused(posts(nic, 422, [{name: {"bandwidth": bucket}}], method="PATCH"))
    spoiled: list[Any] = [{"rate_limiter": value} for value in ("", 7, {"iops": 1})]
    await trials.all_refused(posts(drive, 422, spoiled, method="PATCH"))
    await trials.all_refused(
        posts(nic, 422, [{"rx_rate_limiter": {}}, {"rx_rate_limiter": {"ops": {}}}], method="PATCH")
    )


async def test_no_nic_has_names_or_addresses_that_cannot_be(trials: Trials, vm_id: UUID) -> None:
    path, good = f"/v1/vms/{vm_id}/nics", {"iface_id": "eth1"}
    await trials.all_refused(posts(path, 422, [{"iface_id": text} for text in TEXTS]))
    await trials.all_refused(posts(path, 422, [{**good, "guest_mac": text} for text in MACS]))
    await trials.all_refused(posts(path, 422, [{**good, "network": text} for text in ("", "../x", "a b", "x" * 64, 7)]))
    await trials.all_refused(posts(path, 422, [{**good, "host_dev_name": text} for text in ("tap0", "", 7)]))
    await trials.all_refused(posts(path, 422, [{**good, "address": "10.213.0.1"}, {**good, "network_id": "x"}]))


async def test_what_is_named_in_a_path_is_there_or_it_is_not(trials: Trials, vm_id: UUID) -> None:
    for noun in ("drives", "nics"):
        for name in ("none", ANY_ID, ANY_ID.replace("-", ""), str(vm_id)):
            path = f"/v1/vms/{vm_id}/{noun}/{name}"
            await trials.all_refused(
                [Try(404, "GET", path), Try(404, "DELETE", path), *posts(path, 404, [{}], method="PATCH")]
            )
        for name in ("a%20b", "..%20x", "x" * 65, "%f0%9f%98%80", "%0a"):
            path = f"/v1/vms/{vm_id}/{noun}/{name}"
            await trials.all_refused([Try(422, "GET", path), Try(422, "DELETE", path)])
        await trials.all_refused(gets(f"/v1/vms/{ANY_ID}/{noun}", 404, [{}]))
        await trials.all_refused(gets(f"/v1/vms/none/{noun}", 422, [{}]))
