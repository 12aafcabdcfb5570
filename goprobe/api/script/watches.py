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

import msgspec

from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.registers import FIRST_ARGUMENT, PC, SP
from goprobe.errors import UnreadableError, UsageError
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine

WATCHES = 4
_WORD = 8
_COPYSTACK = "runtime.copystack"


class Notice(msgspec.Struct, frozen=True):
    """What happened to the watch of a number."""

    number: int
    reason: str


class _OnStack(msgspec.Struct):
    """The goroutine's id, the bytes' distance below its stack's high end, and the frame they lie
    in: its function and the distance of its CFA; "" where no frame was seen there."""

    goroutine: int
    from_high: int
    function: str
    cfa: int


class _Watched(msgspec.Struct):
    address: int
    size: int
    content: bytes
    stack: _OnStack | None
    paused: bool = False

    @property
    def words(self) -> Iterable[int]:
        return range(self.address & -_WORD, self.address + self.size, _WORD)


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

    def add(self, view: StopView, address: int, size: int) -> int:
        """Watch `size` bytes and return the watch's number. Raises UsageError where nothing is
        mapped or the processor has too few watchpoints left."""
        if not 0 < size <= WATCHES * _WORD:
            raise UsageError(
                f"cannot watch {size} bytes: the processor's {WATCHES} hardware watchpoints hold "
                f"{_WORD} bytes each"
            )
        try:
            content = view.world.memory.read(address, size)
        except (UnreadableError, OverflowError):
            raise UsageError(f"cannot watch {address:#x}: nothing is mapped there") from None
        watched = _Watched(address, size, content, _on_stack(view, address))
        new = set(watched.words) - self._wanted()
        free = WATCHES - len(self._wanted())
        if len(new) > free:
            raise UsageError(
                f"watching {size} bytes at {address:#x} needs {len(new)} hardware watchpoints; "
                f"{free} of the processor's {WATCHES} are free"
            )
        self._made += 1
        self._watched[self._made] = watched
        self._arm()
        return self._made

    def remove(self, number: int) -> None:
        """Watch it no more; a number that is gone already is no error."""
        if self._watched.pop(number, None) and self._session.runs:
            self._arm()

    def is_ours(self, event: StopEvent) -> bool:
        """Whether GDB stopped for a watch, and not for what the script broke at."""
        return event.breakpoint in self._ours

    def look(self, view: StopView) -> Notice | None:
        """What a stop means for the watches; None where nothing watched changed."""
        if not self._watched:
            return None
        told = self._followed(view)
        for number, watched in list(self._watched.items()):
            if not watched.paused:
                told = self._compared(view, number, watched) or told
        self._arm()
        return told

    def _compared(self, view: StopView, number: int, watched: _Watched) -> Notice | None:
        at = f"{watched.address:#x}"
        try:
            content = view.world.memory.read(watched.address, watched.size)
        except UnreadableError:
            del self._watched[number]
            return Notice(number, f"the watched memory at {at} is no longer mapped")
        if content == watched.content:
            return None
        if _left(view, watched.stack):
            assert watched.stack is not None
            del self._watched[number]
            return Notice(
                number,
                f"the watch at {at} is over: the frame of {watched.stack.function} has returned",
            )
        watched.content = content
        return Notice(number, f"a write to {at}")

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
            return Notice(number, f"the watched bytes at {old:#x} are gone with their stack")
        watched.paused = False
        return Notice(
            number,
            f"goroutine {g.id}'s stack moved: the watched bytes went from {old:#x} to "
            f"{watched.address:#x}",
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
