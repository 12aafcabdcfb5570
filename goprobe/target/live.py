"""From a pid to a process that stands still, for questions that copy memory in bulk (the heap).

    with stopped_target(pid) as stopped:
        stopped.world.goroutines.all
        stopped.release()         # the target runs again; what was read stays
    stopped.pause_us

Everything that does not need the target to stand still (its executable, layouts, roots) is made
ready before it is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping as MappingOf
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Union, overload

import msgspec

from goprobe.errors import StopTooLongError
from goprobe.process.memory.memory import Memory, PageCache, ProcessMemory
from goprobe.process.proc.identity import ProcessIdentity, identify
from goprobe.process.proc.maps import Mapping, read_maps
from goprobe.process.proc.ownnumbers import by_own_number
from goprobe.process.proc.procfs import number_of_threads, resident_bytes
from goprobe.process.ptrace.priority import import_numpy
from goprobe.process.ptrace.stop import StoppedProcess, stopped
from goprobe.process.ptrace.stoplimit import NO_LIMIT, check, estimate
from goprobe.runtime.image.goimage import GoImage
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.world import ThreadState, World
from goprobe.target.goimages import go_images
from goprobe.target.goprocess import GoProcess

if TYPE_CHECKING:
    from goprobe.target.core import CoreTarget  # most questions are not asked of cores

PATIENCE = 5.0


class Target(msgspec.Struct, frozen=True):
    """A running Go process before any stop: who it is, and its binary, opened.

    `beside` are other Go programs in the same process; it may stand still for `max_stop` seconds at
    a time.
    """

    identity: ProcessIdentity
    program: GoProgram
    bias: int
    beside: tuple[GoImage, ...] = ()
    max_stop: float = NO_LIMIT
    is_core: ClassVar[Literal[False]] = False

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is wrong with the binary, as far as is known by now."""
        return self.program.contradictions

    @property
    def layout(self) -> Layout:
        return self.program.facts.layout

    @property
    def process(self) -> GoProcess:
        return GoProcess(self.pid, self.program, self.bias, self.beside)

    def reader(self) -> ProcessMemory:
        """Its memory as it runs."""
        return ProcessMemory(self.pid)

    def root(self, name: str) -> int:
        """Where one of the runtime's globals is in the process; KeyError where it is unknown."""
        return self.program.facts.roots[name] + self.bias

    def world(
        self,
        memory: Memory,
        mappings: tuple[Mapping, ...],
        threads: MappingOf[int, ThreadState] = MappingProxyType({}),
    ) -> World:
        """The process as these show it."""
        return self.process.world(memory, mappings, threads)


def open_target(
    pid: int, *, assume_go: str = "", image: str = "", max_stop: float = NO_LIMIT
) -> Target:
    """The process and its binary, be it deleted, replaced or in another mount namespace.

    A stripped binary's runtime is found in the running process; `assume_go` ("1.27") names the
    release whose layout it is read by, where goprobe does not know its own. Where the executable
    is no Go program, a library in the process may be one; `image` names which, of several. Raises
    UsageError (no such process, no Go program), NotGoError, NotPermittedError, TargetGoneError.
    """
    identity = identify(pid)
    memory = ProcessMemory(pid)

    def complete(image: GoImage) -> None:
        if image.program.stripped:
            import_numpy()
            from goprobe.runtime.stripped import stripped_facts  # brings numpy along

            facts = stripped_facts(image.program, memory, image.bias, shown_by=f"{identity.uid}")
            image.program.adopt(facts)
        _ = image.program.facts

    first, *others = go_images(
        identity, read_maps(pid), memory, complete, assume_go=assume_go, wanted=image
    )
    return Target(identity, first.program, first.bias, tuple(others), max_stop)


