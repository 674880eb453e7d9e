"""The virtual environment: everything in a lock, by hash, and this checkout as an editable install.

There are two locks, of one resolution: requirements.lock is what running and building take, requirements-dev.lock adds
what testing and checking take. A person who only runs Nexus is spared half a gigabyte of tools.

Programs of the environment are run as `.venv/bin/python -m …`, never by their scripts: a script's first line holds the
interpreter's path, and the kernel reads no more than 127 (older) or 255 bytes of it.
"""

import json
import os
import sys
import tomllib
import venv
from pathlib import Path

from bootstrap.index import parse_pip_config, uv_environment
from bootstrap.steps import BUILD, ROOT, VENV, Failed, digest, is_stamped, put_stamp, run, say

LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
UV_LOCK = ROOT / "tools" / "uv.lock"


def ensure() -> None:
    """What running and building take; more than that stays."""
    if not any(is_stamped("venv", _wanted(lock)) for lock in (LOCK, DEV_LOCK)) or not _python().exists():
        _install(LOCK)


def ensure_dev() -> None:
    """What testing and checking take as well."""
    if not is_stamped("venv", _wanted(DEV_LOCK)) or not _python().exists():
        _install(DEV_LOCK)


def _install(lock: Path) -> None:
    uv, env = ensure_uv()
    say("installing Python packages into .venv")
    venv.create(VENV, symlinks=True, clear=not _is_usable())
    python = str(_python())
    run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock)], env=env)
    here = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    run([uv, "pip", "install", "--quiet", "--python", python, *here], env=env)
    put_stamp("venv", _wanted(lock))


def _python() -> Path:
    return VENV / "bin" / "python"


def _wanted(lock: Path) -> str:
    return digest([lock], sys.version, str(ROOT), _about_us())


def ensure_uv() -> tuple[str, dict[str, str]]:
    """uv in an environment of its own (pip installs it, pinned by hash), and the variables to run it with."""
    home = BUILD / "uv"
    uv, pip = home / "bin" / "uv", [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    wanted = digest([UV_LOCK], sys.executable, str(ROOT))
    if not (is_stamped("uv", wanted) and uv.exists()):
        say("installing uv into .build/uv")
        venv.create(home, symlinks=True, with_pip=True, clear=True)
        run([*pip, "install", "--quiet", "--require-hashes", "--requirement", str(UV_LOCK)])
        put_stamp("uv", wanted)
    settings = parse_pip_config(run([*pip, "config", "list"], quiet=True))
    return str(uv), uv_environment(settings, os.environ)


def lock() -> None:
    """Resolve pyproject.toml again and write both locks: every platform, hashes, no index address."""
    uv, env = ensure_uv()
    for partial in ("UV_FIND_LINKS", "UV_INDEX"):  # what holds some of a release's files knows those files' hashes only
        env.pop(partial, None)
    options = ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--quiet"]
    compile_all = [uv, "pip", "compile", *options, "--group", "toolchain", "pyproject.toml"]
    run([*compile_all, "--group", "dev", "--output-file", str(DEV_LOCK)], env=env)
    run([*compile_all, "--constraint", str(DEV_LOCK), "--output-file", str(LOCK)], env=env)
    for lock in (LOCK, DEV_LOCK):
        if "://" in lock.read_text():
            raise Failed(f"{lock} holds an address; an index's or a package's: remove it")


def _about_us() -> str:
    """What an editable install records of pyproject.toml; the settings of tools there are none of its business."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return json.dumps([project["project"], project["build-system"], project["tool"]["hatch"]], sort_keys=True)


def _is_usable() -> bool:
    """Whether .venv runs, and on this very Python; otherwise it is made anew."""
    try:
        return run([str(_python()), "-c", "import sys; print(sys.version)"], quiet=True) == f"{sys.version}\n"
    except (Failed, OSError):
        return False
