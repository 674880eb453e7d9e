"""A snapshot leaves the platform as one archive and comes back as another, and nothing else does."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import JoinedHost, create, ok, refused, vm_of
from tests.manager.snapshots.acting import in_state, snapshot_of, take

from nexus.protocol.archives import MEDIA_TYPE, WholeArchive

TAR = {"Content-Type": MEDIA_TYPE}


async def export(client: httpx.AsyncClient, snapshot_id: UUID) -> bytes:
    answer = await client.get(f"/v1/snapshots/{snapshot_id}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


async def test_what_was_exported_can_be_imported_when_all_of_it_is_gone(
    host: JoinedHost, admin: httpx.AsyncClient
) -> None:
    vm_id = await in_state(admin, "running")
    snapshot_id = await take(admin, vm_id, name="before", description="For safety")
    was = await snapshot_of(admin, snapshot_id)
    archive = await export(admin, snapshot_id)
    whole = WholeArchive()
    whole.feed(archive)
    whole.check()
    ok(await admin.delete(f"/v1/snapshots/{snapshot_id}", params={"wait": 30}))
    ok(await admin.delete(f"/v1/vms/{vm_id}", params={"wait": 30}))
    answer = ok(await admin.post("/v1/snapshots/import", content=archive, headers=TAR, params={"wait": 30}))
    assert answer["status"] == "done"
    item = await snapshot_of(admin, UUID(answer["id"]))
    assert (item["name"], item["state"], item["vm_id"], item["vm_name"]) == ("before", "completed", None, "web-1")
    assert (item["is_imported"], item["has_memory"], item["pins"]) == (True, True, was["pins"])
    made = ok(await admin.post(f"/v1/snapshots/{item['id']}/instantiate", params={"wait": 30}))
    vm = await vm_of(admin, UUID(made["id"]))
    assert vm["state"] == "running"
