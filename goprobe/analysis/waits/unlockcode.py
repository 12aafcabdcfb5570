"""What functions unlock that they have not locked, by their code and that of what they call and
make: function values and interfaces, which may be called later. Of wait groups the same: who calls
Done without Add.

Source: src/runtime/runtime2.go (funcval, itab), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import takewhile

import msgspec
import numpy as np

from goprobe.analysis.ownership import is_own_code
from goprobe.analysis.waits.lockcode import LockCode
from goprobe.analysis.waits.lockmethods import (
    ASKED,
    EXACT,
    GIVES,
    GROUPS,
    LOCKS,
    NEVER_ASKED,
    SLOW,
    WRITE_UNLOCK,
    Kind,
)
from goprobe.arch.code import Receivers
from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.binary.pcln.format import GENERATED, Function
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import read_available
from goprobe.process.proc.procfs import PAGE_SIZE
from goprobe.runtime.stacks.unwind import MachineFrame
from goprobe.runtime.types.typenames import RTYPE_BYTES
from goprobe.runtime.world import World

_WORD = 8
_METHODS = 3  # words before an itab's methods: inter, _type, hash
_MOST_METHODS = 64
_MOST_VALUES = 1 << 17
_UNLOCKS = ("Unlock", "RUnlock")
_MOST_FOLLOWED = 2000
_FOLLOWED_DEPTH = 12
_WRAPS = (".deferwrap", ".gowrap")
_SECTIONS = ("text", "rodata", "data", "bss", "noptrdata", "noptrbss")
ANY, CAPTURED = 0, 1
"""In place of a lock's address: whichever it is told of, or what its closure leads to."""
TOLD = frozenset({ANY, CAPTURED})
_NOTHING = frozenset[int]()


class Value(msgspec.Struct, frozen=True):
    """A function: its name, the locks that it may unlock, and whether it is told of them by the
    word behind the value alone."""

    name: str
    places: frozenset[int]
    told: bool


class _Meant(msgspec.Struct, frozen=True):
    """The functions, by their link-time entries, that may be called by what a word leads to."""

    entries: tuple[int, ...]
    told: bool


