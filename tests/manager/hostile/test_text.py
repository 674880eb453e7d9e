"""Text that is no name, no key, no password or no text at all."""

from typing import Any
from uuid import UUID

import httpx
from tests.manager.compute.acting import JoinedHost, create, ok, refused, vm_of
from tests.manager.hostile.trying import ANY_ID, Trials, posts

from nexus.manager.settings import ManagerSettings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada"

NO_NAMES = [
    *("", "a", "ab", "-web", "web-", "web_1", "web.1", "web 1", " web-1", "web-1 ", "web-1\n", "web\t1", "web\0one"),
    *("a" * 64, "a" * 100_000, "../etc", "..", "/etc/passwd", "web/1", "web\\1", "web%2e1", "$(reboot)", "`id`"),
    *("web-1;id", "' or 1=1 --", "<script>", "{{7*7}}", "%s%n", "web\x7f1", "web\x1b[2J"),
    "we\u0301b-1",  # e and a combining accent
    "w\u0435b-1",  # a Cyrillic letter that looks like e
    "\uff57\uff45\uff42",  # full width
    "\u202ebew",  # right to left override
    "\u05e9\u05dc\u05d5\u05dd",  # Hebrew
    "web-\u0661",  # a digit, but not of ASCII
    "web\u200d1",  # zero width joiner
    "stra\u00dfe",
    "\U0001f600\U0001f600\U0001f600",
]


async def test_what_is_no_host_name_is_no_name_of_a_vm(trials: Trials, vm_id: UUID) -> None:
    await trials.all_refused(posts("/v1/vms", 422, [{"name": name} for name in NO_NAMES]))
    path = f"/v1/vms/{vm_id}"
    await trials.all_refused(posts(path, 422, [{"name": name} for name in NO_NAMES[:8]], method="PATCH"))


async def test_a_name_in_another_case_is_the_same_host_name(trials: Trials, vm_id: UUID) -> None:
    await trials.all_refused(posts("/v1/vms", 409, [{"name": name} for name in ("kept", "KEPT", "Kept")]))


async def test_a_vm_may_be_given_its_own_name_in_another_case(
    host: JoinedHost, admin: httpx.AsyncClient, vm_id: UUID
) -> None:
    ok(await admin.patch(f"/v1/vms/{vm_id}", json={"name": "KEPT"}))
    other = await create(admin, "other", start=False)
    assert refused(await admin.patch(f"/v1/vms/{other}", json={"name": "kept"}), 409)["code"] == "vm_name_taken"


async def test_no_field_of_a_vm_takes_controls_or_half_a_character(trials: Trials) -> None:
    for field in ("name", "description", "owner", "environment", "username", "password", "boot_args"):
        bad = ["web\0one", "web-1\x1b[2J", "web-1\x7f"] + ["a\nb"] * (field != "description")
        await trials.all_refused(posts("/v1/vms", 422, [{"name": "web-1", field: text} for text in bad]))
        halves = [f'{{"name": "web-1", "{field}": "{half}"}}' for half in ("\\ud800", "\\udfff\\ud800", "x\\udc80")]
        await trials.all_refused(posts("/v1/vms", 400, halves))


async def test_texts_that_are_too_long_are_refused_not_cut(trials: Trials, vm_id: UUID) -> None:
    too_long: list[dict[str, Any]] = [
        *({"description": "x" * 1001}, {"owner": "x" * 64}, {"environment": "x" * 64}, {"username": "x" * 33}),
        *({"password": "x" * 129}, {"password": "x" * 10_000}, {"boot_args": "x" * 1025}, {"tags": ["x" * 64]}),
        *({"tags": ["x"] * 33}, {"image": "x" * 64}, {"kernel": "x" * 64}, {"ssh_authorized_keys": [KEY] * 33}),
        {"ssh_authorized_keys": [KEY + "a" * 10_000]},
        {"description": "\U0001f600" * 1001},
    ]
    await trials.all_refused(posts("/v1/vms", 422, [{"name": "web-1", **fields} for fields in too_long]))
    await trials.all_refused(posts(f"/v1/vms/{vm_id}", 422, [{"description": "x" * 1001}], method="PATCH"))


