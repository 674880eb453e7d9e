"""What no snapshot can be called, and what nothing can be made of."""

from uuid import UUID

from tests.manager.hostile.trying import ANY_ID, Trials, Try, gets, posts

NO_NAMES: list[object] = ["", "-a", ".a", "a b", "../etc", "a/b", "a\0b", "a\n", "a" * 101, "é", "$(reboot)", 7, [], {}]
NO_WISHES: list[tuple[str, list[object]]] = [
    ("snapshot_type", ["", "full ", "Half", 1, ["Full"]]),
    ("keep_last", [0, -1, 1001, 1.5, "3", True]),
    ("description", ["x" * 1001, "a\x1bb", 7]),
    ("track_dirty_pages", ["false", 0]),
    ("parent_id", ["x", "../x", 7, [], str(ANY_ID)]),
    ("snapshot_path", ["/etc/passwd"]),
]


async def test_no_snapshot_is_asked_for_in_words_that_mean_nothing(trials: Trials, vm_id: UUID) -> None:
    path = f"/v1/vms/{vm_id}/snapshots"
    await trials.all_refused(posts(path, 422, [{"name": name} for name in NO_NAMES]))
    for name, values in NO_WISHES:
        await trials.all_refused(posts(path, 422, [{name: value} for value in values]))
    await trials.all_refused(posts(path, 404, [{"snapshot_type": "Diff", "parent_id": str(ANY_ID)}]))
    await trials.all_refused(posts(path, 400, ["[]", "1", '"x"', "{", '{"name": "a", "name": "b"}'][3:]))


async def test_no_clones_are_made_of_numbers_and_names_that_cannot_be(trials: Trials, vm_id: UUID) -> None:
    path = f"/v1/vms/{vm_id}/clone"
    await trials.all_refused(posts(path, 422, [{"count": count} for count in (0, -1, 101, 1e9, 1.5, "2", True)]))
    await trials.all_refused(posts(path, 422, [{"name": name} for name in ("", "a", "-ab", "a_b", "a" * 64, "../x")]))


async def test_nothing_begins_from_what_is_no_snapshot(trials: Trials, vm_id: UUID) -> None:
    await trials.all_refused(posts(f"/v1/vms/{vm_id}/rollback", 422, [{}, {"snapshot_id": "x"}, {"snapshot_id": 7}]))
    await trials.all_refused(posts(f"/v1/snapshots/{ANY_ID}/instantiate", 404, [{}]))
    await trials.all_refused(posts("/v1/snapshots/x/instantiate", 422, [{}]))
    await trials.all_refused(
        [Try(404, "GET", f"/v1/snapshots/{ANY_ID}"), Try(404, "DELETE", f"/v1/snapshots/{ANY_ID}")]
    )
    await trials.all_refused(gets("/v1/snapshots", 422, [{"vm_id": "x"}, {"state": "ready"}, {"name": "x" * 101}]))
    await trials.all_refused(gets(f"/v1/vms/{ANY_ID}/snapshots/tree", 404, [{}]))
