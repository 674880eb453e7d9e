"""Numbers that are too large, too small, of another type, or none."""

from uuid import UUID

from tests.manager.hostile.trying import ANY_ID, Trials, posts

HUGE = ["2147483648", "9223372036854775808", "18446744073709551616", "1" + "0" * 4000, "-1", "-9223372036854775809"]
OF_ANOTHER_TYPE = ['"1"', "true", "1.5", "1.0", "1e0", "[1]", '{"a":1}', '"1\\u0660"', "null"]
NO_NUMBERS = ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "0x10", "01", "1_000", "+1", "1.", "1" + "0" * 5000]


async def test_sizes_of_a_vm_are_whole_numbers_within_their_bounds(trials: Trials) -> None:
    for field in ("vcpu", "mem_mib", "disk_size_bytes"):
        values = [*HUGE[field == "disk_size_bytes" :], *OF_ANOTHER_TYPE[:-1], "0"]  # 2 GiB is a good disk
        await trials.all_refused(posts("/v1/vms", 422, [f'{{"name":"web-1","{field}":{value}}}' for value in values]))
        await trials.all_refused(
            posts("/v1/vms", 400, [f'{{"name":"web-1","{field}":{value}}}' for value in NO_NUMBERS])
        )
    await trials.all_refused(posts("/v1/vms", 422, ['{"name":"web-1","vcpu":null}', '{"name":"web-1","mem_mib":127}']))


async def test_what_is_to_fit_a_host_is_refused_for_want_of_room_not_by_an_overflow(trials: Trials) -> None:
    largest = [
        '{"name":"web-1","mem_mib":1048576}',
        '{"name":"web-1","disk_size_bytes":17592186044416,"mem_mib":1048576}',
    ]
    await trials.all_refused(posts("/v1/vms", 503, largest))


async def test_seconds_are_numbers_within_their_bounds(trials: Trials, vm_id: UUID) -> None:
    for path, field in ((f"/v1/vms/{vm_id}/stop", "grace_s"), ("/v1/hosts/join-tokens", "expires_in_s")):
        values = [*HUGE, *OF_ANOTHER_TYPE]
        await trials.all_refused(posts(path, 422, [f'{{"{field}":{value}}}' for value in values]))
        await trials.all_refused(posts(path, 400, [f'{{"{field}":{value}}}' for value in NO_NUMBERS]))
    values = ["0", "-1", "3601", '"60"', "true", "null", "1" + "0" * 400]
    await trials.all_refused(
        posts(f"/v1/vms/{vm_id}/exec", 422, [f'{{"argv":["id"],"timeout_s":{value}}}' for value in values])
    )
    await trials.all_refused(
        posts(f"/v1/vms/{ANY_ID}/exec", 400, [f'{{"argv":["id"],"timeout_s":{value}}}' for value in NO_NUMBERS])
    )


async def test_booleans_are_true_or_false(trials: Trials) -> None:
    values = ["1", "0", '"true"', '"yes"', "null", "[]", "1.0"]
    await trials.all_refused(posts("/v1/vms", 422, [f'{{"name":"web-1","start":{value}}}' for value in values]))
    wanted = '{"kind":"kernel","name":"fine","path":"nothing","is_default":'
    await trials.all_refused(posts("/v1/images", 422, [f"{wanted}{value}}}" for value in values]))


async def test_an_images_size_is_a_number_that_the_file_has(trials: Trials) -> None:
    wanted = '{"kind":"kernel","name":"fine","path":"nothing","size":'
    await trials.all_refused(
        posts("/v1/images", 422, [f"{wanted}{value}}}" for value in [*HUGE, *OF_ANOTHER_TYPE[:-1]]])
    )
