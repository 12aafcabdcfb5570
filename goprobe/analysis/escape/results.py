"""Where the results of inspected calls lived.

Looked at while the calling thread stands still, so this has to be quick: the three places where
almost everything lies (the own stack, the binary's sections, a span of the heap) are told apart by
the same bookkeeping as `locate` uses, with as few reads as that takes; what is none of them is
asked of `locate` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import msgspec

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.locate.locator import Locator
from goprobe.arch.registers import GOROUTINE, INTEGER_ARGUMENTS, SP
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.escape import NOTHING, Outcome
from goprobe.model.location import Kind
from goprobe.process.memory.memory import Memory, ProcessMemory, u64
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import read_maps
from goprobe.process.tracer.events import CallHit, ProbeHit
from goprobe.runtime.allocatorcalls import Allocator, Family
from goprobe.runtime.heap.heap import Heap, SpanGlance
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.types.typedata import TypeData
from goprobe.runtime.world import load_bias
from goprobe.target.goprocess import GoProcess

_WORD = 8
_OPERANDS = 64
_INDEX = {name: index for index, name in enumerate(INTEGER_ARGUMENTS)}
_WITHOUT_RESULT = frozenset((Family.DEFER, Family.GO, Family.BOOKKEEPING, Family.LINKED))


_ENOUGH = 8


class ResultPlace(msgspec.Struct, frozen=True):
    """A place of memory; `opened`: the address begins a block of the allocator's own."""

    kind: str
    name: str
    opened: bool = False


class _Tally(msgspec.Struct):
    count: int = 0
    bytes: int = 0
    opened: int = 0
    first: int = 0
    name: str = ""


