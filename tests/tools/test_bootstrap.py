"""The bootstrap's pure parts: where packages come from, and the list of system packages."""

import subprocess
from pathlib import Path

import pytest

from bootstrap import index, packages, steps


def test_uv_is_told_what_pip_is_configured_with() -> None:
    pip = index.parse_pip_config(
        "global.index-url='https://mirror.example/simple'\n"
        "global.extra-index-url='file:///one file:///two'\n"
        "global.find-links='/wheels\\n/more'\n"
        "global.cert='/etc/ca.pem'\n"
        "install.trusted-host='mirror.example'\n"
    )
    assert index.uv_environment(pip, {"HOME": "/h"}) == {
        "HOME": "/h",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "file:///one file:///two",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_INSECURE_HOST": "mirror.example",
    }


def test_pips_environment_wins_over_its_files_and_uvs_own_variables_over_both() -> None:
    pip = index.parse_pip_config(":env:.index-url='https://b'\nglobal.index-url='https://a'\n")
    assert index.uv_environment(pip, {})["UV_DEFAULT_INDEX"] == "https://b"
    assert index.uv_environment(pip, {"UV_DEFAULT_INDEX": "https://c"})["UV_DEFAULT_INDEX"] == "https://c"


def test_without_configuration_nothing_is_passed_on() -> None:
    assert index.uv_environment(index.parse_pip_config(""), {}) == {}


def test_the_list_of_packages_names_a_program_for_each() -> None:
    found = packages.parse(packages.LIST.read_text())
    required = {package.program for package in found if package.section == "required"}
    assert required >= {"qemu-system-x86_64", "mke2fs", "sqfstar"}


def test_a_line_that_is_no_package_is_refused() -> None:
    with pytest.raises(steps.Failed, match="cannot read"):
        packages.parse("[required]\none two three\n")


def test_no_file_names_a_package_index() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=steps.ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    hosts = [f"{name}.org" for name in ("pypi", "pythonhosted", "npmjs", "deb.debian", "proxy.golang")]
    named = [
        f"{name}: {host}"
        for name in tracked.stdout.split("\0")
        if name and (steps.ROOT / name).is_file()
        for host in hosts
        if host in Path(steps.ROOT / name).read_text(errors="replace")
    ]
    assert named == []


def test_a_stamp_holds_until_a_source_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "BUILD", tmp_path / "build")
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    source = tmp_path / "source"
    source.write_text("one")
    steps.put_stamp("x", steps.digest([source]))
    assert steps.is_stamped("x", steps.digest([source]))
    source.write_text("two")
    assert not steps.is_stamped("x", steps.digest([source]))


def test_the_cli_of_a_checkout_that_is_not_built_says_what_to_do(tmp_path: Path) -> None:
    script = tmp_path / "nexus"
    script.write_bytes((steps.ROOT / "nexus").read_bytes())
    script.chmod(0o755)
    done = subprocess.run([str(script), "vm", "list"], capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "run `make up`" in done.stderr
