"""Being quick where it counts: ahead of other threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_ORDINARY = (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE)


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
