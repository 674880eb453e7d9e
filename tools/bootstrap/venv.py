"""The virtual environment: everything in requirements.lock, by hash, and this checkout as an editable install.

Programs of the environment are run as `.venv/bin/python -m …`, never by their scripts: a script's first line holds the
interpreter's path, and the kernel reads no more than 127 (older) or 255 bytes of it.
"""

import json
import os
import sys
import tomllib
import venv

from bootstrap.index import parse_pip_config, uv_environment
from bootstrap.steps import BUILD, ROOT, VENV, Failed, digest, is_stamped, put_stamp, run, say

LOCK = ROOT / "requirements.lock"
UV_LOCK = ROOT / "tools" / "uv.lock"


def ensure() -> None:
    wanted = digest([LOCK], sys.version, str(ROOT), _about_us())
    if is_stamped("venv", wanted) and (VENV / "bin" / "python").exists():
        return
    uv, env = ensure_uv()
    say("installing Python packages into .venv")
    venv.create(VENV, symlinks=True, clear=not _is_usable())
    python = str(VENV / "bin" / "python")
    run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(LOCK)], env=env)
    here = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    run([uv, "pip", "install", "--quiet", "--python", python, *here], env=env)
    put_stamp("venv", wanted)


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
    """Resolve pyproject.toml again and write requirements.lock: every platform, hashes, no index address."""
    uv, env = ensure_uv()
    options = ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate", "--quiet"]
    groups = ["--group", "dev", "--group", "toolchain"]
    run([uv, "pip", "compile", *options, *groups, "pyproject.toml", "--output-file", str(LOCK)], env=env)
    if "://" in LOCK.read_text():
        raise Failed(f"{LOCK} holds an address; an index's or a package's: remove it, other machines have their own")


def _about_us() -> str:
    """What an editable install records of pyproject.toml; the settings of tools there are none of its business."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return json.dumps([project["project"], project["build-system"], project["tool"]["hatch"]], sort_keys=True)


def _is_usable() -> bool:
    """Whether .venv runs, and on this very Python; otherwise it is made anew."""
    try:
        return (
            run([str(VENV / "bin" / "python"), "-c", "import sys; print(sys.version)"], quiet=True)
            == f"{sys.version}\n"
        )
    except (Failed, OSError):
        return False
