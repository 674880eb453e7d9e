"""The session that `nexus up` leaves for the CLI."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nexus.cli import contexts as cli
from nexus.local import session
from nexus.local.errors import CannotStart

URL = "http://127.0.0.1:18080"


def minted(token: str, *, hours: float = 8) -> session.Session:
    expires_at = datetime.now(UTC) + timedelta(hours=hours)
    return session.Session(token=token, expires_at=expires_at, has_default_password=True)


def test_the_cli_finds_the_session_as_its_current_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEXUS_URL", "NEXUS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NEXUS_CONFIG_DIR", str(tmp_path))
    session.sign_in(minted("secret"), url=URL, path=session.contexts_file())
    assert cli.effective(None) == cli.Context(url=URL, token="secret", username="root")
    assert cli.contexts_file() == session.contexts_file()
    assert stat.S_IMODE(session.contexts_file().stat().st_mode) == 0o600


def test_contexts_that_are_there_stay(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(json.dumps({"current": "work", "contexts": {"work": {"url": "https://work", "token": "w"}}}))
    session.sign_in(minted("secret"), url=URL, path=path)
    found = json.loads(path.read_text())
    assert found["current"] == "local"
    assert found["contexts"]["work"]["token"] == "w"


def test_renewing_replaces_only_the_token_it_left(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    first, second, third = minted("1"), minted("2"), minted("3")
    session.sign_in(first, url=URL, path=path)
    session.renew(second, old=first, path=path)
    assert session.signed_in(URL, path=path) == "2"
    session.renew(third, old=first, path=path)
    assert session.signed_in(URL, path=path) == "2"


def test_a_session_is_renewed_at_half_its_life() -> None:
    assert minted("x", hours=8).half_life_s == pytest.approx(4 * 3600, abs=5)
    assert minted("x", hours=-1).half_life_s == 1


def test_a_damaged_file_is_refused_rather_than_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    path.write_text("{")
    with pytest.raises(CannotStart, match="is damaged"):
        session.sign_in(minted("x"), url=URL, path=path)
    assert path.read_text() == "{"


def test_another_managers_session_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    session.sign_in(minted("x"), url=URL, path=path)
    with pytest.raises(CannotStart, match="nobody is signed in"):
        session.signed_in("http://127.0.0.1:1", path=path)
