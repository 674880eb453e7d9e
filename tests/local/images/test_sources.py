"""Only the distribution's own archive goes into an image, whatever else the host has configured."""

from pathlib import Path

import pytest

from nexus.local.images.errors import ImageBuildError
from nexus.local.images.sources import (
    Distribution,
    Source,
    distribution,
    keyring,
    parse_os_release,
    read_host,
    render,
    select,
)

BOOKWORM = Distribution("debian", "12", "bookworm")
NOBLE = Distribution("ubuntu", "24.04", "noble")
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEB822 = f"""\
Types: deb deb-src
# a comment amid the fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: {KEY}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 {KEY}
"""


def chosen(text: str, *, name: str = "debian.sources", wanted: Distribution = BOOKWORM) -> list[Source]:
    return select([(Path("/etc/apt/sources.list.d") / name, text)], wanted)


def test_deb822_sources_are_read_with_comments_and_continued_lines() -> None:
    assert chosen(DEB822) == [
        Source(("http://mirror.example/debian",), ("bookworm", "bookworm-updates"), KEY),
        Source(("http://mirror.example/debian-security",), ("bookworm-security",), KEY),
    ]


def test_one_line_sources_are_read_with_options_and_comments() -> None:
    text = (
        "# deb http://old.example/debian bookworm main\n"
        f"deb [arch=amd64 signed-by={KEY}] http://mirror.example/debian bookworm main contrib # ours\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb\thttp://mirror.example/debian-security  bookworm-security/ main\n"
        "deb http://mirror.example/debian-security bookworm-security main\n"
    )
    assert chosen(text, name="sources.list") == [
        Source(("http://mirror.example/debian",), ("bookworm",), KEY),
        Source(("http://mirror.example/debian-security",), ("bookworm-security",), None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "deb [signed-by=/usr/share/keyrings/nodesource.gpg] https://third.example/node bookworm main",
        "deb [signed-by=/etc/apt/keyrings/docker.asc] https://third.example/debian bookworm stable",
        "deb https://third.example/apt cloud-sdk-bookworm main",
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian bookworm-backports main",
        "deb http://mirror.example/debian bookworm contrib",
        "deb [signed-by=/home/x/debian-archive-keyring.gpg:/etc/evil.gpg] http://mirror.example/debian bookworm main",
    ],
)
def test_what_is_not_the_distributions_is_left_out(text: str) -> None:
    with pytest.raises(ImageBuildError, match="debian bookworm"):
        chosen(text, name="sources.list")


def test_a_disabled_source_is_left_out() -> None:
    with pytest.raises(ImageBuildError):
        chosen(f"Enabled: no\n{DEB822.split(chr(10) * 2)[0]}")


def test_a_third_party_file_is_not_looked_at_where_the_distributions_own_has_sources() -> None:
    ppa = (Path("/etc/apt/sources.list.d/someone.list"), "deb http://ppa.example/ubuntu noble main")
    text = "Types: deb\nURIs: http://mirror.example/ubuntu\nSuites: noble noble-security\nComponents: main universe\n"
    own = (Path("/etc/apt/sources.list.d/ubuntu.sources"), text)
    assert select([ppa, own], NOBLE) == [Source(("http://mirror.example/ubuntu",), ("noble", "noble-security"), None)]


def test_unusual_file_names_serve_where_there_are_no_others() -> None:
    assert chosen(DEB822, name="official-archive.sources")


def test_the_private_file_takes_only_main_package_lists_with_the_distributions_key() -> None:
    text = render(chosen(DEB822), architecture="amd64", keyring="/default.gpg")
    assert text.splitlines()[:7] == [
        "Types: deb",
        "URIs: http://mirror.example/debian",
        "Suites: bookworm bookworm-updates",
        "Components: main",
        "Architectures: amd64",
        "Targets: Packages",
        f"Signed-By: {KEY}",
    ]
    assert "Signed-By: /default.gpg" in render(
        [Source(("http://a.example",), ("bookworm",), None)], architecture="amd64", keyring="/default.gpg"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', BOOKWORM),
        ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n', NOBLE),
        (
            "ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=22\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n",
            Distribution("ubuntu", "22", "noble"),
        ),
    ],
)
def test_the_distribution_is_told_from_os_release(text: str, expected: Distribution) -> None:
    assert distribution(parse_os_release(text)) == expected


@pytest.mark.parametrize("text", ["ID=fedora\nVERSION_ID=41\n", "ID=debian\n", ""])
def test_a_system_we_cannot_take_packages_from_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(ImageBuildError) as refused:
        distribution(parse_os_release(text))
    assert refused.value.advice


def test_the_distributions_keys_are_found_by_either_ending_or_their_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="keys of debian") as refused:
        keyring(BOOKWORM, tmp_path)
    assert "debian-archive-keyring" in refused.value.advice
    (tmp_path / "debian-archive-keyring.pgp").touch()
    assert keyring(BOOKWORM, tmp_path) == str(tmp_path / "debian-archive-keyring.pgp")
    (tmp_path / "debian-archive-keyring.gpg").touch()
    assert keyring(BOOKWORM, tmp_path) == str(tmp_path / "debian-archive-keyring.gpg")


def test_the_hosts_files_are_read_in_both_formats(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    for name in ("sources.list", "sources.list.d/b.list", "sources.list.d/a.sources", "sources.list.d/c.list.disabled"):
        (tmp_path / name).write_text(name)
    assert [path.name for path, _ in read_host(tmp_path)] == ["sources.list", "a.sources", "b.list"]