async def test_what_goes_into_files_of_the_guest_brings_no_line_of_its_own(trials: Trials) -> None:
    fields: list[dict[str, Any]] = [
        {"ssh_authorized_keys": [f"{KEY}\n{KEY}"]},
        {"ssh_authorized_keys": [f'command="id" {KEY}']},
        {"ssh_authorized_keys": [KEY[:-20]]},
        {"ssh_authorized_keys": ["ssh-ed25519 !!!!"]},
        {"ssh_authorized_keys": [KEY.replace("ssh-ed25519", "ssh-dss", 1)]},
        {"ssh_authorized_keys": [""]},
        {"ssh_authorized_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]},
        {"ssh_authorized_keys": [KEY + "\0"]},
        *(
            {"username": name}
            for name in ("root:x:0:0", "ro ot", "Root", "1root", "../root", "", "root\n", "ro\u00f6t")
        ),
        *({"password": text} for text in ("", "a\nb", "a\r", "a\u2028b")),
        *({"tags": [tag]} for tag in ("", "a b", "-a", "a\n", "\u00e4", "a,b", "a'", "../a\\")),
        *({"image": name} for name in ("../../etc/passwd", "/dev/vda", "", "a\0b", "\u202eimg", "a b")),
    ]
    await trials.all_refused(posts("/v1/vms", 422, [{"name": "web-1", **field} for field in fields]))


async def test_text_that_is_odd_but_right_is_kept_to_the_last_byte(host: JoinedHost, admin: httpx.AsyncClient) -> None:
    said: dict[str, Any] = {
        "description": "e\u0301 \u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \U0001f468\u200d\U0001f469\n\t'; drop vms",
        "owner": "\u00d6tzi & <b>\u5f20\u4f1f</b> {name}",
        "environment": "a" * 63,
        "tags": ["a:b=c/d.e_f-g", "A", "a"],
        "boot_args": 'nexus.test=%s "quoted"',
    }
    password = "a:b$(c)'\"\\ \u00e9\U0001f600" + "x" * 100
    for name in ("abc", "a" * 63, "0-0", "1e3", "nul"):
        vm_id = await create(admin, name, start=False, password=password, **said)
        vm = await vm_of(admin, vm_id)
        assert {field: vm[field] for field in said} == said
        assert vm["name"] == name
        assert ok(await admin.get(f"/v1/vms/{vm_id}/shell"))["item"]["password"] == password


async def test_image_files_are_taken_from_the_image_directory_alone(
    trials: Trials, manager_settings: ManagerSettings
) -> None:
    root = manager_settings.image_root
    (root / "out").symlink_to("/etc/hostname")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (root / "dir").mkdir()
    (root / "text").write_text("no image")
    outside = [
        *("/etc/passwd", "../secret.key", "../../../../../../etc/passwd", "out", "up/secret.key", "loop", "dir", "."),
        *("text", "/dev/zero", "/proc/self/environ", "", "~root", "nothing", "a\0b", "%2e%2e/secret.key", "\u202e"),
        *("a/" * 2000 + "a", "a" * 300, "file:///etc/passwd", "//etc/passwd", "text/..", "text/../../secret.key"),
    ]
    for field in ("path", "host_path"):
        await trials.all_refused(
            posts("/v1/images", 422, [{"kind": "kernel", "name": "stolen", field: path} for path in outside])
        )


async def test_an_image_is_described_in_text_and_named_by_a_name(trials: Trials) -> None:
    wanted = {"kind": "kernel", "name": "fine", "path": "nothing"}
    bad: list[dict[str, Any]] = [
        *({"name": name} for name in ("", "../x", "a b", "a\0", "\u00e4", "a" * 64, "-a", "a\n", ".hidden")),
        *({"kind": kind} for kind in ("", "KERNEL", "kernel\0", "snapshot", None, 1, ["kernel"])),
        *({"description": text} for text in ("a\0b", "x" * 1001, "\x1b[31m")),
        *({"sha256": text} for text in ("", "z" * 64, "a" * 63, "a" * 65, "\0" * 64, "\u0661" * 64)),
    ]
    await trials.all_refused(posts("/v1/images", 422, [{**wanted, **fields} for fields in bad]))


async def test_nobody_signs_in_under_what_is_no_name(trials: Trials, anonymous: httpx.AsyncClient) -> None:
    path = "/v1/auth/login"
    names = ["", "a\0", "x" * 65, "a\nb", "\x1b[2J", 7, None, ["root"], {"$ne": ""}]
    await trials.all_refused(
        posts(path, 422, [{"username": name, "password": "x"} for name in names]), client=anonymous
    )
    passwords = ["", "x" * 1025, None, 7, ["root"]]
    await trials.all_refused(
        posts(path, 422, [{"username": "nobody", "password": word} for word in passwords]), client=anonymous
    )
    await trials.all_refused(
        posts(path, 401, [{"username": "' or '1'='1", "password": "a\0b"}, {"username": "ROOT", "password": "root"}]),
        client=anonymous,
    )
    new = [{"current_password": "root", "new_password": word} for word in ("short", "x" * 1025, None, 12345678)]
    await trials.all_refused(posts("/v1/auth/password", 422, new, method="PUT"))


async def test_what_is_no_public_key_is_not_kept_as_one(trials: Trials) -> None:
    texts = ["", "\0", KEY + "\n" + KEY, KEY[:-20], "ssh-ed25519", KEY.replace("AAAAC3", "AAAAC4"), "x" * 9000, 7, None]
    await trials.all_refused(posts("/v1/ssh-keys", 422, [{"name": "mine", "public_key": text} for text in texts]))
    names = ["", "a b", "../x", "a\0", "\u00e4", "x" * 64, None, "-a"]
    await trials.all_refused(posts("/v1/ssh-keys", 422, [{"name": name, "public_key": KEY} for name in names]))
    await trials.all_refused(posts(f"/v1/ssh-keys/{ANY_ID}", 404, [{"name": "mine"}], method="PATCH"))
