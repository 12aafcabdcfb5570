"""The Python face of a running process: `goprobe.attach(pid)`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from goprobe.analysis.calls.calls import CallsRequest, CallWatch
from goprobe.analysis.goroutines.chosen import Chosen
from goprobe.analysis.goroutines.filled import clock
from goprobe.analysis.goroutines.goroutines import goroutine_states
from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.memorymap import memory_map
from goprobe.analysis.locate.where import where, whereabouts
from goprobe.analysis.trace.prepare import Launch
from goprobe.api.calls import Call, calls_wanted
from goprobe.api.script.live import LiveDriver
from goprobe.api.script.program import Condition, Program
from goprobe.api.script.stop import Stop
from goprobe.errors import UsageError
from goprobe.model.attached import (
    GoroutinesReport,
    GoroutineState,
    MapsReport,
    Whereabouts,
    WhereReport,
)
from goprobe.model.calls import CallRecord
from goprobe.model.heap import HeapReport
from goprobe.model.location import Region
from goprobe.model.memory import MemoryReport
from goprobe.process.calltracer.plan import After
from goprobe.process.ptrace.stoplimit import NO_LIMIT
from goprobe.runtime.world import World
from goprobe.target.live import StoppedTarget, Target, open_target, stopped_target

if TYPE_CHECKING:
    from goprobe.api.sites import Sites


class Process:
    """A running Go process. Each question holds it still for a moment of its own."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held between questions."""

    @property
    def pid(self) -> int:
        """Its process id, in goprobe's own PID namespace."""
        return self.target.pid

    @property
    def go(self) -> str:
        """The Go release that built it ("go1.27.3")."""
        return str(self.target.program.go)

    def where(self, *addresses: int) -> WhereReport:
        """What each address is: all its identities, most specific first."""
        return where(self.target, addresses)

    def maps(self) -> MapsReport:
        """Its memory as Go uses it."""
        return maps(self.target)

    def goroutines(
        self,
        *,
        stacks: bool = False,
        locals: bool = False,  # noqa: A002
        waits: bool = False,
        within: str = "",
        state: str = "",
        older: float = 0.0,
        ids: Collection[int] = (),
        labels: Mapping[str, str] = MappingProxyType({}),
        user: bool = False,
    ) -> GoroutinesReport:
        """Its goroutines, grouped by identical stack; with `stacks` each with its frames, with
        `locals` with the variables of the program's own frames, with `waits` with what they wait
        on. The others choose among them, as the options of `goprobe goroutines`; `older` is in
        seconds. Raises UsageError, with the nearest names, for a function or state that the
        program cannot have."""
        from goprobe.analysis.locals.ask import GoroutineQuestions, goroutines_of

        chosen = Chosen(
            within=within,
            state=state,
            older_us=int(older * 1e6),
            ids=frozenset(ids),
            labels=tuple(labels.items()),
            user=user,
        )
        asked = GoroutineQuestions(stacks=stacks, locals=locals, waits=waits, chosen=chosen)
        return goroutines_of(self.target, asked)

    def leaked(self) -> GoroutinesReport:
        """Its goroutines that can never run again, and those of which that cannot be told."""
        from goprobe.analysis.waits.waits import leaked

        return leaked(self.target)

    def heap(
        self,
        *,
        types: bool = False,
        retained: bool = False,
        path: int = 0,
        paths: int = 1,
        referrers: int = 0,
        object: int = 0,  # noqa: A002
        dangling: bool = False,
        unreachable: bool = False,
        leaked: bool = False,
        snapshot: str = "",
    ) -> HeapReport:
        """The census of its heap, and what else is asked: as the options of `goprobe heap`."""
        from goprobe.analysis.heap.questions import HeapQuestions
        from goprobe.analysis.heapasked import heap_asked

        return heap_asked(
            self.target,
            HeapQuestions(
                types=types,
                retained=retained,
                path=path,
                paths=paths,
                referrers=referrers,
                object=object,
                dangling=dangling,
                unreachable=unreachable,
                leaked=leaked,
                snapshot=snapshot,
            ),
        )

    def sites(
        self,
        *,
        raw: bool = False,
        types: bool = False,
        retained: bool = False,
        snapshot: str = "",
    ) -> Sites:
        """Which stacks allocated what, as its runtime sampled it: the options of `goprobe heap
        --sites`."""
        from goprobe.analysis.heap.heap import heap
        from goprobe.analysis.heap.questions import HeapQuestions
        from goprobe.api.sites import Sites

        questions = HeapQuestions(
            sites=True, raw=raw, types=types, retained=retained, snapshot=snapshot
        )
        return Sites(heap(self.target, questions))

    def memory(self) -> MemoryReport:
        """What its memory is for, and why there is so much of it."""
        from goprobe.analysis.memory.memory import memory

        return memory(self.target)

    def waste(self) -> HeapReport:
        """Its heap, with the bytes of it that live and serve nobody (`report.waste`)."""
        from goprobe.analysis.heap.questions import HeapQuestions
        from goprobe.analysis.heapasked import heap_asked

        return heap_asked(self.target, HeapQuestions(waste=True))

    def calls(
        self,
        *patterns: str,
        args: bool = True,
        results: bool = True,
        stack: bool = False,
        seconds: float | None = None,
    ) -> Iterator[Call]:
        """Tell each call of the functions that match a pattern, as it ends; `main.(*Store).*` are
        all methods of a type. Only the thread that calls is stopped. When the loop is left, or
        `seconds` are over, the process runs on as it was. Raises UsageError where a pattern means
        nothing."""
        request = calls_wanted(patterns, args=args, results=results, stack=stack, seconds=seconds)
        return self._told(request)

    def _told(self, request: CallsRequest) -> Iterator[Call]:
        with CallWatch(self.target.process, request, After.GO) as watch:
            for event in watch.events():
                if isinstance(event, CallRecord):
                    yield Call(event)

    def run(
        self,
        breaks: str | Sequence[str] = (),
        *,
        when: Condition | None = None,
        goroutine: int = 0,
        timeout: float | None = None,
        gdb: str = "",
    ) -> Iterator[Stop]:
        """Stop at WHEREs under GDB, as `Program.run` does. The process runs between the stops; when
        the loop is left (or `timeout` seconds of running are over, which raises
        TargetTimeoutError) the breakpoints are taken out, and it runs on as it was. A condition
        costs a stop of GDB's each time here, which a program that goprobe started is spared.

        Raises UsageError, NoGdbError, NotPermittedError.
        """
        launch = Launch(
            target=self.target.program.elf.shown_as,
            gdb=gdb,
            timeout=timeout,
            process=self.target.process,
        )
        with Program(LiveDriver(launch)) as program:
            yield from program.run(breaks, when=when, goroutine=goroutine)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One moment to ask many questions of. The process stands still for the whole block."""
        with stopped_target(self.target) as stopped:
            yield Snapshot(stopped)


class Snapshot:
    """A process at one moment. After the block it can no longer be asked."""

    def __init__(self, stopped: StoppedTarget) -> None:
        self._stopped = stopped
        self._locator = Locator(stopped.world)

    def _world(self) -> World:
        if self._stopped.released:
            raise UsageError("the snapshot is over: its process runs again")
        return self._stopped.world

    def where(self, *addresses: int) -> tuple[Whereabouts, ...]:
        """What each address is, with all its identities."""
        return whereabouts(self._world(), addresses)

    def maps(self) -> tuple[Region, ...]:
        """The process's memory as Go uses it."""
        self._world()
        return memory_map(self._locator)

    def goroutines(self) -> tuple[GoroutineState, ...]:
        """Every goroutine that is not dead, with its frames."""
        return goroutine_states(self._world(), clock(self._stopped.target))

    def read(self, address: int, size: int) -> bytes:
        """Bytes of its memory. Raises UnreadableError."""
        return self._world().memory.read(address, size)


def attach(
    pid: int, *, assume_go: str = "", image: str = "", max_stop: float = NO_LIMIT
) -> Process:
    """A running Go process that may be asked, in a `with` or not: nothing is held between
    questions. `image` names the library to read, where there are Go programs in several; a
    question for which the process would stand still for more than `max_stop` seconds raises
    StopTooLongError.

    Raises UsageError and NotGoError (no such process, no Go program), NotPermittedError,
    CannotWorkError (a stripped program of a Go release that goprobe does not know).
    """
    return Process(open_target(pid, assume_go=assume_go, image=image, max_stop=max_stop))
