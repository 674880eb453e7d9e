"""Programs that stand in for `firecracker` and `jailer`: scripts in a directory, for a driver to find.

The jailer takes the documented flags of the real one (docs/jailer.md, 1.16) and refuses what that refuses. It does what
can be done without a static binary: directory, copy, group, limits, network and pid namespace, owner, uid; only the
root directory stays the host's, the process is in the jail's instead.
"""

import ctypes
import json
import os
import re
import resource
import shutil
import sys
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).parent
VALUED = {
    "--id",
    "--exec-file",
    "--uid",
    "--gid",
    "--chroot-base-dir",
    "--cgroup-version",
    "--parent-cgroup",
    "--cgroup",
    "--netns",
    "--resource-limit",
}
FLAGS = {"--daemonize", "--new-pid-ns"}
REPEATED = {"--cgroup", "--resource-limit"}
REQUIRED = ("--id", "--exec-file", "--uid", "--gid")
LIMITS = {"fsize": resource.RLIMIT_FSIZE, "no-file": resource.RLIMIT_NOFILE}
CLONE_NEWNET, CLONE_NEWPID = 0x40000000, 0x20000000
TUNS = 4
_libc = ctypes.CDLL(None, use_errno=True)


def install(directory: Path, *, cgroups: Path) -> tuple[Path, Path]:
    """(firecracker, jailer) in `directory`, which is to have `faults.json` when faults are to be played."""
    directory.mkdir(parents=True, exist_ok=True)
    faults = directory / "faults.json"
    firecracker, jailer = directory / "firecracker", directory / "jailer"
    head = f"#!{sys.executable} -IS\nimport sys\nfrom pathlib import Path\nsys.path.insert(0, {str(HERE)!r})\n"
    firecracker.write_text(
        f"{head}import simulator\nsimulator.main(sys.argv[1:], Path({str(faults)!r}), globals().get('TUNS'))\n"
    )
    jailer.write_text(
        f"{head}import stand_in\nstand_in.jail(sys.argv[1:], Path({str(cgroups)!r}), Path({str(faults)!r}))\n"
    )
    firecracker.chmod(0o755)
    jailer.chmod(0o755)
    return firecracker, jailer


def jail(arguments: list[str], cgroups: Path, faults: Path) -> None:
    if arguments == ["--version"]:
        print("Jailer v1.16.1\n")
        return
    options, flags, rest = parse(arguments)
    if faults.exists() and (words := json.loads(faults.read_text()).get("jailer_fails")):
        _refuse(words)
    identity = options["--id"][0]
    uid, gid = int(options["--uid"][0]), int(options["--gid"][0])
    binary = Path(options["--exec-file"][0]).resolve(strict=True)
    base = Path(options.get("--chroot-base-dir", ["/srv/jailer"])[0]).resolve(strict=True)
    root = base / binary.name / identity / "root"
    if root.parent.exists():
        _refuse(f"{root.parent} exists")
    root.mkdir(parents=True, mode=0o700)
    shutil.copy(binary, root / binary.name)
    if "--netns" in options:
        _enter(options["--netns"][0])
    for limit in options.get("--resource-limit", []):
        name, _, value = limit.partition("=")
        resource.setrlimit(LIMITS[name], (int(value), int(value)))
    _group(options, cgroups, identity)
    tuns = [os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK) for _ in range(TUNS)] if "--netns" in options else []
    for name in ("dev/net", "run"):
        (root / name).mkdir(parents=True)
    for path in (root, root / "dev", root / "dev/net", root / "run"):
        os.chown(path, uid, gid)
    import simulator

    simulator.contract.load()  # what it reads must be read as long as it may
    program = compile((root / binary.name).read_text(), binary.name, "exec")
    os.chdir(root)
    if "--new-pid-ns" in flags:
        _libc.unshare(CLONE_NEWPID)
        if pid := os.fork():
            (root / f"{binary.name}.pid").write_text(str(pid))
            os._exit(0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    sys.argv = [binary.name, "--id", identity, "--start-time-us", "0", "--start-time-cpu-us", "0", *rest]
    exec(program, {"__name__": "__main__", "TUNS": tuns})


def parse(arguments: list[str]) -> tuple[dict[str, list[str]], set[str], list[str]]:
    """(options, flags, what is Firecracker's); ends the process for anything the jailer would refuse."""
    options: dict[str, list[str]] = {}
    flags: set[str] = set()
    given = iter(arguments)
    for word in given:
        if word == "--":
            break
        if word in FLAGS:
            flags.add(word)
        elif word in VALUED:
            if word in options and word not in REPEATED:
                _refuse(f"The argument '{word}' was provided more than once.")
            options.setdefault(word, []).append(next(given, ""))
        else:
            _refuse(f"Found argument '{word}' which wasn't expected, or isn't valid in this context.")
    if missing := [name for name in REQUIRED if name not in options]:
        _refuse(f"Argument '{missing[0]}' required, but not found.")
    _check(options)
    return options, flags, list(given)


def _check(options: dict[str, list[str]]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", options["--id"][0]):
        _refuse("Invalid instance ID")
    if not all(options[name][0].isdigit() for name in ("--uid", "--gid")):
        _refuse("Invalid uid or gid")
    if "firecracker" not in Path(options["--exec-file"][0]).name:
        _refuse("Invalid exec file name: must contain 'firecracker'")
    if options.get("--cgroup-version", ["1"])[0] not in ("1", "2"):
        _refuse("Invalid cgroup version")
    if any(part in ("", ".", "..") for part in options.get("--parent-cgroup", ["x"])[0].split("/")):
        _refuse("Invalid parent cgroup")
    for group in options.get("--cgroup", []):
        if not re.fullmatch(r"[a-z]+\.[a-z._]+=[^=]+", group):
            _refuse(f"Cgroup format error: {group}")
    for limit in options.get("--resource-limit", []):
        if not re.fullmatch(r"(fsize|no-file)=\d+", limit):
            _refuse(f"Invalid resource limit: {limit}")


def _group(options: dict[str, list[str]], cgroups: Path, identity: str) -> None:
    """Version 2; without a value to set the process would only be moved to the parent, if there is one."""
    if options.get("--cgroup-version", ["1"])[0] != "2":
        _refuse("this host has cgroup v2 only")
    parent = cgroups / options.get("--parent-cgroup", ["firecracker"])[0]
    if not options.get("--cgroup"):
        if parent.exists():
            (parent / "cgroup.procs").write_text(str(os.getpid()))
        return
    group = parent / identity
    group.mkdir(parents=True, exist_ok=True)
    for setting in options["--cgroup"]:
        name, _, value = setting.partition("=")
        (group / name).write_text(value)
    (group / "cgroup.procs").write_text(str(os.getpid()))


def _enter(netns: str) -> None:
    fd = os.open(netns, os.O_RDONLY)
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        _refuse(f"Failed to join network namespace: {os.strerror(ctypes.get_errno())}")
    os.close(fd)


def _refuse(words: str) -> NoReturn:
    print(f"Error: {words}", file=sys.stderr, flush=True)
    sys.exit(1)
