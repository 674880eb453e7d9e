"""A stand-in for the `firecracker` program: its API on a Unix socket, refusing what Firecracker refuses, and behind it
a guest that is a few lines. Standard library only, because it is started for every machine of a test.

Which requests are good, and when, it has from the table (`contract.json`); what they bring about follows Firecracker's
sources: files are opened and sockets bound when they are named, a second metrics sink is refused, a snapshot is loaded
into a fresh process only, and one that cannot be loaded ends it. Faults to play are in a file read at the start:

    {"die_at": "PUT /vsock", "hang_at": …, "refuse_at": …, "say_nothing": true, "fail": "words", "boot_s": 0.1}
"""

import asyncio
import contextlib
import fcntl
import json
import mmap
import os
import struct
import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parent))
import contract

VERSION = "1.16.1"
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
MMDS_LIMIT_BYTES = 51200
BEFORE = "The requested operation is not supported before starting the microVM."
AFTER = "The requested operation is not supported after starting the microVM."
AGENT_PORT = 1024
USED_BYTES = 64 << 10
"""Of a guest's memory: the rest is nothing."""
Json = dict[str, Any]
MACHINE_CONFIG: Json = {
    "vcpu_count": 1,
    "mem_size_mib": 128,
    "smt": False,
    "track_dirty_pages": False,
    "huge_pages": "None",
}


class Refused(Exception):
    """Answered 400 with this message."""


@dataclass
class Sinks:
    """Log and metrics: files or pipes, opened without waiting; what they do not take is counted and lost."""

    log: int | None = None
    metrics: int | None = None
    missed_log_count: int = 0
    missed_metrics_count: int = 0

    def say(self, level: str, text: str) -> None:
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} [anonymous-instance:main:{level}] {text}\n".encode()
        if not _write(self.log if self.log is not None else 1, line):
            self.missed_log_count += 1

    def measure(self, values: Json) -> None:
        if self.metrics is None:
            return
        missed = {"missed_log_count": self.missed_log_count, "missed_metrics_count": self.missed_metrics_count}
        line = json.dumps({"utc_timestamp_ms": int(time.time() * 1000), **values, "logger": missed}) + "\n"
        if not _write(self.metrics, line.encode()):
            self.missed_metrics_count += 1


