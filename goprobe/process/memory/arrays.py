"""How this process's own memory goes back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD: glibc's malloc.h
_LARGE = 1 << 20  # (m: at 1 MB a heap of a million objects takes a third less than at 32)
_SPARE = 8 << 20  # (m: half as many page faults, and 1 MB more at the peak)


def give_back_small_arrays() -> None:
    """Has the memory go back of many smaller ones that are free by now."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def give_back_large_arrays() -> None:
    """Has memory of a megabyte and more go back as soon as it is free.

    glibc takes the size of whatever went back for the least that will, up to 32 MB; so after a few
    large arrays all others stay, in pieces. Smaller ones stay for whoever wants some next: told of
    the one, glibc gives all but 128 kB of what is free at the heap's end back each time, and to
    fault it in again took a third of a question's time (m). Does nothing where the C library is
    another one.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _SPARE)
