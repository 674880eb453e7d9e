"""Directories, lock, port, logs: what must hold before anything is started."""

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from nexus.local import lock, logs, place, port
from nexus.local.errors import CannotStart
from nexus.local.place import Place
from nexus.local.programs import agent_settings, base_url, manager_settings, split_bind


def test_preparing_makes_private_directories_and_one_lasting_join_token(short_tmp: Path) -> None:
    where = Place(data=short_tmp / "data", runtime=short_tmp / "run")
    place.prepare(where)
    token = where.join_token.read_text()
    place.prepare(where)
    assert where.join_token.read_text() == token
    assert len(token) >= 32
    assert stat.S_IMODE(where.join_token.stat().st_mode) == 0o600
    assert stat.S_IMODE(where.data.stat().st_mode) == 0o711
    assert stat.S_IMODE(where.logs.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root do machines run under other uids")
def test_a_data_directory_that_other_uids_cannot_reach_is_refused_with_the_remedy(short_tmp: Path) -> None:
    closed = short_tmp / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(CannotStart, match=f"chmod o\\+x {closed}"):
        place.prepare(Place(data=closed / "data", runtime=short_tmp / "run"))


def test_a_second_supervisor_does_not_get_the_lock(short_tmp: Path) -> None:
    with lock.hold(short_tmp / "lock"), pytest.raises(lock.AlreadyHeld), lock.hold(short_tmp / "lock"):
        pass
    with lock.hold(short_tmp / "lock"):
        pass


def test_a_taken_port_is_refused_with_its_holder_and_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        number = holder.getsockname()[1]
        with pytest.raises(CannotStart) as refused:
            port.require_free(f"127.0.0.1:{number}")
    assert f"port {number} is taken by" in str(refused.value)
    assert f"pid {os.getpid()}" in str(refused.value)
    assert "MANAGER_BIND=" in str(refused.value)
    port.require_free(f"127.0.0.1:{number}")


@pytest.mark.parametrize("bind", ["18080", "localhost", "127.0.0.1:", "127.0.0.1:99999", ":80"])
def test_a_bind_without_host_and_port_is_refused(bind: str) -> None:
    with pytest.raises(CannotStart, match="MANAGER_BIND"):
        split_bind(bind)


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:18080", "http://127.0.0.1:18080"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:80", "http://[::1]:80"),
        ("10.0.0.7:80", "http://10.0.0.7:80"),
    ],
)
def test_this_machine_reaches_its_manager_at(bind: str, url: str) -> None:
    assert base_url(bind) == url


def test_what_the_user_set_is_not_set_again(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short_tmp / "nexus-manager.toml").write_text('bind = "127.0.0.1:7"\n')
    where = Place(data=short_tmp, runtime=short_tmp)
    monkeypatch.delenv("MANAGER_BIND", raising=False)
    monkeypatch.setenv("MANAGER_IMAGE_ROOT", "/mine")
    given = manager_settings(where, None)
    ours = given.environment({"MANAGER_BIND": "x", "MANAGER_IMAGE_ROOT": "x", "MANAGER_SECRET_KEY_FILE": "x"})
    assert ours == {"MANAGER_SECRET_KEY_FILE": "x"}
    assert given.find("MANAGER_BIND") == "127.0.0.1:7"
    assert given.arguments() == ["--config", str(short_tmp / "nexus-manager.toml")]
    assert agent_settings(where, None).arguments() == []


def test_a_settings_file_that_is_no_toml_is_refused_by_name(short_tmp: Path) -> None:
    (short_tmp / "nexus-agent.toml").write_text("= 1")
    with pytest.raises(CannotStart, match=r"nexus-agent\.toml is not valid TOML"):
        agent_settings(Place(data=short_tmp, runtime=short_tmp), None)


def test_a_log_past_its_limit_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    writer = logs.open_log(path)
    os.write(writer, b"old\n" * 10)
    assert logs.rotate(path, limit_bytes=10)
    os.write(writer, b"new\n")
    os.close(writer)
    assert path.read_bytes() == b"new\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"old\n" * 10
    assert not logs.rotate(path, limit_bytes=10)


def test_last_words_are_those_of_this_run_without_the_machinery_of_json(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("before\n")
    since = path.stat().st_size
    with path.open("a") as log:
        log.write(json.dumps({"event": "refused", "level": "error", "at": "now", "key": "bind"}) + "\nplain\n")
    assert logs.last_words(path, since=since) == "refused key=bind\nplain"
    assert logs.last_words(tmp_path / "absent") == ""
