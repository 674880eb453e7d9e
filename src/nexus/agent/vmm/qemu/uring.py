"""Whether this kernel lets us use io_uring, found out by trying: kernels can be built without it, and hosts forbid it
(sysctl kernel.io_uring_disabled)."""

import ctypes
import os

IO_URING_SETUP = 425
"""The same number on every architecture (asm-generic/unistd.h)."""
PARAMS_BYTES = 120
"""struct io_uring_params, all zero: no options."""


def has_io_uring() -> bool:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    fd = int(syscall(IO_URING_SETUP, 1, ctypes.create_string_buffer(PARAMS_BYTES)))
    if fd < 0:
        return False
    os.close(fd)
    return True
