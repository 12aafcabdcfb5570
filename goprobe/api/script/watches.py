"""Watches of a script: bytes of any place and length, under the processor's few watchpoints.

The processor watches aligned words of 8 bytes; whether watched bytes in them changed is compared
here, so a write beside them stops nobody. It does not see what the kernel writes (read(2) into a
buffer): such a change is told at the next stop.

Bytes on a goroutine's stack are followed when the stack moves: runtime.copystack(gp, newsize)
(src/runtime/stack.go, Go 1.21 to 1.27) copies it and sets gp.stack before it returns; gp arrives
in RAX. From its entry to its return they are not watched: the old stack is free by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from goprobe.analysis.ownership import is_own_code
from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.api.script.watched import (
    WATCHES,
    WORD,
    Notice,
    OnStack,
    WatchedBytes,
    has_left,
    has_returned,
    on_stack,
)
from goprobe.arch.registers import FIRST_ARGUMENT, PC, SP
from goprobe.counts import counted
from goprobe.errors import UnreadableError, UsageError
from goprobe.model.calls import CallFrame
from goprobe.model.script import WatchNews
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.goroutines.goroutines import Goroutine

_COPYSTACK = "runtime.copystack"


class Watches:
    """All watches of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._watched: dict[int, WatchedBytes] = {}
        self._made = 0
        self._runs: dict[range, int] = {}  # watched words that lie together, to GDB's numbers
        self._stops: dict[int, int] = {}  # addresses of code where we stop to GDB's numbers
        self._ours: set[int] = set()  # every number that GDB ever gave us
        self._moving: dict[int, int] = {}  # kernel threads in copystack to the g that moves
        self._arrivals: dict[int, tuple[int, list[Notice]]] = {}  # where a g runs on after its move
        copystack = session.program.lines.function_named(_COPYSTACK)
        self._entry = copystack.entry + session.bias if copystack else 0

    def add(
        self, view: StopView, address: int, size: int, element: int = 0,
        headers: tuple[tuple[int, int], ...] = (),
    ) -> int:  # fmt: skip
        """Watch `size` bytes, with `element` what they lead to as a header, too; `headers` are
        offsets and sizes of what is written together. Returns the watch's number. Raises
        UsageError where nothing is mapped or the processor has too few watchpoints left."""
        if not 0 < size <= WATCHES * WORD:
            raise UsageError(
                f"cannot watch {counted(size, 'byte')}: the processor's {WATCHES} hardware "
                f"watchpoints hold {WORD} bytes each"
            )
        try:
            content = view.world.memory.read(address, size)
        except (UnreadableError, OverflowError):
            raise UsageError(f"cannot watch {address:#x}: nothing is mapped there") from None
        watched = WatchedBytes(address, size, content, on_stack(view, address), element, headers)
        with suppress(UnreadableError):
            watched.follow(view.world.memory)
        free = WATCHES - len(self._wanted())
        new = set(watched.own) - self._wanted()
        if len(new) > free:
            raise UsageError(
                f"watching {counted(size, 'byte')} at {address:#x} needs "
                f"{counted(len(new), 'hardware watchpoint')}; {free} of the processor's {WATCHES} "
                "are free"
            )
        self._made += 1
        if not self._watched:
            self._session.count_watch_hits(True)
        self._watched[self._made] = watched
        self._arm()
        return self._made

    def remove(self, number: int) -> None:
        """Watch it no more; a number that is gone already is no error."""
        if self._watched.pop(number, None) and self._session.runs:
            self._arm()
            if not self._watched:
                self._session.count_watch_hits(False)

    @property
    def active(self) -> bool:
        return bool(self._watched or self._runs or self._stops)

    @property
    def addresses(self) -> dict[int, int]:
        """Where the bytes of each watch lie by now."""
        return {number: w.address for number, w in self._watched.items()}

    @property
    def uncovered(self) -> set[int]:
        """Watches of which the processor does not watch all: what a header leads to is compared at
        each stop alone."""
        return {number for number, w in self._watched.items() if not w.data_is_watched}

    def is_ours(self, event: StopEvent) -> bool:
        """Whether GDB stopped for a watch, and not for what the script broke at."""
        return event.breakpoint in self._ours

    def look(self, view: StopView, event: StopEvent) -> tuple[Notice, ...]:
        """What a stop means for the watches, each that has something to tell; none where nothing
        watched changed."""
        if not self._watched:
            return ()
        notices = self._followed(view)
        for number, watched in list(self._watched.items()):
            if not watched.paused and (told := self._compared(view, number, watched)):
                notices.append(told)
        first = self._with_writers(notices[-1] if notices else None, event)
        self._arm()
        return (first, *notices[:-1]) if first else ()

    def _with_writers(self, told: Notice | None, event: StopEvent) -> Notice | None:
        """Several threads may write in one instant: GDB tells of the first, and of another only
        where the value changes again after that. The debug registers know of all, and each at the
        first stop after its write: GDB may tell of it once more."""
        hits = self._session.watch_hits
        if told is None and event.thread in hits:
            told = self._undone(event)
        if told is None or told.news is not WatchNews.WRITE:
            return told
        others = tuple(sorted(hits - {event.thread}))
        return replace(told, writers=others, own=event.thread in hits or not hits)

    def _undone(self, event: StopEvent) -> Notice | None:
        """Of a write after which GDB has seen another value than is there now: one that is there
        was told at the stop before, or has not changed."""
        word = next((run.start for run, n in self._runs.items() if n == event.breakpoint), 0)
        number, watched = next(
            ((n, w) for n, w in self._watched.items() if word in w.words), (0, None)
        )
        if watched is None or event.new is None or not watched.is_whole_words:
            return None  # GDB tells the value of one word alone
        at = word - watched.address
        content = watched.content[at : at + WORD] if at in range(watched.size) else b""
        if not content or content == (event.new % (1 << 64)).to_bytes(WORD, "little"):
            return None
        return Notice(number, f"{self._written(number)}, undone in the same instant")

    def second(self, number: int) -> Notice:
        """Of another thread that wrote in the same instant."""
        return Notice(number, f"{self._written(number)}, in the same instant")

    def _written(self, number: int) -> str:
        watched = self._watched.get(number)
        return f"a write to {watched.address:#x}" if watched else "a write to what was watched"

    def _compared(self, view: StopView, number: int, watched: WatchedBytes) -> Notice | None:
        memory, at = view.world.memory, f"{watched.address:#x}"
        try:
            content = memory.read(watched.address, watched.size)
        except UnreadableError:
            del self._watched[number]
            return Notice(number, f"the watched memory at {at} is no longer mapped", WatchNews.OVER)
        stack, same = watched.stack, content == watched.content
        if stack and (has_returned(view, stack) or (not same and has_left(view, stack))):
            del self._watched[number]
            return Notice(
                number,
                f"the watch at {at} is over: the frame of {stack.function} has returned",
                WatchNews.OVER,
            )
        if same:
            return self._compared_data(view, number, watched)
        watched.before, watched.content = watched.content, content
        with suppress(UnreadableError):
            watched.follow(memory)
        part = watched.part_written(content)
        return Notice(number, self._written(number) + part, partly=bool(part))

    def is_whole(self, number: int, memory: Memory) -> bool:
        """Whether all words of a header are written by now."""
        watched = self._watched.get(number)
        with suppress(UnreadableError):
            return watched is None or not watched.part_written(
                memory.read(watched.address, watched.size)
            )
        return True

    def completed(self, view: StopView, notices: Iterable[Notice]) -> list[Notice]:
        """Notices of headers that were written in part, when the thread has gone on to behind the
        statement that writes."""
        kept = {n: w.before for n, w in self._watched.items()}
        for number, watched in list(self._watched.items()):
            if not watched.paused:
                self._compared(view, number, watched)
                watched.before = kept[number]
        self._arm()
        return [replace(n, reason=self._written(n.number)) if n.partly else n for n in notices]

    def _compared_data(self, view: StopView, number: int, watched: WatchedBytes) -> Notice | None:
        before = watched.data
        if not before:
            return None
        with suppress(UnreadableError):
            watched.follow(view.world.memory)
        if watched.data == before:
            return None
        at = next((i for i, (a, b) in enumerate(zip(before, watched.data, strict=False)) if a != b))
        at += watched.data_at
        return Notice(number, f"a write to {at:#x}, which {watched.address:#x} leads to")

    # Stacks that move

    def _followed(self, view: StopView) -> list[Notice]:
        pc = view.registers[PC]
        if pc == self._entry:
            self._begins(view)
        elif pc in self._stops and view.tid in self._moving:
            return self._moved(view, self._moving.pop(view.tid))
        elif pc in self._arrivals and view.goroutine is not None:
            goroutine, notices = self._arrivals[pc]
            if goroutine == view.goroutine.id:
                del self._arrivals[pc]
                return notices
        return []

    def _begins(self, view: StopView) -> None:
        g = view.world.goroutines.at(view.registers[FIRST_ARGUMENT])
        mine = [w for w in self._watched.values() if g and w.stack and w.stack.goroutine == g.id]
        if not mine or g is None:
            return
        for watched in mine:
            watched.paused = True
        try:
            back = u64(view.world.memory, view.registers[SP])
        except UnreadableError:
            return
        self._moving[view.tid] = g.address
        self._stop_at(back)

    def _moved(self, view: StopView, address: int) -> list[Notice]:
        g = view.world.goroutines.at(address)
        if g is None:
            return []
        told = [
            self._moved_one(view, number, watched, g, watched.stack)
            for number, watched in list(self._watched.items())
            if watched.paused and watched.stack and watched.stack.goroutine == g.id
        ]
        threads = view.world.goroutines.threads
        if told and any(t.tid == view.tid and t.current == address for t in threads):
            # It grew and is about to run on: the stop is to be there, not inside the runtime.
            self._arrivals[g.pc] = (g.id, told)
            self._stop_at(g.pc)
            return []
        return told

    def _moved_one(
        self, view: StopView, number: int, watched: WatchedBytes, g: Goroutine, stack: OnStack
    ) -> Notice:
        old, watched.address = watched.address, g.high - stack.from_high
        try:
            watched.content = view.world.memory.read(watched.address, watched.size)
        except UnreadableError:
            del self._watched[number]
            return Notice(
                number, f"the watched bytes at {old:#x} are gone with their stack", WatchNews.OVER
            )
        watched.paused = False
        return Notice(
            number,
            f"goroutine {g.id}'s stack moved: the watched bytes went from {old:#x} to "
            f"{watched.address:#x}",
            WatchNews.MOVED,
        )

    # What GDB is told

    def _wanted(self) -> set[int]:
        return {word for w in self._watched.values() if not w.paused for word in w.words}

    def _share(self) -> None:
        """What headers lead to by now has what room the watched bytes themselves leave, the first
        watch first."""
        taken = {word for w in self._watched.values() for word in w.own}
        for watched in self._watched.values():
            watched.header_only = False
            both = taken.union(watched.words)
            watched.header_only = len(both) > WATCHES
            if not watched.header_only:
                taken = both

    def _arm(self) -> None:
        self._share()
        session, wanted = self._session, self._wanted()
        armed = {word for run in self._runs for word in run if word in wanted}
        more = sorted(wanted - armed)[: WATCHES - len(armed)]
        runs = list(_runs(sorted(armed.union(more))))
        for run in [run for run in self._runs if run not in runs]:
            session.forget(self._runs.pop(run))
        for run in runs:
            if run not in self._runs:
                self._runs[run] = session.watch(run.start, run.stop - run.start)
                self._ours.add(self._runs[run])
        stacks = [w.stack for w in self._watched.values() if w.stack]
        for at in {self._entry, *(stack.back for stack in stacks)} if stacks else ():
            self._stop_at(at)
        if not stacks:
            self._arrivals.clear()
            while self._stops:
                session.forget(self._stops.popitem()[1])

    def _stop_at(self, address: int) -> None:
        if address and address not in self._stops:
            self._stops[address] = self._session.stop_at(address)
            self._ours.add(self._stops[address])


def _runs(words: list[int]) -> Iterator[range]:
    """Those that lie together."""
    start = 0
    for at, word in enumerate(words):
        if at + 1 == len(words) or words[at + 1] != word + WORD:
            yield range(words[start], word + WORD, WORD)
            start = at + 1


def writer_at(view: StopView) -> CallFrame | None:
    """Who has just written: of the program's own code the innermost. The processor stops behind
    the instruction that wrote; behind a call that is the function that was called."""
    program, pc = view.world.program, view.registers[PC] - view.world.bias
    function, frames = program.lines.function_at(pc), view.frames
    makers: list[CallFrame] = []
    if function is not None and function.entry != pc:
        inner = program.lines.inline_stack(function, pc - 1)
        makers = [CallFrame(f.function, f.file, f.line) for f in inner]
    callers = (f for f in frames if f.cfa != frames[0].cfa)
    for shown in (*makers, *(CallFrame(f.function, f.file, f.line) for f in callers)):
        if is_own_code(program, shown.function, shown.file):
            return shown
    return None