class StoppedTarget:
    """A target that stands still until `release`, and what of it can be asked."""

    def __init__(self, target: Target, process: StoppedProcess) -> None:
        self.target = target
        self._process = process

    @property
    def process(self) -> StoppedProcess:
        return self._process

    @property
    def memory(self) -> Memory:
        """The target's memory, uncached."""
        return self._process.memory

    @cached_property
    def world(self) -> World:
        """The process as it stands; its mappings are read when this is first asked for."""
        pid, process = self.target.pid, self._process
        own = by_own_number(pid, process.threads)
        return self.target.world(PageCache(process.memory), read_maps(pid), own)

    @property
    def released(self) -> bool:
        return self._process.released

    def release(self) -> None:
        """Let the target go on: only what was read already is of that moment."""
        self._process.release()

    @property
    def pause_us(self) -> int:
        """How long the target stood still, in microseconds; so far, while it still does."""
        return self._process.pause_us


class StoppedCore:
    """A core file, which stands still for ever."""

    released = False
    pause_us = 0
    at = 0

    def __init__(self, target: CoreTarget) -> None:
        self.target = target
        self.memory: Memory = target.core

    @cached_property
    def world(self) -> World:
        return self.target.world()

    def release(self) -> None:
        """Nothing waits."""


class StoppedChild:
    """A copy-on-write child of a target that runs on: it stands still for as long as one likes."""

    released = True

    def __init__(
        self, target: Target, world: World, memory: Memory, pause_us: int, at: int
    ) -> None:
        """`at` is when the target stood still, on its own clock (see `runtime_clock`)."""
        self.target = target
        self.at = at
        self.world = world
        self.memory = memory
        self.pause_us = pause_us

    def release(self) -> None:
        """The target runs already."""


def runtime_clock() -> int:
    """The runtime's clock (nanotime: CLOCK_MONOTONIC) now, in nanoseconds."""
    return time.monotonic_ns()


AnyTarget = Union[Target, "CoreTarget"]
AnyStopped = StoppedTarget | StoppedCore | StoppedChild


@overload
def stopped_target(
    target: int | Target, *, timeout: float = PATIENCE
) -> AbstractContextManager[StoppedTarget]: ...
@overload
def stopped_target(
    target: AnyTarget, *, timeout: float = PATIENCE
) -> AbstractContextManager[AnyStopped]: ...
def stopped_target(
    target: int | AnyTarget, *, timeout: float = PATIENCE
) -> AbstractContextManager[Any]:
    """A Go process that stands still. `timeout` (seconds) bounds the wait for it to stand.

    Raises what `open_target` raises, and TargetTimeoutError.
    """
    opened = open_target(target) if isinstance(target, int) else target
    if opened.is_core:
        return nullcontext(StoppedCore(opened))
    return _stopped(opened, timeout)


@contextmanager
def _stopped(target: Target, timeout: float) -> Iterator[StoppedTarget]:
    limit, identity = target.max_stop, target.identity
    with stopped(target.pid, timeout=timeout, identity=identity, limit=limit) as process:
        yield StoppedTarget(target, process)


def allow(target: Target, what: str, *, copied: int = 0, forked: int = 0) -> None:
    """Raises StopTooLongError where a stop in which so much is done would be longer than the user
    allows."""
    if target.max_stop != NO_LIMIT:
        threads = number_of_threads(target.pid)
        check(target.pid, target.max_stop, estimate(threads, copied=copied, forked=forked), what)


@contextmanager
def forked_child(
    target: Target, *, timeout: float = PATIENCE, beside: int = 0
) -> Iterator[StoppedChild]:
    """A copy-on-write child of the process, which itself stands still only while that is made, and
    `beside` which we take so many bytes.

    Raises NoForkError where none can be made safely, and what `open_target` raises.
    """
    from goprobe.process.fork.plan import NoForkError, plan_fork
    from goprobe.process.fork.snapshot import forked

    plan = plan_fork(target.pid, beside)
    try:
        allow(target, "to be forked", forked=resident_bytes(target.pid))
    except StopTooLongError as error:
        raise NoForkError(error.message) from None
    with ExitStack() as kept_open:
        with stopped_target(target, timeout=timeout) as stopped:
            child = kept_open.enter_context(forked(stopped.process, plan))
            pause_us, at = stopped.pause_us, runtime_clock()
        own = by_own_number(target.pid, child.threads)
        world = target.world(PageCache(child.memory), read_maps(child.pid), own)
        yield StoppedChild(target, world, child.memory, pause_us, at)
