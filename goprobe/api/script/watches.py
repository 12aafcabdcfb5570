"""Watches of a script: bytes of any place and length, under the processor's few watchpoints.

The processor watches aligned words of 8 bytes; whether watched bytes in them changed is compared
here, so a write beside them stops nobody. It does not see what the kernel writes (read(2) into a
buffer): such a change is told at the next stop.

Bytes on a goroutine's stack are followed when the stack moves: runtime.copystack(gp, newsize)
(src/runtime/stack.go, Go 1.21 to 1.27) copies it and sets gp.stack before it returns; gp arrives
in RAX. From its entry to its return they are not watched: the old stack is free by then.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from goprobe.analysis.ownership import is_own_code
from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.registers import FIRST_ARGUMENT, PC, SP
from goprobe.errors import UnreadableError, UsageError
from goprobe.model.calls import CallFrame
from goprobe.model.script import WatchNews
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.goroutines.goroutines import Goroutine

WATCHES = 4
_WORD = 8
_COMPARED = 1 << 16  # bytes behind a header
_COPYSTACK = "runtime.copystack"


class Notice(msgspec.Struct, frozen=True):
    """What happened to the watch of a number."""

    number: int
    reason: str
    news: WatchNews = WatchNews.WRITE
    writers: tuple[int, ...] = ()
    """Kernel ids of other threads that wrote there in the same instant."""
    own: bool = True
    """Whether it is to be told where the program stopped: else that stop is another thread's, and
    the first of `writers` did it."""


class _OnStack(msgspec.Struct):
    """The goroutine's id, the bytes' distance below its stack's high end, and the frame they lie
    in: its function and the distance of its CFA; "" where no frame was seen there."""

    goroutine: int
    from_high: int
    function: str
    cfa: int


class _Watched(msgspec.Struct):
    """`element` is the size of one element of what a header (of a string, a slice) leads to, 0 for
    other bytes; `data` are those, as far as they are compared, at `data_at`."""

    address: int
    size: int
    content: bytes
    stack: _OnStack | None
    element: int = 0
    data_at: int = 0
    data: bytes = b""
    paused: bool = False
    header_only: bool = False

    @property
    def words(self) -> Iterable[int]:
        own = [*range(self.address & -_WORD, self.address + self.size, _WORD)]
        data = [*range(self.data_at & -_WORD, self.data_at + len(self.data), _WORD)]
        fits = len({*own, *data}) <= WATCHES and not self.header_only
        return [*own, *data] if fits else own

    @property
    def is_whole_words(self) -> bool:
        return self.address % _WORD == 0 and self.size % _WORD == 0

    @property
    def data_is_watched(self) -> bool:
        return not self.data or self.data_at & -_WORD in self.words

    def follow(self, memory: Memory) -> None:
        """Read what the header leads to now."""
        self.data_at, self.data = 0, b""
        if self.element:
            at, length = u64(memory, self.address), u64(memory, self.address + _WORD)
            size = min(length * self.element, _COMPARED)
            if at and size:
                self.data_at, self.data = at, memory.read(at, size)


class Watches:
    """All watches of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._watched: dict[int, _Watched] = {}
        self._made = 0
        self._words: dict[int, int] = {}  # watched words to GDB's numbers
        self._stops: dict[int, int] = {}  # addresses of code where we stop to GDB's numbers
        self._ours: set[int] = set()  # every number that GDB ever gave us
        self._moving: dict[int, int] = {}  # kernel threads in copystack to the g that moves
        self._arrivals: dict[int, tuple[int, Notice]] = {}  # where a g runs on after its move
        copystack = session.program.lines.function_named(_COPYSTACK)
        self._entry = copystack.entry + session.bias if copystack else 0

    def add(self, view: StopView, address: int, size: int, element: int = 0) -> int:
        """Watch `size` bytes, with `element` what they lead to as a header, too; returns the
        watch's number. Raises UsageError where nothing is mapped or the processor has too few
        watchpoints left."""
        if not 0 < size <= WATCHES * _WORD:
            raise UsageError(
                f"cannot watch {size} bytes: the processor's {WATCHES} hardware watchpoints hold "
                f"{_WORD} bytes each"
            )
        try:
            content = view.world.memory.read(address, size)
        except (UnreadableError, OverflowError):
            raise UsageError(f"cannot watch {address:#x}: nothing is mapped there") from None
        watched = _Watched(address, size, content, _on_stack(view, address), element)
        with suppress(UnreadableError):
            watched.follow(view.world.memory)
        free = WATCHES - len(self._wanted())
        watched.header_only = len(set(watched.words) - self._wanted()) > free
        new = set(watched.words) - self._wanted()
        if len(new) > free:
            raise UsageError(
                f"watching {size} bytes at {address:#x} needs {len(new)} hardware watchpoints; "
                f"{free} of the processor's {WATCHES} are free"
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
        return bool(self._watched or self._words or self._stops)

    @property
    def addresses(self) -> dict[int, int]:
        """Where the bytes of each watch lie by now."""
        return {number: w.address for number, w in self._watched.items()}

    def covers(self, number: int) -> bool:
        """Whether the processor watches all of it; else what a header leads to is compared at each
        stop alone."""
        return self._watched[number].data_is_watched

    def is_ours(self, event: StopEvent) -> bool:
        """Whether GDB stopped for a watch, and not for what the script broke at."""
        return event.breakpoint in self._ours

    def look(self, view: StopView, event: StopEvent) -> Notice | None:
        """What a stop means for the watches; None where nothing watched changed."""
        if not self._watched:
            return None
        told = self._followed(view)
        for number, watched in list(self._watched.items()):
            if not watched.paused:
                told = self._compared(view, number, watched) or told
        told = self._with_writers(told, event)
        self._arm()
        return told

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
        words = ((number, word) for number, w in self._watched.items() for word in w.words)
        number, word = next((x for x in words if self._words.get(x[1]) == event.breakpoint), (0, 0))
        watched = self._watched.get(number)
        if watched is None or event.new is None or not watched.is_whole_words:
            return None
        at = word - watched.address
        content = watched.content[at : at + _WORD] if at in range(watched.size) else b""
        if not content or content == (event.new % (1 << 64)).to_bytes(_WORD, "little"):
            return None
        return Notice(number, f"{self._written(number)}, undone in the same instant")

    def second(self, number: int) -> Notice:
        """Of another thread that wrote in the same instant."""
        return Notice(number, f"{self._written(number)}, in the same instant")

    def _written(self, number: int) -> str:
        watched = self._watched.get(number)
        return f"a write to {watched.address:#x}" if watched else "a write to what was watched"

    def _compared(self, view: StopView, number: int, watched: _Watched) -> Notice | None:
        memory, at = view.world.memory, f"{watched.address:#x}"
        try:
            content = memory.read(watched.address, watched.size)
        except UnreadableError:
            del self._watched[number]
            return Notice(number, f"the watched memory at {at} is no longer mapped", WatchNews.OVER)
        if content == watched.content:
            return self._compared_data(view, number, watched)
        if _left(view, watched.stack):
            assert watched.stack is not None
            del self._watched[number]
            return Notice(
                number,
                f"the watch at {at} is over: the frame of {watched.stack.function} has returned",
                WatchNews.OVER,
            )
        part = _part_written(watched, content)
        watched.content = content
        with suppress(UnreadableError):
            watched.follow(memory)
        return Notice(number, self._written(number) + part)

    def _compared_data(self, view: StopView, number: int, watched: _Watched) -> Notice | None:
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

    def _followed(self, view: StopView) -> Notice | None:
        pc = view.registers[PC]
        if pc == self._entry:
            self._begins(view)
        elif pc in self._stops and view.tid in self._moving:
            return self._moved(view, self._moving.pop(view.tid))
        elif pc in self._arrivals and view.goroutine is not None:
            goroutine, notice = self._arrivals[pc]
            if goroutine == view.goroutine.id:
                del self._arrivals[pc]
                return notice
        return None

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

    def _moved(self, view: StopView, address: int) -> Notice | None:
        told = None
        g = view.world.goroutines.at(address)
        if g is None:
            return None
        for number, watched in list(self._watched.items()):
            if watched.paused and watched.stack and watched.stack.goroutine == g.id:
                told = self._moved_one(view, number, watched, g, watched.stack) or told
        threads = view.world.goroutines.threads
        if told and any(t.tid == view.tid and t.current == address for t in threads):
            # It grew and is about to run on: the stop is to be there, not inside the runtime.
            self._arrivals[g.pc] = (g.id, told)
            self._stop_at(g.pc)
            return None
        return told

    def _moved_one(
        self, view: StopView, number: int, watched: _Watched, g: Goroutine, stack: _OnStack
    ) -> Notice | None:
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

    def _arm(self) -> None:
        session, wanted = self._session, self._wanted()
        for word in self._words.keys() - wanted:
            session.forget(self._words.pop(word))
        for word in sorted(wanted - self._words.keys())[: WATCHES - len(self._words)]:
            self._words[word] = session.watch(word, _WORD)
            self._ours.add(self._words[word])
        if any(w.stack for w in self._watched.values()):
            self._stop_at(self._entry)
        else:
            self._arrivals.clear()
            while self._stops:
                session.forget(self._stops.popitem()[1])

    def _stop_at(self, address: int) -> None:
        if address and address not in self._stops:
            self._stops[address] = self._session.stop_at(address)
            self._ours.add(self._stops[address])


def _part_written(watched: _Watched, content: bytes) -> str:
    """In words, how much of a header has changed, where that is not all of it: the instruction
    that writes the rest may be still to come."""
    words = range(0, watched.size, _WORD)
    written = [at for at in words if content[at : at + _WORD] != watched.content[at : at + _WORD]]
    if not watched.element or len(written) == len(words):
        return ""
    return f", to {len(written)} of the {len(words)} words of its header"


def _on_stack(view: StopView, address: int) -> _OnStack | None:
    detail = view.locator.locate(address).detail
    goroutine, from_high = detail.get("goroutine"), detail.get("from_high")
    if not isinstance(goroutine, int) or not isinstance(from_high, int):
        return None
    if view.goroutine is not None and view.goroutine.id == goroutine:
        for frame in view.frames:
            if address < frame.cfa:
                return _OnStack(
                    goroutine, from_high, frame.function, view.goroutine.high - frame.cfa
                )
    return _OnStack(goroutine, from_high, "", 0)


def _left(view: StopView, stack: _OnStack | None) -> bool:
    """Whether the frame is gone, as far as the goroutine's own frames can tell."""
    g = view.goroutine
    if stack is None or not stack.function or g is None or g.id != stack.goroutine:
        return False
    return not any(
        f.function == stack.function and g.high - f.cfa == stack.cfa for f in view.frames
    )


def writer_at(view: StopView) -> CallFrame | None:
    """Who has just written: of the program's own code the innermost. The processor stops behind
    the instruction that wrote; behind a call that is the function that was called."""
    program, bias = view.world.program, view.world.bias
    for number, frame in enumerate(view.frames):
        shown = CallFrame(frame.function, frame.file, frame.line)
        if not number:
            function = program.lines.function_at(frame.pc - bias)
            if function is None or function.entry == frame.pc - bias:
                continue
            inner = program.lines.inline_stack(function, frame.pc - 1 - bias)[0]
            shown = CallFrame(inner.function, inner.file, inner.line)
        if is_own_code(program, shown.function, shown.file):
            return shown
    return None
