"""Ask a running process one question, holding it still only while memory is copied.

    answer = query(target, lambda world: Locator(world).locate(address))

The question is first rehearsed on the running process to learn which pages it reads; see
process/memory/rehearsal.py. So it may chase pointers at leisure: the stop costs one batch of reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

import msgspec

from goprobe.errors import telling
from goprobe.process.memory.memory import PageCache, ProcessMemory
from goprobe.process.memory.rehearsal import CopyPlan, MissedError, NotingMemory
from goprobe.process.proc.maps import maps_text, parse_maps, read_maps
from goprobe.process.proc.ownnumbers import by_own_number
from goprobe.process.ptrace.stop import stopped
from goprobe.runtime.world import ThreadState, World
from goprobe.target.live import PATIENCE, AnyTarget, Target

T = TypeVar("T")
_ATTEMPTS = 3


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """An answer of one moment; `pause_us` is how long the target stood still for it."""

    value: T
    pause_us: int


def query(target: AnyTarget, question: Callable[[World], T]) -> Answer[T]:
    """All that the answer reads is of one stop.

    Where the process changes faster than a rehearsal can follow, it is held while the question
    is asked. Raises what `question` raises (UnreadableError as CannotWorkError), TargetGoneError,
    TargetTimeoutError, NotPermittedError.
    """
    with telling(f"the memory of process {target.pid}"):
        if target.is_core:
            return Answer(question(target.world()), 0)
        memory = ProcessMemory(target.pid)
        try:
            return _query(target, question, memory)
        finally:
            memory.close()


def _query(target: Target, question: Callable[[World], T], memory: ProcessMemory) -> Answer[T]:
    pid = target.pid
    still = partial(stopped, pid, timeout=PATIENCE, identity=target.identity, limit=target.max_stop)
    noted = NotingMemory(memory)
    own: Mapping[int, ThreadState] = {}
    for _ in range(_ATTEMPTS):
        # What a process in motion makes of it is thrown away, errors too: only the pages count.
        # Where threads are, and what they lead to, is only known from the last stop on.
        with suppress(Exception):
            question(target.world(noted, read_maps(pid), own))
        plan = CopyPlan(noted.ranges)
        with still() as process:
            copy, text = plan.take(process.memory), maps_text(pid)
            process.release()
            threads, pause = process.threads, process.pause_us
        try:
            own = by_own_number(pid, threads)
            world = target.world(copy, parse_maps(text), own)
            return Answer(question(world), pause)
        except MissedError as missed:
            noted.note(missed.address, missed.size)
    with still() as process:
        cache = PageCache(process.memory)
        own = by_own_number(pid, process.threads)
        value = question(target.world(cache, read_maps(pid), own))
        process.release()
        return Answer(value, process.pause_us)
