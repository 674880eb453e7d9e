"""Rate limiters of a real guest: what was asked for against what passes, each for half a minute, bursts left out.

Disks: a program in the guest reads or writes a drive past its page cache as fast as it can. Networks: one TCP
connection from this machine to the guest, each direction. All in a network namespace of its own, so it takes root.

    python -m benchmarks limits [--seconds N]
"""

import argparse
import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pyroute2 import IPRoute

from benchmarks._platform import Platform, checked, platform
from nexus.local.firstrun import guest_init
from nexus.local.images import build

CLONE_NEWNET = 0x40000000
WITHIN = 0.15
WARM_UP_S = 3.0
MB, MBIT = 1_000_000, 125_000
DEVICE_BYTES = 256 << 20
PORT = 7000

DISK = """
import json, mmap, os, sys, time
way, block, seconds, warm_up = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
name = next(d for d in sorted(os.listdir("/sys/block")) if open(f"/sys/block/{d}/serial").read().strip() == "data")
fd = os.open(f"/dev/{name}", os.O_RDWR | os.O_DIRECT)
buffer = mmap.mmap(-1, block)
size, at, count = os.lseek(fd, 0, os.SEEK_END), 0, 0
begun = time.monotonic() + warm_up
while (now := time.monotonic()) < begun + seconds:
    (os.pwritev if way == "write" else os.preadv)(fd, [buffer], at)
    at = (at + block) % size
    if time.monotonic() >= begun:
        count += 1
print(json.dumps({"count": count, "seconds": time.monotonic() - begun}))
"""
STAY = """
import subprocess, sys
none = subprocess.DEVNULL
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], start_new_session=True, stdin=none, stdout=none, stderr=none)
"""
SERVE = """
import socket, sys, threading
def serve(peer):
    way = peer.recv(1)
    try:
        while peer.recv(65536) if way == b"r" else peer.send(bytes(65536)):
            pass
    except OSError:
        pass
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks limits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long each is measured")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("takes root: it makes a network namespace")
        return
    images = _images()
    _leave_network()
    with platform(AGENT_NETWORK="bridge", MANAGER_IMAGE_ROOT=str(images)) as here:
        vm = _guest(here)
        missed = [*_disks(here, vm, options.seconds), *_networks(here, vm, options.seconds)]
    sys.exit(f"beyond {WITHIN:.0%}: {', '.join(missed)}" if missed else 0)


def _images() -> Path:
    """Made, or found where tests keep theirs, while there is a network."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nexus/test-images"
    build(out=home / "images", cache=home / "cache", guest_init=guest_init())
    return home / "images"


def _leave_network() -> None:
    """Be in a network namespace of our own from now on, with all we start."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network namespace can be made")
    with IPRoute() as netlink:
        cast(Any, netlink).link("set", index=1, state="up")


def _guest(here: Platform) -> str:
    vm = str(checked(here.http.post("/v1/vms", json={"name": "limits-1", "mem_mib": 256}, params={"wait": 60}))["id"])
    drive = {"drive_id": "data", "size_bytes": DEVICE_BYTES, "format": "raw"}
    checked(here.http.post(f"/v1/vms/{vm}/drives", json=drive))
    checked(here.http.post(f"/v1/vms/{vm}/reboot", params={"wait": 60}))
    return vm


def _disks(here: Platform, vm: str, seconds: float) -> list[str]:
    missed: list[str] = []
    for way in ("read", "write"):
        for name, block, size in (("bandwidth", 65536, 4 * MB), ("bandwidth", 65536, 20 * MB), ("ops", 4096, 100)):
            bucket = {name: {"size": size // 10, "refill_time": 100}}
            _apply(here, f"/v1/vms/{vm}/drives/data", {"rate_limiter": bucket})
            per_second = _disk_rate(here, vm, way, block, seconds) / (1 if name == "bandwidth" else block)
            missed += _tell(f"disk {way} {name}", size, per_second, unit="B" if name == "bandwidth" else "op")
        _apply(here, f"/v1/vms/{vm}/drives/data", {"rate_limiter": None})
        print(f"disk {way}, not limited: {_disk_rate(here, vm, way, 65536, 5):,.0f} B/s", flush=True)
    return missed


def _disk_rate(here: Platform, vm: str, way: str, block: int, seconds: float) -> float:
    """Bytes per second that the guest reads or writes, `block` at a time."""
    ran = _exec(here, vm, [way, str(block), str(seconds), str(WARM_UP_S)])
    return ran["count"] * block / ran["seconds"]


def _networks(here: Platform, vm: str, seconds: float) -> list[str]:
    missed: list[str] = []
    nic = checked(here.http.get(f"/v1/vms/{vm}/nics/eth0"))["item"]
    checked(here.http.post(f"/v1/vms/{vm}/exec", json={"argv": ["python3", "-c", STAY, SERVE, str(PORT)]}))
    ways: tuple[tuple[str, Callable[[socket.socket, float], float]], ...] = (("rx", _send), ("tx", _receive))
    for way, measure in ways:
        for rate in (10 * MBIT, 40 * MBIT):
            limiter = {"bandwidth": {"size": rate // 10, "refill_time": 100}}
            none = {"rx_rate_limiter": None, "tx_rate_limiter": None}
            _apply(here, f"/v1/vms/{vm}/nics/eth0", none | {f"{way}_rate_limiter": limiter})
            with _connection(nic["address"]) as guest:
                missed += _tell(f"network {way}", rate, measure(guest, seconds), unit="B")
    return missed


def _apply(here: Platform, path: str, changes: dict[str, Any]) -> None:
    applied = checked(here.http.patch(path, json=changes))["applied"]
    if applied != "now":
        raise RuntimeError(f"{path} was not changed at once, but: {applied}")


def _exec(here: Platform, vm: str, arguments: list[str]) -> dict[str, float]:
    body = {"argv": ["python3", "-c", DISK, *arguments], "timeout_s": 300}
    ran = checked(here.http.post(f"/v1/vms/{vm}/exec", json=body, timeout=330))
    if ran["exit_code"] != 0:
        raise RuntimeError(f"the program in the guest failed: {ran['stderr']}")
    return json.loads(ran["stdout"])


def _connection(address: str) -> socket.socket:
    """To the program in the guest, as soon as it listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((address, PORT), timeout=30)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _send(guest: socket.socket, seconds: float) -> float:
    """Bytes per second that the guest takes: what is on its way is soon always as much."""
    guest.sendall(b"r")
    return _rate(lambda: guest.send(bytes(65536)), seconds)


def _receive(guest: socket.socket, seconds: float) -> float:
    guest.sendall(b"s")
    return _rate(lambda: len(guest.recv(65536)), seconds)


def _rate(move: Callable[[], int], seconds: float) -> float:
    begun = time.monotonic() + WARM_UP_S
    moved = 0
    while (now := time.monotonic()) < begun + seconds:
        some = move()
        moved += some if now >= begun else 0
    return moved / (time.monotonic() - begun)


def _tell(what: str, asked: float, measured: float, *, unit: str) -> list[str]:
    """The name of what was not kept, if it was not."""
    ratio = measured / asked
    print(f"{what:<22} asked {asked:>12,.0f} {unit}/s   measured {measured:>12,.0f} {unit}/s   {ratio:.3f}", flush=True)
    return [] if abs(ratio - 1) <= WITHIN else [what]


if __name__ == "__main__":
    main()
