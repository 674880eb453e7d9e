"""The private apt state, against an archive made here and read from disk: real apt, no network."""

import shutil
from pathlib import Path

import pytest
from tests.local.images.archives import Offered, apt_for, make_archive

from nexus.local.images.apt import Apt
from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Silent

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")


class Recorder:
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.done: list[tuple[int, int]] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def advance(self, done: int, total: int) -> None:
        self.done.append((done, total))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three packages: python depends on libc, which has an epoch in its version; other stands alone."""
    return make_archive(
        tmp_path / "archive",
        [Offered("python", "3.11", "libc (>= 1:2)"), Offered("libc", "1:2.36"), Offered("other")],
    )


@pytest.fixture
def apt(archive: Path, tmp_path: Path) -> Apt:
    apt = apt_for(archive, tmp_path / "state")
    apt.update(Silent())
    return apt


def test_dependencies_come_along_and_nothing_else(apt: Apt) -> None:
    assert [(package.name, package.version) for package in apt.closure(["python"])] == [
        ("libc", "1:2.36"),
        ("python", "3.11"),
    ]


def test_packages_are_downloaded_with_progress_and_then_kept(apt: Apt, archive: Path) -> None:
    watch, packages = Recorder(), apt.closure(["python"])
    paths = apt.download(packages, watch)
    total = sum(package.size_bytes for package in packages)
    assert [path.read_bytes() for path in paths] == [(archive / f"{p.name}.deb").read_bytes() for p in packages]
    assert watch.done[-1] == (total, total)
    assert apt.downloaded_bytes >= total
    shutil.rmtree(archive)
    assert apt.download(packages, Silent()) == paths
    assert apt.closure(["python"]) == packages, "what is cached must not change what is needed"


def test_a_damaged_file_in_the_cache_is_fetched_again(apt: Apt, archive: Path) -> None:
    packages = apt.closure(["other"])
    (path,) = apt.download(packages, Silent())
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert apt.download(packages, Silent())[0].read_bytes() == (archive / "other.deb").read_bytes()


def test_a_file_that_is_not_what_the_lists_promise_is_refused(apt: Apt, archive: Path) -> None:
    packages = apt.closure(["other"])
    whole = (archive / "other.deb").read_bytes()
    (archive / "other.deb").write_bytes(whole[:-1] + b"?")
    with pytest.raises(ImageBuildError, match="could not download other"):
        apt.download(packages, Silent())


def test_an_archive_out_of_reach_is_an_error_the_first_time(tmp_path: Path) -> None:
    apt = apt_for(tmp_path / "nowhere", tmp_path / "state")
    with pytest.raises(ImageBuildError, match="package lists could not be fetched") as refused:
        apt.update(Silent())
    assert "reaches its package archive" in refused.value.advice


def test_older_lists_serve_while_the_archive_is_out_of_reach(archive: Path, tmp_path: Path) -> None:
    apt_for(archive, tmp_path / "state").update(Silent())
    shutil.rmtree(archive)
    apt = apt_for(archive, tmp_path / "state")
    apt.update(Silent())
    assert apt.offers("python")


def test_a_package_nobody_offers_is_told_apart(apt: Apt) -> None:
    assert not apt.offers("dropbear-bin")
    with pytest.raises(ImageBuildError, match="dropbear-bin"):
        apt.closure(["dropbear-bin"])


def test_the_hosts_proxy_for_apt_is_passed_on(apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = tmp_path / "host.conf"
    host.write_text('Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::https::Proxy "DIRECT";\n')
    monkeypatch.setenv("APT_CONFIG", str(host))
    assert apt.proxies() == {"http_proxy": "http://proxy.example:3128"}


def test_a_directory_apt_cannot_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="cannot use the directory"):
        Apt(tmp_path / 'a"b', sources="", architecture="amd64")