@dataclass
class Machine:
    """What Firecracker knows of its VM, in the layout of its configuration file."""

    id: str
    faults: Json
    tuns: list[int]
    table: contract.Contract = field(default_factory=contract.load)
    state: str = "Not started"
    is_soiled: bool = False
    done_once: set[str] = field(default_factory=set[str])
    drives: dict[str, Json] = field(default_factory=dict[str, Json])
    nics: dict[str, Json] = field(default_factory=dict[str, Json])
    pmem: dict[str, Json] = field(default_factory=dict[str, Json])
    parts: dict[str, Json] = field(default_factory=dict[str, Json])
    machine_config: Json = field(default_factory=lambda: dict(MACHINE_CONFIG))
    mmds: Json | None = None
    sinks: Sinks = field(default_factory=Sinks)
    is_free: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    guest: "Guest" = field(init=False)

    def __post_init__(self) -> None:
        self.guest = Guest(self)
        self.is_free.set()

    # requests

    async def take(self, method: str, path: str, body: object) -> tuple[int, object]:
        """The status and content of the answer. Raises Refused."""
        name = f"{method} {path}"
        self.sinks.say("INFO", f'The API server received a {method.title()} request on "{path}".')
        await self.is_free.wait()
        await self._play_faults(name, body)
        found = self.table.find(method, path)
        if found is None:
            raise Refused(f"Invalid request method and/or path: {method} {path}.")
        if faults := self.table.faults(method, path, body):
            raise Refused(f"An error occurred when deserializing the json body of a request: {faults[0]}.")
        operation, said = found
        self._check_phase(operation, cast(Json, body) if isinstance(body, dict) else {})
        answer = await self._do(operation.name, said, cast(Json, body) if isinstance(body, dict) else {})
        self.is_soiled = self.is_soiled or operation.soils
        self.done_once |= {operation.name} if operation.once else set()
        return (204, None) if answer is None else (200, answer)

    async def _play_faults(self, name: str, body: object) -> None:
        if self.faults.get("die_at") == name:
            os._exit(139)
        if self.faults.get("hang_at") == name == "PUT /snapshot/create":
            await self._write_for_ever(Path(cast(Json, body)["mem_file_path"].lstrip("/")))
        if self.faults.get("hang_at") == name:
            await asyncio.Future()
        if self.faults.get("refuse_at") == name:
            raise Refused("told to refuse")

    async def _write_for_ever(self, memory: Path) -> None:
        """Nobody is answered while a snapshot is written. This one is as long as its file is there."""
        self.is_free.clear()
        memory.touch()
        while memory.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.02)
        self.is_free.set()
        raise Refused("told to hang")

    def _check_phase(self, operation: contract.Operation, body: Json) -> None:
        phase = operation.phase if operation.phase != "by_action" else self.table.actions[body["action_type"]]
        has_booted = self.state != "Not started"
        if phase in ("before_boot", "fresh") and has_booted:
            raise Refused(AFTER)
        if phase in ("after_boot", "paused") and not has_booted:
            raise Refused(BEFORE)
        if phase == "fresh" and self.is_soiled:
            raise Refused("Loading a microVM snapshot not allowed after configuring boot-specific resources.")
        if phase == "paused" and self.state != "Paused":
            raise Refused("Create snapshot error: Cannot create a snapshot of a microVM that is not paused.")
        if operation.name in self.done_once:
            raise Refused("Cannot initialize the metrics system due to bad user input: already initialized.")

    async def _do(self, name: str, said: dict[str, str], body: Json) -> object:
        match name:
            case "GET /":
                return {"app_name": "Firecracker", "id": self.id, "state": self.state, "vmm_version": VERSION}
            case "GET /version":
                return {"firecracker_version": VERSION}
            case "GET /machine-config":
                return self.machine_config
            case "GET /vm/config":
                return self._full_config()
            case "PUT /machine-config" | "PATCH /machine-config":
                self._configure_machine(body, is_whole=name.startswith("PUT"))
            case "PUT /boot-source":
                for key in ("kernel_image_path", "initrd_path"):
                    if key in body:
                        _check_file(body[key], "The kernel file cannot be opened", writable=False)
                if len(body.get("boot_args", "")) >= 2048:
                    raise Refused("The kernel command line is invalid: too large")
                self.parts["boot-source"] = body
            case "PUT /drives/{drive_id}":
                self._put_drive(said["drive_id"], body)
            case "PATCH /drives/{drive_id}":
                drive = _known(self.drives, said["drive_id"], "drive")
                if "path_on_host" in body:
                    _check_file(body["path_on_host"], "Invalid path", writable=not drive.get("is_read_only", False))
                _merge(drive, body)
            case "PUT /pmem/{id}":
                self.pmem[said["id"]] = body
            case "PATCH /pmem/{id}":
                _merge(_known(self.pmem, said["id"], "pmem device"), body)
            case "PUT /network-interfaces/{iface_id}":
                self._open_tap(body["host_dev_name"])
                self.nics[said["iface_id"]] = body
            case "PATCH /network-interfaces/{iface_id}":
                _merge(_known(self.nics, said["iface_id"], "network interface"), body)
            case "PUT /logger":
                if "log_path" in body:
                    self.sinks.log = _open_sink(body["log_path"])
            case "PUT /metrics":
                self.sinks.metrics = _open_sink(body["metrics_path"])
            case "PUT /vsock":
                await self.guest.bind(body["uds_path"])
                self.parts["vsock"] = body
            case "PUT /actions":
                await self._act(body["action_type"])
            case "PATCH /vm":
                self.state = "Paused" if body["state"] == "Paused" else "Running"
                self.guest.let(runs=self.state == "Running")
            case "PUT /snapshot/create":
                self._create_snapshot(body)
            case "PUT /snapshot/load":
                await self._load_snapshot(body)
            case _:
                return self._small(name, body)
        return None

    def _small(self, name: str, body: Json) -> object:
        """Devices that are little more than a note, and what is said about them."""
        match name:
            case "PUT /balloon":
                if body["amount_mib"] > self.machine_config["mem_size_mib"]:
                    raise Refused("Balloon config error: Amount of pages requested is too large.")
                self.parts["balloon"] = body
            case "GET /balloon":
                return self._part("balloon", "Balloon config error: No balloon device found.")
            case "PATCH /balloon":
                balloon = self._part("balloon", "Balloon update error: No balloon device found.")
                if self.faults.get("no_balloon_driver"):
                    raise Refused("Balloon update error: Device is inactive.")
                if body["amount_mib"] > self.machine_config["mem_size_mib"]:
                    raise Refused("Balloon update error: Amount of pages requested is too large.")
                balloon["amount_mib"] = body["amount_mib"]
            case "GET /balloon/statistics":
                return self._balloon_statistics()
            case "PATCH /balloon/statistics":
                balloon = self._part("balloon", "Balloon update error: No balloon device found.")
                if bool(balloon.get("stats_polling_interval_s")) != bool(body["stats_polling_interval_s"]):
                    raise Refused("Balloon update error: Statistics for the balloon device cannot be switched.")
                balloon["stats_polling_interval_s"] = body["stats_polling_interval_s"]
            case "PATCH /balloon/hinting/start" | "PATCH /balloon/hinting/stop" | "GET /balloon/hinting/status":
                if not self._part("balloon", "No balloon device found.").get("free_page_hinting"):
                    raise Refused("Balloon hinting is not enabled.")
                return {"host_cmd": 0} if name.startswith("GET") else None
            case "PUT /hotplug/memory":
                self.parts["memory-hotplug"] = {"slot_size_mib": 128, "block_size_mib": 2, "plugged_size_mib": 0} | body
            case "PATCH /hotplug/memory":
                self._part("memory-hotplug", "No memory hotplug device found.").update(body)
            case "GET /hotplug/memory":
                return self._part("memory-hotplug", "No memory hotplug device found.")
            case "PUT /mmds/config":
                if set(body["network_interfaces"]) - set(self.nics):
                    raise Refused(
                        "MMDS config error: The list of network interface IDs provided contains at least one "
                        "ID that does not correspond to any existing network interface."
                    )
                self.parts["mmds-config"] = body
            case "PUT /mmds" | "PATCH /mmds":
                self._store(body, is_whole=name.startswith("PUT"))
            case "GET /mmds":
                return self.mmds or {}
            case "PUT /cpu-config" | "PUT /entropy" | "PUT /serial":
                self.parts[name.removeprefix("PUT /")] = body
            case _:
                raise AssertionError(f"the simulator does not do {name}")
        return None

    # what they bring about

    def _part(self, name: str, otherwise: str) -> Json:
        if name not in self.parts:
            raise Refused(otherwise)
        return self.parts[name]

    def _configure_machine(self, body: Json, *, is_whole: bool) -> None:
        wanted = (MACHINE_CONFIG if is_whole else self.machine_config) | body
        if wanted["mem_size_mib"] <= 0:
            raise Refused("The memory size (MiB) is invalid.")
        if wanted["smt"] and wanted["vcpu_count"] not in (1, *range(2, 33, 2)):
            raise Refused("The vCPU number is invalid! The vCPU number should be 1 or an even number with SMT.")
        self.machine_config = wanted

    def _put_drive(self, drive_id: str, body: Json) -> None:
        if "path_on_host" in body:
            _check_file(
                body["path_on_host"],
                "Unable to create the virtio block device",
                writable=not body.get("is_read_only", False),
            )
        if body["is_root_device"] and any(
            each["is_root_device"] for key, each in self.drives.items() if key != drive_id
        ):
            raise Refused("A root block device already exists!")
        self.drives[drive_id] = body

    def _open_tap(self, name: str) -> None:
        try:
            fd = self.tuns.pop() if self.tuns else os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        except OSError as refused:
            raise Refused(f"Open tap device failed: {name}: {refused.strerror}") from refused

    def _balloon_statistics(self) -> Json:
        balloon = self._part("balloon", "Balloon statistics: No balloon device found.")
        if not balloon.get("stats_polling_interval_s"):
            raise Refused("Statistics for the balloon device are not enabled")
        amount = balloon["amount_mib"]
        total = self.machine_config["mem_size_mib"] << 20
        return {
            "target_pages": amount << 8,
            "actual_pages": amount << 8,
            "target_mib": amount,
            "actual_mib": amount,
            "free_memory": total // 2,
            "total_memory": total,
            "available_memory": total // 2,
        }

    def _store(self, body: Json, *, is_whole: bool) -> None:
        wanted = body if is_whole else _merged(self.mmds or {}, body)
        if len(json.dumps(wanted)) > MMDS_LIMIT_BYTES:
            raise Refused(
                "The MMDS patch request doesn't fit."
                if not is_whole
                else "The MMDS data store size limit was exceeded."
            )
        self.mmds = wanted

    async def _act(self, action: str) -> None:
        if action == "InstanceStart":
            if "boot-source" not in self.parts:
                raise Refused("Start microvm error: Cannot start microvm without kernel configuration.")
            self.state = "Running"
            self.guest.boot()
        elif action == "SendCtrlAltDel":
            self.guest.end("reboot")
        else:
            self.guest.measure()

    def _create_snapshot(self, body: Json) -> None:
        """The state first, then the memory, whose file gets its whole size before it is written."""
        try:
            self._write_state(body["snapshot_path"])
            with Path(body["mem_file_path"].lstrip("/")).open("wb") as memory:
                memory.truncate(self.machine_config["mem_size_mib"] << 20)
                memory.write(self.guest.memory[:USED_BYTES])
        except OSError as refused:
            raise Refused(f"Create snapshot error: Cannot write memory file: {refused.strerror}") from refused
        self.guest.reset_connections()

    def _write_state(self, path: str) -> None:
        state = json.dumps({"version": VERSION, "config": self._full_config()}).encode()
        Path(path.lstrip("/")).write_bytes(zlib.crc32(state).to_bytes(4, "big") + state)

    @staticmethod
    def _read_state(path: str) -> Json:
        """The configuration that was saved. Raises Refused, OSError."""
        data = Path(path.lstrip("/")).read_bytes()
        if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "big"):
            raise Refused("Failed to load snapshot state from file: CRC64 validation failed")
        said = json.loads(data[4:])
        if said["version"] != VERSION:
            raise Refused(f"Failed to load snapshot state from file: Unsupported version: {said['version']}")
        return cast(Json, said["config"])

    async def _load_snapshot(self, body: Json) -> None:
        if ("mem_backend" in body) == ("mem_file_path" in body):
            raise Refused("missing field: either `mem_backend` or `mem_file_path` is required")
        try:
            config = self._read_state(body["snapshot_path"])
            if body.get("mem_backend", {}).get("backend_type") == "Uffd":
                raise Refused("Cannot connect to UDS in order to send information on handling guest memory page-faults")
            memory = body.get("mem_backend", {}).get("backend_path") or body["mem_file_path"]
            self.guest.map_memory(memory, size=config["machine-config"]["mem_size_mib"] << 20)
            await self._restore(config, body)
        except (OSError, ValueError, KeyError, Refused) as failed:
            self.sinks.say("ERROR", f"RunWithApiError error: Failed to build MicroVM: {failed}")
            asyncio.get_running_loop().call_later(0.05, self.end, 1)
            raise Refused(f"Load snapshot error: Failed to restore from snapshot: {failed}") from failed

    async def _restore(self, config: Json, body: Json) -> None:
        overrides = {each["iface_id"]: each["host_dev_name"] for each in body.get("network_overrides", [])}
        if overrides.keys() - {nic["iface_id"] for nic in config["network-interfaces"]}:
            raise Refused("Unknown Network Device.")
        if "vsock_override" in body and "vsock" not in config:
            raise Refused("Unknown Vsock Device.")
        self.machine_config = config["machine-config"] | {"track_dirty_pages": body.get("track_dirty_pages", False)}
        for drive in config["drives"]:
            self._put_drive(drive["drive_id"], drive)
        for nic in config["network-interfaces"]:
            nic = nic | {"host_dev_name": overrides.get(nic["iface_id"], nic["host_dev_name"])}
            self._open_tap(nic["host_dev_name"])
            self.nics[nic["iface_id"]] = nic
        self.parts |= {
            key: value for key, value in config.items() if key in ("balloon", "entropy", "vsock", "mmds-config")
        }
        if "vsock" in config:
            override = body.get("vsock_override", {})
            self.parts["vsock"] = config["vsock"] | override
            await self.guest.bind(self.parts["vsock"]["uds_path"])
        self.state = "Running" if body.get("resume_vm") else "Paused"
        self.guest.restored(runs=self.state == "Running")

    def _full_config(self) -> Json:
        return {
            **{key: value for key, value in self.parts.items() if key not in ("serial",)},
            "drives": list(self.drives.values()),
            "machine-config": self.machine_config,
            "network-interfaces": list(self.nics.values()),
            "pmem": list(self.pmem.values()),
        }

    def end(self, status: int) -> None:
        if not self.over.done():
            self.over.set_result(status)


