"""Loops over millions of numbers, one after the other: compiled where numba is there.

    @loop
    def add_up(parents, total): ...

    add_up(parents, total)

Such functions are given arrays, change them, and use nothing but indexes and whole numbers. Where
there is little to do, or no numba (an optional extra), they run as plain Python; what they do is
the same. They are compiled once, into the cache: up to 3 s of processor time (m), of which
`first_time` tells.
"""

from __future__ import annotations

import importlib.util
import resource
from collections.abc import Callable, MutableSequence
from functools import cache
from pathlib import PurePath
from typing import Any

import numpy as np

from goprobe.cachefolder import cache_folder

_WORTH_IT = 1 << 18  # below it Python is done before the compiled code is loaded (m: 0.3 s)
_ROOM = 4 << 30  # address space

Row = MutableSequence[int]
"""What a loop sees of an array."""


class Loop:
    """A function that is compiled when there is enough for it to do."""

    def __init__(self, function: Callable[..., int]) -> None:
        self._function = function
        self._fast: Callable[..., int] | None = None

    def __call__(self, *arguments: np.ndarray[Any, np.dtype[Any]] | int) -> int:
        size = max((len(a) for a in arguments if isinstance(a, np.ndarray)), default=0)
        return self.run(*arguments, fast=worth_compiling(size))

    @property
    def was_compiled(self) -> bool:
        """Whether it lies in the cache. numba calls folders and files there by a source file's."""
        source = PurePath(self._function.__code__.co_filename)
        pattern = f"{source.parent.name}_*/{source.stem}.{self._function.__name__}-*.nbi"
        return any(cache_folder("loops").glob(pattern))

    def run(self, *arguments: np.ndarray[Any, np.dtype[Any]] | int, fast: bool) -> int:
        """Compiled or not, whatever room the arguments have for more."""
        if fast and self._fast is None:
            self._fast = _compiled(self._function)
        if fast and self._fast is not None:
            return self._fast(*arguments)
        # Python reads a memoryview three times as fast as an array.
        plain = (a.data if isinstance(a, np.ndarray) else a for a in arguments)
        return self._function(*plain)


def loop(function: Callable[..., int]) -> Loop:
    return Loop(function)


def worth_compiling(size: int) -> bool:
    """Whether loops over so many numbers are compiled here."""
    return size >= _WORTH_IT and _available()


def installed() -> bool:
    """Whether numba is."""
    return importlib.util.find_spec("numba") is not None


@cache
def _available() -> bool:
    """Whether numba is installed, and there is room for it and for what it makes."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if not installed() or 0 <= limit < _ROOM:
        return False
    try:
        cache_folder("loops")
    except OSError:
        return False
    return True


def first_time(size: int, loop: Loop) -> str:
    """What those who wait are to be told where a loop over so many numbers is going to be compiled;
    "" where it was before."""
    if not worth_compiling(size) or loop.was_compiled:
        return ""
    return " (which is compiled first: this once, it takes some seconds)"


def _compiled(function: Callable[..., int]) -> Callable[..., int] | None:
    """None where numba cannot be loaded after all."""
    try:
        import numba
    except (ImportError, OSError, MemoryError):
        return None
    vars(numba.config)["CACHE_DIR"] = str(cache_folder("loops"))
    made: Callable[..., int] = numba.njit(cache=True, boundscheck=False)(function)
    return made