class UnlockCode(LockCode):
    """Of the program's own functions. All addresses are the process's here."""

    def __init__(self, world: World, kind: Kind = LOCKS) -> None:
        super().__init__(world)
        self.kind = kind
        self._places: dict[int, frozenset[int]] = {}
        self._looked_at: list[int] = []
        self._again = False
        self._page = lru_cache(maxsize=1 << 14)(self._read_page)
        self._meant = lru_cache(maxsize=None)(self._find_meant)

    def of_kind(self, kind: Kind) -> UnlockCode:
        """The same of others; functions are read once for all."""
        other = UnlockCode(self._world, kind)
        other._receivers = self._receivers
        return other

    @cached_property
    def tells_kinds(self) -> bool:
        """Whether each method that unlocks is told by its name: RWMutex.Unlock has a mutex of its
        own unlocked, which is all that is seen of it where it is inlined (by a profile)."""
        program = self._world.program
        return not program.stripped and WRITE_UNLOCK not in program.debug.index.abstract

    def is_entry(self, address: int) -> bool:
        """Whether a function of the program begins there."""
        return self._begins(address - self._world.bias)

    def _begins(self, pc: int) -> bool:
        lines = self._world.program.lines
        if not lines.low <= pc < lines.high:
            return False
        function = self._function(pc)
        return function is not None and function.entry == pc

    def name(self, entry: int) -> str:
        return self._world.shown_name(self._world.function_name(entry)).removesuffix("-fm")

    # Values

    @cached_property
    def image(self) -> tuple[int, int]:
        """[low, high) of the program's own code and data."""
        low = [m.span(section)[0] for m in self._world.modules for section in _SECTIONS]
        high = [m.span(section)[1] for m in self._world.modules for section in _SECTIONS]
        return min(filter(None, low), default=0), max(high, default=0)

    def value(self, word: int) -> Value | None:
        """Of a word that may be the code of a closure, lead to a function value that is static, to
        an itab, or to a pointer's type; None where it is none of these, or does not unlock what it
        has not locked. What wraps the call of a `go` or `defer` statement is called once, by a
        frame that is asked itself."""
        value = self._value(word, _FOLLOWED_DEPTH)
        return None if value is None or any(part in value.name for part in _WRAPS) else value

    def _value(self, word: int, depth: int) -> Value | None:
        meant = self._meant(word)
        if meant is None:
            return None
        given = {entry: self._given_places(entry, depth) for entry in meant.entries}
        first = next((entry for entry, places in given.items() if places), None)
        if first is None:
            return None
        name = self.name(first + self._world.bias)
        return Value(name, _NOTHING.union(*given.values()), meant.told)

    def _find_meant(self, word: int) -> _Meant | None:
        if self._meant.cache_info().currsize > _MOST_VALUES:
            return None
        bias = self._world.bias
        if self.is_entry(word):
            return _Meant((word - bias,), self._world.function_name(word).endswith("-fm"))
        if word % _WORD:
            return None
        head = self._words(word, _METHODS + _MOST_METHODS)
        if not len(head):
            return None
        if self.is_entry(int(head[0])):
            return _Meant((int(head[0]) - bias,), told=False)
        count = self._methods_asked(int(head[0]))
        methods = tuple(takewhile(self.is_entry, head[_METHODS : _METHODS + count].tolist()))
        if methods:
            return _Meant(tuple(method - bias for method in methods), told=True)
        methods = tuple(self._methods_of(word))
        return _Meant(methods, told=True) if methods else None

    def _methods_asked(self, rtype: int) -> int:
        """How many methods an interface of a type has; 0 where it is none."""
        if not self._is_type(rtype) or self._world.typedata.kind(rtype) is not GoKind.INTERFACE:
            return 0
        words = self._words(rtype + RTYPE_BYTES + 2 * _WORD, 1)
        return int(words[0]) if len(words) else 0

    def _is_type(self, word: int) -> bool:
        return any(m["types"] <= word < m["etypes"] for m in self._world.modules)

    def _methods_of(self, word: int) -> Iterator[int]:
        """Of a pointer's type, which stands in an interface without methods, to be asked for one
        with them (`x.(sync.Locker)`)."""
        typedata = self._world.typedata
        if not self._is_type(word):
            return
        if typedata.kind(word) is not GoKind.POINTER or not typedata.is_uncommon(word):
            return
        try:
            package, _, name = typedata.written(typedata.element(word)).rpartition(".")
        except UnreadableError:
            return
        for method in self._methods:
            function = self._lines.function_named(f"{package}.(*{name}).{method}")
            if function is not None:
                yield function.entry

    @property
    def _methods(self) -> tuple[str, ...]:
        return () if self.kind is GROUPS else _UNLOCKS

    def _words(self, low: int, count: int) -> Words:
        page, into = low - low % PAGE_SIZE, low % PAGE_SIZE // _WORD
        words = self._page(page)[into : into + count]
        more = count - len(words)
        if more and into + len(words) == PAGE_SIZE // _WORD:
            words = np.concatenate([words, self._page(page + PAGE_SIZE)[:more]])
        return words

    def _read_page(self, page: int) -> Words:
        """Most of what is asked lies close together."""
        raw = read_available(self._world.memory, page, PAGE_SIZE)
        return np.frombuffer(raw, np.uint64, len(raw) // _WORD)

    # Functions

    def may_give_yet(self, frame: MachineFrame) -> frozenset[int]:
        """The locks that a frame may yet unlock without having locked them, by their addresses,
        ANY or CAPTURED; what it calls by interfaces and function values that it has not made left
        out."""
        pc = frame.lookup - self._world.bias
        function = self._function(pc)
        if function is None or not self._is_followed(function):
            return _NOTHING
        receivers = self._receivers(function.entry)
        if receivers is None:
            return _NOTHING
        places = self._by_calls(receivers, pc, _FOLLOWED_DEPTH)
        standing = self.standing(frame)
        if standing is not None:
            places |= {address or ANY for address in standing.may_give(self.kind)}
        return frozenset(places)

    def _given_places(self, entry: int, depth: int) -> frozenset[int]:
        """The same of a function at a link-time address, whenever it is called."""
        if entry in self._places:
            self._again |= entry in self._looked_at
            return self._places[entry]
        function = self._function(entry)
        if function is None:
            return _NOTHING
        first = not self._looked_at
        before = len(self._places)
        self._places[entry] = _NOTHING  # while it is looked at
        self._looked_at.append(entry)
        self._places[entry] = self._given_by(function, depth)
        self._looked_at.pop()
        if first and self._again:
            self._settle([*self._places][before:])
            self._again = False
        return self._places[entry]

    def _settle(self, entries: Sequence[int]) -> None:
        """Of functions that call each other: what one was told of another while that was looked at
        was not all."""
        changed = any(self._places[entry] for entry in entries)
        while changed:
            changed = False
            for entry in entries:
                function = self._function(entry)
                more = self._given_by(function, 1) if function is not None else _NOTHING
                changed |= not more <= self._places[entry]
                self._places[entry] |= more

    def _given_by(self, function: Function, depth: int) -> frozenset[int]:
        name = function.name.removesuffix("-fm")
        unlocks = name.rpartition(".")[2] in self._methods and name not in GIVES
        followed = self._is_followed(function)
        if name in self.kind.gives or (unlocks and not (followed and self.kind in EXACT)):
            return frozenset({CAPTURED if function.name.endswith("-fm") else ANY})
        if not followed:
            return _NOTHING
        if not depth or len(self._places) > _MOST_FOLLOWED:
            return frozenset({ANY})
        receivers = self._receivers(function.entry)
        if unlocks and (receivers is None or receivers.unnamed(receivers.every)):
            return frozenset({ANY})  # by whatever it calls
        if receivers is None:
            return _NOTHING
        places = self._by_calls(receivers, None, depth)
        for call in receivers.calls:
            if call.name in self.kind.gives and not self.balanced(receivers, call, self.kind):
                place = receivers.place(call, function.entry)
                unnamed = CAPTURED if place.closure else ANY
                places.add(place.fixed + self._world.bias if place.fixed else unnamed)
        return frozenset(places)

    def _by_calls(self, receivers: Receivers, pc: int | None, depth: int) -> set[int]:
        """By what is called by name, and by the values that are made; of a frame that stands at
        `pc` what it may come to yet."""
        places: set[int] = set()
        giving = dict(self._giving(receivers, depth))
        for at, given in giving.items():
            more = given - places
            if not more or (pc is not None and not receivers.leads(pc, at)):
                continue
            places |= {p for p in more if not self._taken_before(receivers, at, p, giving)}
        return places

    def _giving(self, receivers: Receivers, depth: int) -> Iterator[tuple[int, frozenset[int]]]:
        """The instructions by which something is unlocked, now or later, with what."""
        for at, target in receivers.named_calls():
            name = self._lines.function_name_at(target)
            if name in ASKED or name in SLOW:
                continue
            if places := self._given_places(target, depth - 1):
                yield at, places
        for at, address in receivers.addresses():
            value = self._value(address + self._world.bias, depth - 1)
            if value is not None:
                # Which one it captures, or is told of, is not looked for.
                yield at, (value.places - TOLD) | ({ANY} if value.places & TOLD else _NOTHING)

    def _taken_before(
        self, receivers: Receivers, pc: int, place: int, giving: dict[int, frozenset[int]]
    ) -> bool:
        """Whether on every way to what unlocks something it has locked that, or called what only
        locks, and not unlocked it since."""
        takes = {at for at, target in receivers.named_calls() if self._only_takes(target)}
        gives = {at for at, places in giving.items() if place in places or ANY in places}
        for call in receivers.calls:
            fixed = receivers.place(call, pc).fixed
            if fixed and place not in TOLD and fixed + self._world.bias != place:
                takes.discard(call.pc)
            elif call.name in self.kind.takes:
                takes.add(call.pc)
            elif call.name in self.kind.gives:
                gives.add(call.pc)
        ways = receivers.ways(pc, (takes | gives).__contains__)
        return bool(ways.met) and not ways.open and ways.met <= takes - gives

    def _only_takes(self, target: int) -> bool:
        if self._lines.function_name_at(target) in self.kind.takes:
            return True
        function = self._function(target)
        if function is None or not self._is_followed(function):
            return False
        receivers = self._receivers(function.entry)
        names = {call.name for call in receivers.calls} if receivers is not None else set()
        return bool(names & self.kind.takes) and not names & self.kind.gives

    def _is_followed(self, function: Function) -> bool:
        """Whether it is the program's own, or made by the compiler for what is."""
        try:
            if function.file == GENERATED:
                return not function.name.startswith(NEVER_ASKED)
            return is_own_code(self._world.program, function.name, function.file)
        except UnreadableError:
            return False