class Guest:
    """A kernel that says a few lines on the console, and an agent on vsock port 1024 (docs/protocol/guest.md)."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._runs = asyncio.Event()
        self._has_agent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_frozen = False
        self.memory = mmap.mmap(-1, USED_BYTES)

    def map_memory(self, path: str, *, size: int) -> None:
        """As Firecracker does: privately, and read when it is needed; whoever changes the file changes the guest."""
        fd = os.open(path.lstrip("/"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_size != size:
                raise Refused("Failed to load guest memory: the file's size is not the memory's")
            self.memory = mmap.mmap(fd, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(fd)

    def reset_connections(self) -> None:
        """What a snapshot does to a vsock: connections end, listeners stay (facts, 38)."""
        for writer in self._writers:
            writer.transport.abort()

    async def bind(self, path: str) -> None:
        name = path.lstrip("/")
        if Path(name).exists():
            raise Refused("Vsock config error: Cannot create backend for vsock device: Address in use")
        await asyncio.start_unix_server(self._connected, name)

    def let(self, *, runs: bool) -> None:
        self._runs.set() if runs else self._runs.clear()

    def boot(self) -> None:
        self.say("[    0.000000] Linux version 6.1.0-simulated")
        self.let(runs=True)
        asyncio.get_running_loop().call_later(self._machine.faults.get("boot_s", 0.0), self._up)

    def restored(self, *, runs: bool) -> None:
        self._has_agent = True
        self.let(runs=runs)

    def say(self, line: str) -> None:
        _write(1, f"{line}\r\n".encode())

    def measure(self) -> None:
        self._machine.sinks.measure({"block": {"read_bytes": 4096, "write_bytes": 512}, "vcpu": {}})

    def end(self, how: str) -> None:
        """`reboot`: the process ends with it. `poweroff`: it stays (facts, 19)."""
        self._has_agent = False
        for writer in self._writers:
            writer.transport.abort()
        if how == "reboot":
            self.say("[    9.000000] reboot: Restarting system")
            self._machine.sinks.say("INFO", "Vmm is stopping.")
            self._machine.end(0)
        elif how == "panic":
            self.say("[    9.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000")
            self._machine.end(0)
        else:
            self.say("[    9.000000] reboot: Power down")

    def _up(self) -> None:
        self._has_agent = True

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, EOFError, ValueError):
            word, port = (await reader.readline()).split()
            await self._runs.wait()
            if word == b"CONNECT" and int(port) == AGENT_PORT and self._has_agent:
                writer.write(b"OK 1073741824\n")
                await self._serve(reader, writer)
        self._writers.discard(writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        body = await reader.readexactly(length)
        method, path, _ = head.decode().split(" ", 2)
        status, answer = self._answer(method, path, body)
        data = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + data
        )
        await writer.drain()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Json]:
        match method, path:
            case "GET", "/v1/health":
                return 200, {
                    "version": "simulated",
                    "protocol": 1,
                    "boot_ms": 0,
                    "capabilities": ["freeze", "identity"],
                }
            case "GET", "/v1/metrics":
                return 200, self._metrics()
            case "PUT", "/v1/time" | "/v1/metadata":
                return 200, {"ok": True}
            case "POST", "/v1/filesystems/freeze":
                self.is_frozen = True
                return 200, {"frozen": ["/"]}
            case "POST", "/v1/filesystems/thaw":
                was, self.is_frozen = self.is_frozen, False
                return 200, {"held": was}
            case "POST", "/v1/identity":
                self.is_frozen = False
                self.say("[    5.000000] nexus: the guest has another identity")
                return 200, {"warnings": []}
            case "GET", "/v1/sessions":
                return 200, {"items": [_session(each) for each in self.sessions]}
            case "POST", "/v1/sessions":
                self.sessions = [*self.sessions, made := os.urandom(8).hex()]
                return 200, {"id": made}
            case "POST", "/v1/power":
                asyncio.get_running_loop().call_later(0.02, self.end, json.loads(body)["action"])
                return 200, {"ok": True}
            case _:
                return 404, {"error": "no such path"}

    @property
    def sessions(self) -> list[str]:
        """What this guest has in its memory."""
        return json.loads(self.memory[:USED_BYTES].rstrip(b"\0") or b"[]")

    @sessions.setter
    def sessions(self, ids: list[str]) -> None:
        self.memory[:USED_BYTES] = json.dumps(ids).encode().ljust(USED_BYTES, b"\0")

    def _metrics(self) -> Json:
        total_kib = self._machine.machine_config["mem_size_mib"] << 10
        given_kib = self._machine.parts.get("balloon", {}).get("amount_mib", 0) << 10
        nothing = ("uptime_s", "cpu_percent", "cpu_seconds", "load_1", "load_5", "load_15", "processes")
        sizes = {"memory_total_kib": total_kib, "memory_available_kib": total_kib - given_kib}
        return {**dict.fromkeys((*nothing, "root_total_bytes", "root_free_bytes"), 0), **sizes}


def _session(session: str) -> Json:
    return {
        "id": session,
        "kind": "exec",
        "user": "root",
        "pid": 1,
        "first_offset": 0,
        "end_offset": 0,
        "watched": False,
    }


async def serve(machine: Machine, socket: str) -> int:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                await _exchange(machine, reader, writer)

    await asyncio.start_unix_server(connected, socket)
    return await machine.over


async def _exchange(machine: Machine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, path, _ = head.split(" ", 2)
    length = next(
        (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
    )
    content = await reader.readexactly(length)
    try:
        status, answer = await machine.take(method, path, json.loads(content) if content else None)
    except (Refused, ValueError) as refused:
        machine.sinks.say("ERROR", f"Received Error. Status code: 400 Bad Request. Message: {refused}")
        status, answer = 400, {"fault_message": str(refused)}
    data = b"" if answer is None else json.dumps(answer).encode()
    writer.write(
        f"HTTP/1.1 {status} X\r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    await writer.drain()


async def run(options: dict[str, str], faults: Json, tuns: list[int]) -> int:
    machine = Machine(options["--id"], faults, tuns)
    if "--log-path" in options:
        machine.sinks.log = _open_sink(options["--log-path"])
    machine.sinks.say("INFO", f"Running Firecracker v{VERSION}")
    if faults.get("say_nothing"):
        return await machine.over
    if "fail" in faults:
        print(f"Error: {faults['fail']}", file=sys.stderr, flush=True)
        machine.sinks.say("ERROR", "Firecracker exiting with error. exit_code=1")
        return 1
    status = await serve(machine, options["--api-sock"])
    machine.sinks.say(
        "INFO" if status == 0 else "ERROR",
        f"Firecracker exiting {'successfully' if status == 0 else 'with error'}. exit_code={status}",
    )
    return status


FLAGS = {"--show-level", "--enable-pci", "--no-seccomp", "--boot-timer"}
VALUED = {
    "--id",
    "--api-sock",
    "--log-path",
    "--level",
    "--metrics-path",
    "--config-file",
    "--start-time-us",
    "--start-time-cpu-us",
    "--parent-cpu-time-us",
    "--mmds-size-limit",
    "--http-api-max-payload-size",
}


def main(arguments: list[str], faults: Path, tuns: list[int] | None = None) -> None:
    if arguments == ["--version"]:
        print(f"Firecracker v{VERSION}\n")
        sys.exit(0)
    options: dict[str, str] = {}
    rest = iter(arguments)
    for option in rest:
        if option in VALUED:
            options[option] = next(rest)
        elif option not in FLAGS:
            print(f"Error: ParseArguments(UnexpectedArgument({option!r}))", file=sys.stderr)
            sys.exit(153)
    wanted: Json = json.loads(faults.read_text()) if faults.exists() else {}
    os._exit(asyncio.run(run(options, wanted, tuns or [])))


def _open_sink(path: str) -> int:
    return os.open(path.lstrip("/"), os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def _write(fd: int, data: bytes) -> bool:
    try:
        return os.write(fd, data) == len(data)
    except OSError:
        return False


def _check_file(path: str, otherwise: str, *, writable: bool) -> None:
    try:
        os.close(os.open(path.lstrip("/"), (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC))
    except OSError as refused:
        raise Refused(f"{otherwise}: {refused.strerror}") from refused


def _known(among: dict[str, Json], key: str, what: str) -> Json:
    if key not in among:
        raise Refused(f"Invalid {what} ID - not found.")
    return among[key]


def _merge(known: Json, body: Json) -> None:
    known.update(_merged(known, body))


def _merged(known: Json, body: Json) -> Json:
    """RFC 7396, without removal."""
    merged = dict(known)
    for key, value in body.items():
        before = known.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[key] = _merged(cast(Json, before), cast(Json, value))
        else:
            merged[key] = value
    return merged
