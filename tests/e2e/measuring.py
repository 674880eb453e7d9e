"""What a VM uses, seen from outside while its guest is busy."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.test_vm_walk import Site

WITHIN_S = 120
BUSY_PERCENT = 50
"""Of a busy loop on one vCPU, whatever else this machine does: coarse on purpose."""


async def shows_in_metrics(site: "Site", vm_id: str) -> None:
    """A busy loop in the guest shows in its live samples and in the list; and what is measured says by whom."""
    async with site.socket(f"/v1/vms/{vm_id}/metrics/ws") as connection:
        async with asyncio.timeout(WITHIN_S):
            sample = json.loads(await connection.recv())
            while sample["guest"] is None or not sample["cpu_usage_percent"]:
                sample = json.loads(await connection.recv())
        assert sample["guest"]["memory_total_kib"] > 100_000
        assert 0 < sample["memory_usage_percent"] < 100
        assert sample["sources"]["memory_used_kb"] == sample["sources"]["network_in_bytes"] == "guest"
        assert sample["sources"]["disk_read_bytes"] == "host"
        assert sample["disk_read_bytes"] > 0
        spin = {"command": "while :; do :; done", "timeout_s": 3 * WITHIN_S}
        spinning = asyncio.create_task(site.api.post(f"/v1/vms/{vm_id}/exec", json=spin))
        async with asyncio.timeout(WITHIN_S):
            while not is_busy(json.loads(await connection.recv())):
                continue
            while not is_busy(await usage_of(site, vm_id)):  # noqa: ASYNC110 - samples make no event
                await asyncio.sleep(0.5)
        assert not spinning.done(), spinning.result().text
        spinning.cancel()  # what it started goes with the VM, which has no other purpose left
        await asyncio.gather(spinning, return_exceptions=True)


async def usage_of(site: "Site", vm_id: str) -> dict[str, Any] | None:
    items = (await site.api.get("/v1/vms", params={"sort": "-cpu"})).json()["items"]
    return next(item["usage"] for item in items if item["id"] == vm_id)


def is_busy(sample: dict[str, Any] | None) -> bool:
    source = sample and (sample.get("source") or sample["sources"].get("cpu_usage_percent"))
    return sample is not None and source == "guest" and sample["cpu_usage_percent"] > BUSY_PERCENT
