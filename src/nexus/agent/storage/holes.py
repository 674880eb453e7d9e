"""Giving parts of files back to where they are stored; what is read there afterwards is zeros."""

import ctypes
import os

PUNCH_HOLE_KEEP_SIZE = 0x03
"""FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, linux/falloc.h"""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def punch_hole(fd: int, at: int, length: int) -> None:
    """Have nothing in `length` bytes from `at` of an open file. Raises OSError."""
    if _libc.fallocate(fd, PUNCH_HOLE_KEEP_SIZE, at, length) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
