"""Loops over millions of numbers, one after the other: compiled where numba is there.

    @loop
    def add_up(parents, total): ...

    add_up(parents, total)

Such functions are given arrays, change them, and use nothing but indexes and whole numbers. Where
there is little to do, or no numba (an optional extra), they run as plain Python; what they do is
the same. They are compiled once, into the cache: all those of a heap in 10 s of processor time on a
busy machine, half of which is the flow of types (m); `first_time` tells of it. From then on they
are run without numba, and on smaller heaps, too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import resource
import sys
from collections.abc import Callable, MutableSequence
from enum import IntEnum
from functools import cache
from pathlib import Path

import numpy as np

from goprobe import nativecode
from goprobe.cachefolder import cache_folder, prune
from goprobe.nativecode import Array, Native

_WORTH_IT = 1 << 18  # below it Python is done before a loop is compiled (m: 1 s each)
_LOADED = 64  # of code that is there already so many times less is enough (m: 0.6 ms to load)
_ROOM = 4 << 30  # address space
_FOLDER = "loops"
_SUFFIX = ".code"

Row = MutableSequence[int]
"""What a loop sees of an array."""


class Effort(IntEnum):
    """What may be done so that a loop is fast: nothing, run what was compiled before, compile."""

    NONE = 0
    LOAD = 1
    COMPILE = 2


class Loop:
    """A function that is compiled when there is enough for it to do."""

    def __init__(self, function: Callable[..., int]) -> None:
        self._function = function
        self._fast: dict[str, Native | None] = {}

    def __call__(self, *arguments: Array | int) -> int:
        size = max((len(a) for a in arguments if not isinstance(a, int)), default=0)
        return self.run(*arguments, effort=effort(size))

    def run(self, *arguments: Array | int, effort: Effort) -> int:
        """With such an effort, whatever room the arguments have for more."""
        if effort and (native := self._native(nativecode.signature(arguments), effort)):
            return native(*arguments)
        # Python reads a memoryview three times as fast as an array.
        plain = (a if isinstance(a, int) else a.data for a in arguments)
        return self._function(*plain)

    @property
    def was_compiled(self) -> bool:
        """Whether its code lies in the cache, for arguments of any kinds."""
        name, _, _ = self._key("").rpartition("-")
        return any(cache_folder(_FOLDER, runs=True).glob(f"{name}-*{_SUFFIX}"))

    def _native(self, kinds: str, effort: Effort) -> Native | None:
        native = self._fast.get(kinds)
        if native is None and (kinds not in self._fast or effort is Effort.COMPILE):
            path = cache_folder(_FOLDER, runs=True) / (self._key(kinds) + _SUFFIX)
            native = nativecode.load(path)
            if native is None and effort is Effort.COMPILE:
                native = _made(self._function, kinds, path)
            self._fast[kinds] = native
        return native

    def _key(self, kinds: str) -> str:
        """The name of code that does what this function does now."""
        code, known = self._function.__code__, self._function.__globals__
        used = [(name, known[name]) for name in code.co_names if isinstance(known.get(name), int)]
        said = (code.co_code, code.co_consts, code.co_varnames, used)
        about = (platform.machine(), sys.version_info[:2], said)
        digests = (hashlib.sha256(repr(x).encode()).hexdigest()[:12] for x in (about, kinds))
        return f"{code.co_name}-{'-'.join(digests)}"


def loop(function: Callable[..., int]) -> Loop:
    return Loop(function)


def effort(size: int) -> Effort:
    """What loops over so many numbers are worth here."""
    if size * _LOADED < _WORTH_IT or not _available():
        return Effort.NONE
    return Effort.COMPILE if size >= _WORTH_IT else Effort.LOAD


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
        cache_folder(_FOLDER, runs=True)
    except OSError:
        return False
    return True


def first_time(size: int, loop: Loop) -> str:
    """What those who wait are to be told where a loop over so many numbers is going to be compiled;
    "" where it was before."""
    if effort(size) is not Effort.COMPILE or loop.was_compiled:
        return ""
    return " (which is compiled first: this once, it takes some seconds)"


def _made(function: Callable[..., int], kinds: str, path: Path) -> Native | None:
    """None where numba cannot be loaded after all."""
    try:
        if _callable_as_ours() and (native := _kept(function, kinds, path)):
            return native
        import numba

        made: Native = numba.njit(error_model="numpy")(function)
    except (ImportError, OSError, MemoryError):
        return None
    return made


def _kept(function: Callable[..., int], kinds: str, path: Path) -> Native | None:
    code = nativecode.compiled(function, kinds)
    if code is None:
        return None
    nativecode.save(path, code)
    prune(path.parent)
    return nativecode.load(path)


@cache
def _callable_as_ours() -> bool:
    """Whether this numba makes code that can be called as we do: tried out."""
    values, small = np.arange(9, dtype=np.int64), np.arange(9, dtype=np.int32)
    kinds = nativecode.signature((values, small, 7))
    native = _kept(_probe, kinds, cache_folder(_FOLDER, runs=True) / f"probe{_SUFFIX}")
    return native is not None and native(values, small, 7) == 24 and values.sum() == 36 + 3 * 21


def _probe(values: Row, small: Row, count: int) -> int:
    for i in range(count):
        values[i] += small[i] * 3
    return values[count - 1]
