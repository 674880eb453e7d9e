"""What can be changed while a guest runs under Firecracker."""

from dataclasses import replace

import pytest
from tests.agent.lab import eventually
from tests.agent.vmm.firecracker.lab import Place

from nexus.agent.vmm.firecracker import bodies
from nexus.agent.vmm.firecracker.connection import ApiConnection
from nexus.agent.vmm.port import BalloonTarget, VmmTrouble
from nexus.kit.ids import new_id
from nexus.protocol.limits import RateLimiter, TokenBucket


async def test_a_drives_limits_are_changed_and_taken_away_also_by_the_next_agent(
    unjailed_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bytes] = []
    ask = ApiConnection.request

    async def request(
        self: ApiConnection, method: str, path: str, body: bodies.Body | bytes | None, *, patience_s: float | None
    ) -> bytes:
        if method == "PATCH" and isinstance(body, bodies.Body):
            told.append(body.json_bytes())
        return await ask(self, method, path, body, patience_s=patience_s)

    monkeypatch.setattr(ApiConnection, "request", request)
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)
    drive = definition.disks[1]
    await vmm.limit_drive(definition.id, drive.id, RateLimiter(ops=TokenBucket(size=10, refill_time=1000)))
    await vmm.close()
    second = unjailed_place.driver()
    await second.adopt(definition.id)
    await second.limit_drive(definition.id, drive.id, None)
    none = b'{"size":0,"refill_time":0}'
    assert told == [
        b'{"drive_id":"data","rate_limiter":{"bandwidth":%b,"ops":{"size":10,"refill_time":1000}}}' % none,
        b'{"drive_id":"data","rate_limiter":{"bandwidth":%b,"ops":%b}}' % (none, none),
    ]
    await second.close()


async def test_a_drive_gets_another_file_and_its_vmm_the_right_to_it(place: Place) -> None:
    vmm, definition = place.driver(), place.definition()
    await vmm.start(definition, launch=1)
    other = place.root / "machines" / str(definition.id) / "disks" / "other.img"
    other.write_bytes(bytes(4096))
    drive = replace(definition.disks[1], path=other)
    await vmm.ensure_drive(definition.id, drive)
    await vmm.ensure_drive(definition.id, drive)
    in_jail = next(place.jails.rglob("disk1"))
    assert in_jail.samefile(other)
    assert other.stat().st_uid == next(place.jails.rglob("v.sock")).stat().st_uid
    await vmm.close()


async def test_what_needs_another_start_is_refused_in_words(unjailed_place: Place) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    drive = definition.disks[1]
    with pytest.raises(VmmTrouble, match="off"):
        await vmm.limit_drive(definition.id, drive.id, None)
    await vmm.start(definition, launch=1)
    with pytest.raises(VmmTrouble, match="no such drive"):
        await vmm.ensure_drive(definition.id, replace(drive, id=new_id()))
    with pytest.raises(VmmTrouble, match="only at a start"):
        await vmm.ensure_drive(definition.id, replace(drive, read_only=True))
    with pytest.raises(VmmTrouble, match="next start"):
        await vmm.grow_drive(definition.id, drive)
    await vmm.close()


async def test_a_balloon_is_set_and_told_and_what_was_asked_outlives_the_agent(unjailed_place: Place) -> None:
    vmm, definition = unjailed_place.driver(), unjailed_place.definition()
    await vmm.start(definition, launch=1)
    seen = await vmm.balloon(definition.id)
    assert (seen.target_mib, seen.stats) == (0, None)
    await vmm.set_balloon(definition.id, BalloonTarget(amount_mib=32, stats_s=2))
    await vmm.close()
    second = unjailed_place.driver()
    await second.adopt(definition.id)
    seen = await second.balloon(definition.id)
    assert (seen.target_mib, seen.actual_mib) == (32, 32)
    assert seen.stats is not None
    assert seen.stats.total_memory == definition.memory_mib << 20
    with pytest.raises(VmmTrouble, match="too large"):
        await second.set_balloon(definition.id, BalloonTarget(amount_mib=1024))
    await second.close()


async def test_a_console_is_kept_as_far_as_was_asked(unjailed_place: Place) -> None:
    place = unjailed_place
    vmm, definition = place.driver(), place.definition()
    await vmm.start(definition, launch=1)
    await vmm.limit_console(definition.id, 64 << 10)
    console = vmm.console(definition.id)
    with console.open("ab") as log:
        log.write(b"x" * (1 << 20))
    await eventually(lambda: console.stat().st_blocks * 512 < 300 << 10)
    await vmm.close()
