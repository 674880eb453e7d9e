"""`nexus doctor`: what this machine can do for Nexus, what it lacks, and the command that mends it.

What only the agent can find out, by proof (hypervisor, acceleration, network mode, limits, disk cloning), it is asked
for in a process of its own; the two never import each other.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
from pydantic import ValidationError

from nexus.local import identity, place, port, programs
from nexus.local.errors import CannotStart
from nexus.local.place import Place
from nexus.protocol.checkup import Checkup, Finding, Verdict

AGENT_PATIENCE_S = 60
_ROOM_BYTES = 2 << 30
"""For the packages, the images and a few machines' disks."""


def examine(*, strict: bool = False) -> Checkup:
    """Look at everything; takes as long as the agent needs to prove its hypervisor (seconds, the first time).

    `strict`: also at what a host must be to run other people's guests."""
    where = place.here()
    own: list[Callable[[Place], Finding]] = [_system, _python, _cores, _memory, _room, _data_directory, _port, _tools]
    return Checkup(findings=(*(look(where) for look in own), *_ask_agent(where, strict=strict)))


def is_fit(checkup: Checkup, *, strict: bool = False) -> bool:
    """Whether nothing is missing that Nexus cannot do without; `strict`: whether nothing at all is to be mended."""
    bad = (Verdict.MISSING, Verdict.WARN) if strict else (Verdict.MISSING,)
    return all(finding.verdict not in bad for finding in checkup.findings)


def _system(_: Place) -> Finding:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        name = "Linux"
    found = f"{name}, Linux {platform.release()}, {platform.machine()}"
    if platform.machine() != "x86_64":
        return Finding(name="system", verdict=Verdict.WARN, found=found, fix="nothing; only x86_64 has been tested")
    return Finding(name="system", verdict=Verdict.OK, found=found)


def _python(_: Place) -> Finding:
    return Finding(name="Python", verdict=Verdict.OK, found=f"{platform.python_version()} at {sys.executable}")


def _cores(_: Place) -> Finding:
    cores = len(os.sched_getaffinity(0))
    if cores == 1:
        return Finding(name="cores", verdict=Verdict.WARN, found="1", fix="use a machine with two or more")
    return Finding(name="cores", verdict=Verdict.OK, found=str(cores))


def _memory(_: Place) -> Finding:
    memory = psutil.virtual_memory()
    found = f"{memory.available >> 20} MiB available of {memory.total >> 20}"
    if memory.available < 1 << 30:
        return Finding(
            name="memory", verdict=Verdict.WARN, found=found, fix="free some: a machine and Nexus want 1 GiB"
        )
    return Finding(name="memory", verdict=Verdict.OK, found=found)


def _room(where: Place) -> Finding:
    usage = shutil.disk_usage(_existing(where.data))
    found = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} for {where.data}"
    if usage.free < _ROOM_BYTES:
        fix = "make room, or choose another place: NEXUS_DATA_DIR=/elsewhere"
        return Finding(name="disk space", verdict=Verdict.WARN, found=found, fix=fix)
    return Finding(name="disk space", verdict=Verdict.OK, found=found)


def _data_directory(where: Place) -> Finding:
    name = "data directory"
    nearest = _existing(where.data)
    if not os.access(nearest, os.W_OK | os.X_OK):
        fix = f"let this user write to {nearest}, or choose another place: NEXUS_DATA_DIR=/elsewhere"
        return Finding(name=name, verdict=Verdict.MISSING, found=f"{nearest} is not writable", fix=fix)
    try:
        place.require_passage(where.data)
    except CannotStart as closed:
        return Finding(name=name, verdict=Verdict.MISSING, found="below a closed directory", fix=str(closed))
    return Finding(name=name, verdict=Verdict.OK, found=f"{where.data}{'' if where.data.exists() else ' (to be made)'}")


def _port(where: Place) -> Finding:
    try:
        if running := _running_at(where):
            return Finding(name="port", verdict=Verdict.OK, found=f"used by Nexus, which is running at {running}")
        bind = programs.manager_settings(where, None).find("MANAGER_BIND") or programs.DEFAULT_BIND
        port.require_free(bind)
    except CannotStart as taken:
        return Finding(name="port", verdict=Verdict.MISSING, found="cannot be used", fix=str(taken))
    return Finding(name="port", verdict=Verdict.OK, found=f"{bind} is free")


def _running_at(where: Place) -> str | None:
    """The URL of this installation, if it runs: it may have been started with other settings than we were."""
    found = identity.read(where.supervisor_pid)
    return str(found[1].get("url")) if found and found[0].is_running else None


def _tools(_: Place) -> Finding:
    """For making images; the agent looks after what machines need."""
    wanted = {"sqfstar": "squashfs-tools", "apt-get": "apt", "dpkg": "dpkg"}
    missing = [
        program for program in wanted if shutil.which(program, path=f"{os.environ.get('PATH')}:/usr/sbin") is None
    ]
    if not missing:
        return Finding(name="image tools", verdict=Verdict.OK, found=", ".join(wanted))
    fix = f"apt-get install --no-install-recommends {' '.join(wanted[program] for program in missing)}"
    return Finding(name="image tools", verdict=Verdict.MISSING, found=f"no {', '.join(missing)}", fix=fix)


def _ask_agent(where: Place, *, strict: bool) -> tuple[Finding, ...]:
    command = [sys.executable, "-m", "nexus.agent", "doctor", "--json", *(("--strict",) if strict else ())]
    env = os.environ | {"FC_RUN_DIR": os.environ.get("FC_RUN_DIR", str(where.agent_data))}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=AGENT_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return (_agent_failed(f"did not finish within {AGENT_PATIENCE_S} s", command),)
    try:
        return Checkup.model_validate_json(done.stdout).findings
    except ValidationError:
        return (_agent_failed((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1], command),)


def _agent_failed(words: str, command: list[str]) -> Finding:
    fix = f"see what this says: {' '.join(command)}"
    return Finding(name="agent", verdict=Verdict.MISSING, found=f"could not look at the machine: {words}", fix=fix)


def _existing(path: Path) -> Path:
    """The nearest directory above (or at) `path` that exists."""
    return next(parent for parent in (path, *path.parents) if parent.exists())