class CallResults(msgspec.Struct):
    """What was seen of one CALL instruction: `tallies` by kind of place and type."""

    inspected: int = 0
    tallies: dict[tuple[str, str], _Tally] = msgspec.field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether so many were seen, all alike, that no more need to be looked at one by one. (How
        many objects there are is counted elsewhere.)"""
        if self.inspected < _ENOUGH:
            return False
        alike = all(tally.opened in (0, tally.count) for tally in self.tallies.values())
        return alike and len(self.tallies) <= 1

    def outcomes(self) -> tuple[Outcome, ...]:
        return tuple(
            Outcome(
                kind=kind,
                count=tally.count,
                bytes=tally.bytes,
                type=type_name,
                address=Address(tally.first),
                name=tally.name,
                opened=tally.opened,
            )
            for (kind, type_name), tally in self.tallies.items()
        )


class _CallWords:
    """A hit's arguments and results by name, for the formulas of the allocator's table."""

    def __init__(
        self, hit: CallHit, allocator: Allocator, memory: Memory, locator: QuickLocator
    ) -> None:
        self._hit, self._allocator = hit, allocator
        self._memory, self._locator = memory, locator

    def argument(self, name: str) -> int:
        slot = self._allocator.slots[name]
        if slot.register:
            return self._hit.arguments[_INDEX[slot.register]]
        # On the stack, which may have moved since.
        below = self._hit.stack_hi - self._hit.sp
        return u64(self._memory, self._hit.stack_hi_after - below + slot.offset)

    def result(self, index: int) -> int:
        return self._hit.results[index]

    def type_size(self, rtype: int) -> int:
        return self._locator.type_size(rtype)


class QuickLocator:
    """Tells where an address lies, quickly, in a process that runs on between questions."""

    def __init__(self, program: GoProgram, memory: Memory) -> None:
        self._program = program
        self._memory = memory
        pid = memory.pid if isinstance(memory, ProcessMemory) else 0
        mappings = read_maps(pid)
        self.bias = load_bias(program, mappings, str(program.elf.path), entry_point(pid))
        self._low, self._high = (end + self.bias for end in program.image)
        self._world = GoProcess(pid, program, self.bias).world(memory, mappings)
        self._names: dict[int, str] = {}
        self._sizes: dict[int, int] = {}
        self._look = 0
        self._glanced: dict[int, SpanGlance] = {}

    @cached_property
    def _types(self) -> TypeData:
        return self._world.typedata

    def type_name(self, rtype: int) -> str:
        """The name of the type whose descriptor lies at a live address; "" for none."""
        name = self._names.get(rtype)
        if name is None:
            name = self._names[rtype] = self._types.name(rtype) if rtype else ""
        return name

    def type_size(self, rtype: int) -> int:
        size = self._sizes.get(rtype)
        if size is None:
            size = self._sizes[rtype] = self._types.size(rtype)
        return size

    def of(self, address: int, low: int, high: int, look: int = 0) -> ResultPlace:
        """[low, high) is what is in use of the stack on which the question arises, `look` is as of
        CallHit."""
        if not address:
            return _NO_MEMORY
        if low <= address < high:
            return _OWN_STACK
        if self._low <= address < self._high:
            return self._static(address) or self._elsewhere(address)
        return self._in_span(address, look) or self._elsewhere(address)

    def _static(self, address: int) -> ResultPlace | None:
        link = address - self.bias
        stretch = self._program.stretches.at(link)
        if stretch is None:
            return None
        symbol = self._program.elf.symbol_at(link)
        return ResultPlace(stretch.kind, symbol.name if symbol else stretch.name)

    @cached_property
    def _each_opens(self) -> bool:
        """With the race detector small objects share no block, and lie at the end of theirs
        (runtime/malloc.go, mallocgcTiny and postMallocgc's `raceenabled`)."""
        return self._program.lines.function_named("runtime.racefuncenter") is not None

    @cached_property
    def _heap(self) -> Heap:
        # Asked at every hit of a run, and bounded: it needs no budget.
        return Heap(self._memory, self._world.layout, self._world.roots["mheap_"])

    def _in_span(self, address: int, look: int) -> ResultPlace | None:
        span = self._span(address, look)
        if span is None:
            return None
        if span.manual:
            return _SOME_STACK
        return _OPENED if self._each_opens or span.is_first(address) else _WITHIN

    def _span(self, address: int, look: int) -> SpanGlance | None:
        """The spans of a look's results stay what they are while it lasts, but for those of stacks,
        which are given back at any time."""
        if look != self._look or not look:
            self._look = look
            self._glanced.clear()
        page = address // self._heap.page_size
        span = self._glanced.get(page)
        if span is None:
            span = self._heap.glance(address)
            if span is not None and not span.manual:
                self._glanced[page] = span
        return span

    def _elsewhere(self, address: int) -> ResultPlace:
        self._world.renew()
        location = Locator(self._world).locate(address)
        return ResultPlace(location.kind, location.name)


_NO_MEMORY = ResultPlace(NOTHING, "no memory")
_OWN_STACK = ResultPlace(Kind.GOROUTINE_STACK, "the goroutine's own stack")
_SOME_STACK = ResultPlace(Kind.GOROUTINE_STACK, "another goroutine's stack")
# The tiny allocator gives only the first object of a block a slot of the span.
_OPENED, _WITHIN = ResultPlace(Kind.HEAP, "the heap", True), ResultPlace(Kind.HEAP, "the heap")


class Results:
    """Takes the hits of a run. `calls` are the sites' own by site id."""

    def __init__(
        self,
        program: GoProgram,
        calls: Mapping[int, AllocationCall],
        frame_offsets: Mapping[int, int],
        *,
        sampled: bool = False,
    ) -> None:
        """`sampled`: of results that are all alike a few are enough."""
        self._sampled = sampled
        self._program = program
        self._calls = calls
        self._offsets = frame_offsets
        self.by_call: dict[int, CallResults] = {}
        self.witnessed: dict[int, int] = {}
        self.executed: dict[int, int] = {}
        self.locator: QuickLocator | None = None

    def on_hit(self, hit: CallHit, memory: Memory) -> bool:
        """For `run_counted`: an inspected call has returned, or (after the run) never did."""
        if not hit.returned:
            return False
        call = self._calls[hit.site.site_id]
        results = self._results(hit.site.site_id)
        results.inspected += 1
        allocator = call.allocator
        if allocator.family not in _WITHOUT_RESULT:
            self._add(results, hit, allocator, memory)
        return self._sampled and results.settled

    def _results(self, pc: int) -> CallResults:
        return self.by_call.setdefault(pc, CallResults())

    def _locator(self, memory: Memory) -> QuickLocator:
        if self.locator is None:
            self.locator = QuickLocator(self._program, memory)
        return self.locator

    def _add(
        self, results: CallResults, hit: CallHit, allocator: Allocator, memory: Memory
    ) -> None:
        locator = self._locator(memory)
        words = _CallWords(hit, allocator, memory, locator)
        try:
            where = self._where(hit, allocator, words, locator, memory)
            size, name = self._size_and_type(allocator, words, locator, where)
        except UnreadableError:
            return
        tally = results.tallies.setdefault((where.kind, name), _Tally())
        tally.count += 1
        tally.bytes += size
        tally.opened += where.opened
        if tally.count == 1:
            tally.first, tally.name = hit.results[0], where.name

    def _where(
        self,
        hit: CallHit,
        allocator: Allocator,
        words: _CallWords,
        locator: QuickLocator,
        memory: Memory,
    ) -> ResultPlace:
        # Where only one operand of a concatenation has bytes, it is handed back as it is
        # (runtime/string.go, concatstrings).
        address = hit.results[0]
        if address and address in self._operands(allocator, words, memory):
            return ResultPlace(NOTHING, "an operand's own memory")
        where = locator.of(address, hit.sp_after, hit.stack_hi_after, hit.look)
        if allocator.family is Family.MAP and where.kind == Kind.GOROUTINE_STACK:
            return self._of_table(address, hit, locator, memory) or where
        return where

    def _operands(self, allocator: Allocator, words: _CallWords, memory: Memory) -> list[int]:
        addresses = []
        for name in allocator.passes:
            pointer = words.argument(name)
            if f"{name}.cap" in allocator.slots:  # a slice of strings
                count = min(words.argument(f"{name}.len"), _OPERANDS)
                raw = memoryview(memory.read(pointer, 2 * _WORD * count)).cast("Q")
                addresses += list(raw[::2])
            else:
                addresses.append(pointer)
        return addresses

    def _of_table(
        self, address: int, hit: CallHit, locator: QuickLocator, memory: Memory
    ) -> ResultPlace | None:
        """A map in the frame whose entries are on the heap. Both designs of maps keep the pointer
        to them third (runtime.hmap.buckets, internal/runtime/maps.Map.dirPtr): at byte 16."""
        table = u64(memory, address + 2 * _WORD)
        where = locator.of(table, hit.sp_after, hit.stack_hi_after)
        return (
            ResultPlace(where.kind, "the map's entries on the heap")
            if where.kind == Kind.HEAP
            else None
        )

    def _size_and_type(
        self, allocator: Allocator, words: _CallWords, locator: QuickLocator, where: ResultPlace
    ) -> tuple[int, str]:
        name = allocator.fixed_type
        if allocator.type:
            rtype = words.argument(allocator.type)
            name = locator.type_name(rtype)
        if where.kind == NOTHING or allocator.requested is None:
            return 0, name
        return allocator.requested(words), name

    def on_probe(self, hit: ProbeHit, memory: Memory) -> None:
        """For `run_counted`: an instruction that uses the frame's memory is about to run."""
        probe = hit.site.probe_id
        self.executed[probe] = self.executed.get(probe, 0) + 1
        if probe not in self._offsets:
            return
        address = hit.registers[SP] + self._offsets[probe]
        try:
            # A g begins with the bounds of its stack (runtime2.go, g; Go 1.21 to 1.27).
            g = hit.registers[GOROUTINE]
            low, high = u64(memory, g), u64(memory, g + _WORD)
            where = self._locator(memory).of(address, low, high)
        except UnreadableError:
            return
        if where.kind == Kind.GOROUTINE_STACK:
            self.witnessed[probe] = self.witnessed.get(probe, 0) + 1
