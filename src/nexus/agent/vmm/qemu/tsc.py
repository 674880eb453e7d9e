"""The host's TSC frequency, which an emulated guest must be told (see `config`).

Under software emulation the guest's time stamp counter is the host's. It is read here by the instruction itself, from
a page of executable memory, against CLOCK_MONOTONIC_RAW.
"""

import ctypes
import mmap
import time
from functools import cache

RDTSC = bytes.fromhex("0f3148c1e2204809d0c3")
"""rdtsc; shl rdx, 32; or rax, rdx; ret"""
SPAN_S = 0.02


@cache
def measure_khz() -> int:
    """Ticks per millisecond, measured over 20 ms, once per process."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(RDTSC)
    window = ctypes.c_char.from_buffer(page)
    read_tsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(window))
    at, ticks = _sample(read_tsc)
    time.sleep(SPAN_S)
    later_at, later_ticks = _sample(read_tsc)
    return round((later_ticks - ticks) * 1_000_000 / (later_at - at))


def _sample(read_tsc: "ctypes._CFunctionType") -> tuple[int, int]:  # pyright: ignore[reportPrivateUsage]
    """(nanoseconds, ticks) of the tightest of 50 pairs of readings, lest a preemption in between counts."""
    best: tuple[int, int, int] | None = None
    for _ in range(50):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        ticks = read_tsc()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        if best is None or after - before < best[0]:
            best = (after - before, (before + after) // 2, ticks)
    assert best is not None
    return best[1], best[2]
