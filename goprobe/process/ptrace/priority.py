"""Whose turn it is: behind other threads in general, ahead of them where it counts."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from goprobe.errors import CannotWorkError

_NUMPY = 192 << 20  # bytes of address space
_THREADS = "OPENBLAS_NUM_THREADS"
_ORDINARY = (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE)


def step_back() -> None:
    """Let every other thread that wakes up go before this process; what it starts is not bound.

    Beside its stop, that is what a program on the same processors feels of us.
    """
    if os.sched_getscheduler(0) == os.SCHED_OTHER:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def import_numpy() -> None:
    """Its linear algebra, which nobody needs here, would start a thread on every processor; the
    target would feel it more than the stop itself, and signals would reach it. Where it is ours
    alone, its arrays go back to the system early (see `arrays`).

    Raises CannotWorkError where there is no room: its C code would end us without a word.
    """
    if "numpy" in sys.modules:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _NUMPY:
        raise CannotWorkError(
            f"goprobe may use only {limit >> 20} MiB of address space here, and this takes more",
            hint="ulimit -v unlimited lifts the limit of this shell",
        )
    known = os.environ.get(_THREADS)
    os.environ.setdefault(_THREADS, "1")
    import numpy  # noqa: F401

    from goprobe.process.memory.arrays import give_back_large_arrays

    give_back_large_arrays()
    if known is None:  # programs that we start are not to see it
        del os.environ[_THREADS]


@contextmanager
def first_in_line() -> Iterator[None]:
    """Let this thread run before all ordinary ones, where the kernel permits it.

    A busy thread of the target that goes on while others still wait for us would otherwise take
    our processor for milliseconds. Never wait for the target inside: it could not run.
    """
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    raised = policy & ~os.SCHED_RESET_ON_FORK in _ORDINARY
    try:
        if raised:
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        raised = False
    try:
        yield
    finally:
        if raised:
            os.sched_setscheduler(0, policy, param)
