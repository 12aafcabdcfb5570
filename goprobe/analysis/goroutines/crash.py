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
        """The m that gives up; else, where the process ended by a signal, the core's first."""
        threads = self._world.goroutines.threads
        dying = self._described_at("m", "dying")
        for thread in threads:
            if dying >= 0 and self._memory.read(thread.address + dying, 4) != bytes(4):
                return thread
        first = next(iter(self._core.threads), 0)
        if _signal_name(self._core.signal):
            return next((thread for thread in threads if thread.tid == first), None)
        return None

    def _goroutine(self, thread: Thread | None) -> Goroutine | None:
        if thread is None or not thread.current:
            return None
        return next((g for g in self._world.goroutines.all if g.address == thread.current), None)

    # Panics

    def _panics(self, g: Goroutine | None) -> Iterator[str]:
        """What they say, the last one first; those are left out that were recovered, and Goexit."""
        arg, link = self._described_at("_panic", "arg"), self._described_at("_panic", "link")
        if g is None or arg < 0 or link < 0:
            return
        over = [self._described_at("_panic", name) for name in ("recovered", "goexit")]
        at = u64(self._memory, g.address + self._world.layout.offset("g", "_panic"))
        for _ in range(_MOST_PANICS):
            if not at:
                return
            if not any(o >= 0 and self._memory.read(at + o, 1) != b"\0" for o in over):
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
        kind = typedata.debug_type(rtype)
        if kind is None:
            return shown
        place = at + _WORD if typedata.holds_pointer_directly(rtype) else data
        told = self._value(kind, place, 0)
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
        types = self._world.program.debug.types
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
        at = [self._described_at("g", name) for name in ("sig", "sigcode1")]
        if g is None or min(at) < 0:
            return {}
        number = int.from_bytes(self._memory.read(g.address + at[0], 4), "little")
        if not number:
            return {}
        address = u64(self._memory, g.address + at[1])
        return {"signal": _signal_name(number), "address": Address(address)}

    # What the runtime ends a program for

    def _closures(self, thread: Thread | None, g: Goroutine | None) -> Iterator[tuple[str, int]]:
        """Those of how the runtime ends a program, by name, and where their captures lie: on the
        goroutine's stack, or on the thread's own. It never comes back from there, so that what is
        on a stack of them is of this very end."""
        starts = [g.sp if g and g.low <= g.sp < g.high else g.low] if g else []
        if thread is not None:
            at, layout = thread.g0, self._world.layout
            low = u64(self._memory, at + layout.offset("g", "stack.lo"))
            high = u64(self._memory, at + layout.offset("g", "stack.hi"))
            starts.append(max(low, high - _MOST_STACK))
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

    def _ending(self, word: int) -> str:
        if not any(m.minpc <= word < m.maxpc for m in self._world.modules):
            return ""
        function = self._world.code.function_at(word)
        name = function.name if function is not None and function.entry == word else ""
        return name if name in _THROWING or name == _ENDING else ""

    def _described_at(self, struct: str, field: str) -> int:
        """Of a field of the runtime's, by the debug information; -1 where nothing says it."""
        debug = self._world.program.debug
        if not debug.present:
            return -1
        try:
            return debug.type_named(f"runtime.{struct}").member(field).offset
        except KeyError:
            return -1
