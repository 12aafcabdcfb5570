"""Why the process of a core ended: a panic that nobody recovered, what the runtime ended it for,
or a signal.

Where the runtime gives up, the m that does so is dying (startpanic_m, src/runtime/panic.go), and
the thread that sends itself SIGABRT is the one at fault. Before, gopanic has called the Error and
String methods of what it prints, and keeps what they said (preprintpanics there; Go 1.21 to 1.27).
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import UNSET, UnsetType

from goprobe.analysis.goroutines.panicwords import TELLING, said
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.errors import GoprobeError, UnreadableError
from goprobe.model.address import Address
from goprobe.model.attached import Crash
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine, Thread
from goprobe.runtime.world import World
from goprobe.target.core import CoreTarget

_WORD = 8
_NO_FAULTS = (0, signal.SIGINT, signal.SIGTRAP, signal.SIGSTOP)
"""What a core has that a debugger wrote of a process that was well."""
_THROWING = frozenset({"runtime.throw.func1", "runtime.fatal.func1"})
"""The closures that print what the runtime ends a program for; they have captured the string
(src/runtime/panic.go, throw and fatal, Go 1.21 to 1.27)."""
_MOST_STACK = 1 << 16  # bytes above where a stack was left
_ENDING = "runtime.fatalpanic.func1"
"""The same of a panic that nobody recovered (fatalpanic there): while a process only runs what a
panicking goroutine has deferred, there is none."""
_PRINTING = "runtime.dopanic_m"
"""What prints the stack; others that give up meanwhile wait for whoever came first (startpanic_m
and dopanic_m, src/runtime/panic.go, Go 1.21 to 1.27)."""
_MOST_TEXT = 1 << 12  # bytes of a message
_MOST_PANICS = 16
_DEPTH = 3


def crash_of(target: CoreTarget) -> Crash | UnsetType:
    """What the core says of it; nothing where its process was well."""
    try:
        return _Crashed(target).told()
    except (GoprobeError, KeyError, ValueError):
        ended = _signal_name(target.core.signal)
        return Crash(kind="signal", signal=ended, ended_by=ended) if ended else UNSET


def _signal_name(number: int) -> str:
    if number in _NO_FAULTS:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class _Crashed:
    """Of one core."""

    def __init__(self, target: CoreTarget) -> None:
        self._core = target.core
        self._world: World = target.world()
        self._memory = self._world.memory

    def told(self) -> Crash | UnsetType:
        ended, thread = _signal_name(self._core.signal), self._at_fault()
        if not ended and thread is None:
            return UNSET
        g = self._goroutine(thread)
        number = g.id if g else 0
        closures = list(self._closures(thread, g))
        if text := self._thrown(closures):
            made = self._made_of(g)
            return Crash(kind="fatal error", message=text, goroutine=number, ended_by=ended, **made)
        ends = any(name == _ENDING for name, _ in closures)
        panics = list(self._panics(g)) if ends else []
        if panics:
            return Crash(
                kind="panic",
                message=panics[0],
                earlier=tuple(panics[:0:-1]),
                goroutine=number,
                ended_by=ended,
                **self._made_of(g),
            )
        fault = self._core.fault
        about = Address(fault) if fault >= 0 else UNSET
        return Crash(kind="signal", goroutine=number, signal=ended, address=about, ended_by=ended)

    def _at_fault(self) -> Thread | None:
        """The m that gives up, where several do the first, for whom the others wait; else, where
        the process ended by a signal, that of the core's first thread."""
        threads = self._world.goroutines.threads
        at = self._world.layout.offset("m", "dying")
        dying = [t for t in threads if self._memory.read(t.address + at, 4) != bytes(4)]
        if dying:
            return next(filter(self._has_said_so, dying), dying[0]) if dying[1:] else dying[0]
        first = next(iter(self._core.threads), 0)
        if _signal_name(self._core.signal):
            return next((thread for thread in threads if thread.tid == first), None)
        return None

    def _has_said_so(self, thread: Thread) -> bool:
        """Whether it has got to what prints where it stands."""
        words = self._words(self._low_of(thread))
        return any(self._function(word)[0] == _PRINTING for word in words)

    def _goroutine(self, thread: Thread | None) -> Goroutine | None:
        if thread is None or not thread.current:
            return None
        return next((g for g in self._world.goroutines.all if g.address == thread.current), None)

    # Panics

    def _panics(self, g: Goroutine | None) -> Iterator[str]:
        """What they say, the last one first; those are left out that were recovered, and Goexit."""
        if g is None:
            return
        layout = self._world.layout
        arg, link = layout.offset("_panic", "arg"), layout.offset("_panic", "link")
        over = [layout.offset("_panic", name) for name in ("recovered", "goexit")]
        at = u64(self._memory, g.address + layout.offset("g", "_panic"))
        for _ in range(_MOST_PANICS):
            if not at:
                return
            if not any(self._memory.read(at + o, 1) != b"\0" for o in over):
                yield self._message(at + arg)
            at = u64(self._memory, at + link)

    def _message(self, at: int) -> str:
        """Of the interface at an address."""
        rtype, data = u64(self._memory, at), u64(self._memory, at + _WORD)
        if not rtype:
            return "nil"
        typedata = self._world.typedata
        name = typedata.full_name(rtype)
        shown = f"({name}) {data:#x}"
        place = at + _WORD if typedata.holds_pointer_directly(rtype) else data
        told = self._value(self._world.types.of(rtype), place, 0)
        return shown if told is None else said(name, told, shown)

    def _value(self, kind: GoType, at: int, depth: int) -> Any:
        """A value as Python's own, None for what it has none of."""
        if kind.kind is GoKind.STRING:
            return self._text(at)
        if kind.kind is GoKind.BOOL:
            return self._memory.read(at, 1) != b"\0"
        if GoKind.INT <= kind.kind <= GoKind.UINTPTR:
            signed = kind.kind <= GoKind.INT64
            return int.from_bytes(self._memory.read(at, kind.size), "little", signed=signed)
        if depth >= _DEPTH:
            return None
        types = self._world.types
        if kind.kind is GoKind.POINTER:
            behind = types.at(kind.elem)
            pointer = u64(self._memory, at)
            of_struct = pointer and behind.kind is GoKind.STRUCT
            return self._value(behind, pointer, depth + 1) if of_struct else None
        if kind.kind is GoKind.STRUCT:
            return {
                member.name: self._value(types.at(member.type), at + member.offset, depth + 1)
                for member in kind.members
                if member.name in TELLING
            }
        return None

    def _text(self, at: int) -> str:
        data, length = u64(self._memory, at), u64(self._memory, at + _WORD)
        raw = self._memory.read(data, min(length, _MOST_TEXT)) if length else b""
        return raw.decode("utf-8", "replace") + ("…" if length > _MOST_TEXT else "")

    def _made_of(self, g: Goroutine | None) -> dict[str, Any]:
        """The signal that the last panic was made of (sigpanic, src/runtime/signal_unix.go)."""
        if g is None:
            return {}
        layout = self._world.layout
        sig = self._memory.read(g.address + layout.offset("g", "sig"), 4)
        number = int.from_bytes(sig, "little")
        if not number:
            return {}
        address = u64(self._memory, g.address + layout.offset("g", "sigcode1"))
        return {"signal": _signal_name(number), "address": Address(address)}

    # What the runtime ends a program for

    def _closures(self, thread: Thread | None, g: Goroutine | None) -> Iterator[tuple[str, int]]:
        """Those of how the runtime ends a program, by name, and where their captures lie: on the
        goroutine's stack, or on the thread's own. It never comes back from there, so that what is
        on a stack of them is of this very end."""
        starts = [g.sp if g and g.low <= g.sp < g.high else g.low] if g else []
        if thread is not None:
            starts.append(self._low_of(thread))
        for start in (each & -_WORD for each in starts):
            for i, word in enumerate(self._words(start)):
                if word and (name := self._ending(word)):
                    yield name, start + _WORD * (i + 1)

    def _thrown(self, closures: Iterable[tuple[str, int]]) -> str:
        """The string that a closure has that prints it."""
        for name, captured in closures:
            if name not in _THROWING:
                continue
            for at in (captured, captured + _WORD):  # since Go 1.26 fatal's has a panic before
                if u64(self._memory, at) and 0 < u64(self._memory, at + _WORD) <= _MOST_TEXT:
                    return self._text(at)
        return ""

    def _words(self, start: int) -> memoryview:
        """Of a stack, from where it was left, as far as there is memory."""
        size = _MOST_STACK
        while size >= 1 << 10:
            try:
                return memoryview(self._memory.read(start, size)).cast("Q")
            except UnreadableError:
                size >>= 1
        return memoryview(b"").cast("Q")

    def _low_of(self, thread: Thread) -> int:
        """From where its own stack is looked at."""
        at, layout = thread.g0, self._world.layout
        low = u64(self._memory, at + layout.offset("g", "stack.lo"))
        high = u64(self._memory, at + layout.offset("g", "stack.hi"))
        return max(low, high - _MOST_STACK)

    def _ending(self, word: int) -> str:
        name, entry = self._function(word)
        return name if entry == word and (name in _THROWING or name == _ENDING) else ""

    def _function(self, word: int) -> tuple[str, int]:
        """That a word is in the code of, and its entry; none of other words."""
        if not any(m.minpc <= word < m.maxpc for m in self._world.modules):
            return "", 0
        function = self._world.code.function_at(word)
        return (function.name, function.entry) if function is not None else ("", 0)
