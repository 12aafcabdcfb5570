"""What holds of a process's threads: the kernel's against the runtime's own list of them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from goprobe.analysis.audit import check
from goprobe.counts import counted
from goprobe.runtime.world import World


class Threads(msgspec.Struct, frozen=True):
    """How many the kernel has, and how many of them the runtime lists; equal where the process
    may have threads that are not Go's."""

    all: int = 0
    known: int = 0


def threads_of(world: World) -> Threads:
    """C code may start threads of its own: only a program that was built without says more."""
    here = set(world.threads)
    if world.program.info.settings.get("CGO_ENABLED") != "0":
        return Threads(len(here), len(here))
    return Threads(len(here), len(here & {thread.tid for thread in world.goroutines.threads}))


@check("the runtime's list of threads has the threads of the process")
def threads_known(threads: Threads) -> Iterator[str]:
    # Some may be about to begin or to end, and so be in one of the two only.
    if 2 * threads.known < threads.all:
        yield f"the runtime lists {threads.known} of {counted(threads.all, 'thread')}"
