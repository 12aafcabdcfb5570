"""Where a binary's code allocates: every call into Go's allocator, with its place in the source.

No diagnostics are needed for this and no run: the machine code is the truth. Go's line tables
have no columns, so a call is known by file, line, function and by the calls through which its
source was inlined there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import msgspec
from msgspec.structs import replace

from goprobe.arch.machinecode import (
    Constant,
    DirectCall,
    Known,
    StackAddress,
    calls_to,
    known_at,
    verified,
)
from goprobe.binary.pcln.format import Function, SourceFrame
from goprobe.process.tracer.ledger import AllocatorCalls, merged
from goprobe.runtime.allocatorcalls import Allocates, Allocator, Family
from goprobe.runtime.allocators import (
    allocators_for,
    bookkeeping,
    is_malloc,
    maps_grow_by_steps,
    may_allocate,
    specialised,
)
from goprobe.runtime.image.program import GoProgram


class AllocationCall(msgspec.Struct, frozen=True):
    """A CALL into the allocator. `pc` and `target` are link-time addresses of the instruction and
    of what it calls, `entry` that of its function; `frames` are innermost first.

    `known` is what is certain of the arguments before any run; `type` the type descriptor that it
    is given, 0 where none or where it comes from elsewhere (a generic function's dictionary).
    """

    pc: int
    target: int
    entry: int
    allocator: Allocator
    frames: tuple[SourceFrame, ...]
    known: Known
    type: int = 0

    @property
    def inner(self) -> SourceFrame:
        """Where the source of the call stands."""
        return self.frames[0]

    @property
    def outer(self) -> SourceFrame:
        """The place in the function whose machine code holds it."""
        return self.frames[-1]

    @property
    def buffer(self) -> Constant | StackAddress | None:
        """What the call is given as buffer in the frame; None where there is no such parameter."""
        slot = self.allocator.slots.get(self.allocator.buffer)
        return self.known.get(slot.register) if slot else None

    @property
    def back(self) -> int:
        """Where its function goes on."""
        return self.pc + CALL_SIZE

    @property
    def makes_several_variables(self) -> bool:
        """Whether it makes one object of several variables, which has no type of its own."""
        # mallocgc(size, nil, needzero): without a type there are no pointers in it, and nobody has
        # named it (runtime/malloc.go).
        words = [
            self.known.get(self.allocator.slots[n].register)
            for n in _UNTYPED
            if n in self.allocator.slots
        ]
        return (
            self.allocator.family is Family.OBJECT
            and len(words) == len(_UNTYPED)
            and all(isinstance(word, Constant) and not word.address for word in words)
            and words[1] == Constant(0, False)
        )


CALL_SIZE = 5
# Parameters of mallocgc and of its specialised forms.
_UNTYPED = ("size", "typ", "needzero")


class CodeMap:
    """The allocating code of a binary. Addresses are link-time ones."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program
        self._lines = program.lines

    @cached_property
    def allocators(self) -> dict[int, Allocator]:
        """By entry, those that this binary holds."""
        release = self._program.go.major, self._program.go.minor
        wanted = allocators_for(release)
        allocators = {}
        for name in self._lines.names():
            allocator = wanted.get(name) or specialised(name)
            if allocator and allocator.allocates is not Allocates.NONE:
                for function in self._lines.functions_named(name):
                    allocators[function.entry] = allocator
        return allocators

    @cached_property
    def by_steps(self) -> bool:
        """What `maps_grow_by_steps` says of this binary."""
        assign = self._lines.function_named("runtime.mapassign")
        release = self._program.go.major, self._program.go.minor
        return maps_grow_by_steps(release, assign.file if assign else "")

    def calls(self, wanted: Callable[[str], bool] = lambda _: True) -> tuple[AllocationCall, ...]:
        """Every call into the allocator from outside the runtime, in address order, in functions
        that hold code of source files that are wanted, of their own or inlined."""
        units = self._units_with(wanted)
        allocations: list[AllocationCall] = []
        for function, calls in self._by_function(self._direct):
            if function.unit not in units or in_runtime(function.name):
                continue
            if self._holds(function, wanted):
                allocations += self._calls_of(function, calls)
        return tuple(allocations)

    def _holds(self, function: Function, wanted: Callable[[str], bool]) -> bool:
        numbers = set(self._lines.runs(function.pcfile).values)
        return any(wanted(self._lines.file_name(function.unit, n)) for n in numbers)

    def runtime_calls(self, functions: Iterable[Function]) -> Iterator[DirectCall]:
        """The calls of whatever function of the runtime in the code of these functions."""
        entries = [f.entry for f in self._lines.functions() if in_runtime(f.name)]
        ranges = sorted((f.entry, f.end) for f in functions)
        starts = [low for low, _ in ranges]
        for call in calls_to(self._program.elf.code(), entries):
            at = bisect_right(starts, call.pc) - 1
            if at >= 0 and call.pc < ranges[at][1] and not call.jump:
                yield call

    def allocator_calls(self, owners: Iterable[int]) -> AllocatorCalls:
        """The runtime's own calls of its allocator, to be counted for the return addresses
        `owners`."""
        return replace(self._allocator_calls, owners=tuple(owners))

    @cached_property
    def _allocator_calls(self) -> AllocatorCalls:
        """Of no owners, the same in each run.

        The allocator is left out of the runtime's ranges: what it makes itself on the way, when
        it starts the collector, is nobody's.
        """
        functions = [f for f in self._lines.functions() if in_runtime(f.name)]
        forms = [f.entry for f in functions if is_malloc(f.name)]
        targets: list[tuple[int, int]] = []
        for function, calls in self._by_function(calls_to(self._program.elf.code(), forms)):
            if in_runtime(function.name) and not is_malloc(function.name):
                true = verified(calls, self.code_of(function), function.entry)
                targets += [(c.pc, c.target) for c in true if not c.jump]
        layout = self._program.facts.layout
        return AllocatorCalls(
            tuple(targets),
            tuple(forms),
            (),
            tuple(merged([(f.entry, f.end) for f in functions if not is_malloc(f.name)])),
            (self._lines.low, self._lines.high),
            (layout.offset("g", "m"), layout.offset("m", "curg")),
        )

    def may_allocate(self, calls: Iterable[DirectCall]) -> Iterator[AllocationCall]:
        """Those of some calls of the runtime that may allocate, but for panics."""
        functions = self._lines.functions()
        entries = {f.entry for f in functions if may_allocate(f.name, self.by_steps)}
        return (self.call_at(call) for call in calls if call.target in entries)

    def call_at(self, call: DirectCall) -> AllocationCall:
        """A call of any function of the runtime, which was seen to allocate."""
        function, callee = self._lines.function_at(call.pc), self._lines.function_at(call.target)
        frames = tuple(self._lines.inline_stack(function, call.pc)) if function else ()
        return AllocationCall(
            call.pc,
            call.target,
            function.entry if function else 0,
            bookkeeping(callee.name if callee else ""),
            frames,
            {},
        )

    @cached_property
    def _direct(self) -> list[DirectCall]:
        return [c for c in calls_to(self._program.elf.code(), self.allocators) if not c.jump]

    def _by_function(
        self, calls: Iterable[DirectCall]
    ) -> Iterator[tuple[Function, list[DirectCall]]]:
        function, group = None, list[DirectCall]()
        for call in calls:
            if function is None or not function.entry <= call.pc < function.end:
                if function and group:
                    yield function, group
                function, group = self._lines.function_at(call.pc), []
            if function:
                group.append(call)
        if function and group:
            yield function, group

    def _calls_of(self, function: Function, calls: list[DirectCall]) -> Iterator[AllocationCall]:
        code = self.code_of(function)
        known = known_at(code, function.entry, {call.pc for call in calls})
        for call in calls:
            if call.pc not in known:  # bytes that only look like a call
                continue
            allocator = self.allocators[call.target]
            slot = allocator.slots.get(allocator.type)
            value = known[call.pc].get(slot.register) if slot else None
            yield AllocationCall(
                call.pc,
                call.target,
                function.entry,
                allocator,
                tuple(self._lines.inline_stack(function, call.pc)),
                known[call.pc],
                value.value if isinstance(value, Constant) and value.address else 0,
            )

    def code_of(self, function: Function) -> bytes:
        return self._program.elf.read(function.entry, function.end - function.entry)

    def functions_outside(self) -> Iterator[Function]:
        """All machine functions but the runtime's."""
        return (f for f in self._lines.functions() if not in_runtime(f.name))

    def functions_in(self, wanted: Callable[[str], bool]) -> Iterator[Function]:
        """The machine functions whose own source file (that of their entry) is wanted."""
        units = self._units_with(wanted)
        for index, unit in enumerate(self._lines.units_of_functions()):
            if unit in units:
                function = self._lines.function(index)
                if wanted(function.file):
                    yield function

    def _units_with(self, wanted: Callable[[str], bool]) -> set[int]:
        """The compilation units that name such a file: asking each function takes too long."""
        starts = sorted(set(self._lines.units_of_functions()))
        total = len(self._lines.unit_files())
        return {
            start
            for start, end in zip(starts, [*starts[1:], total], strict=True)
            if start < total
            and any(wanted(self._lines.file_name(start, n)) for n in range(min(end, total) - start))
        }


def in_runtime(name: str) -> bool:
    """Whether a function belongs to Go's runtime, whose allocations count for its callers."""
    # runtime/internal/... moved to internal/runtime/... in Go 1.23 and 1.24.
    return name.startswith(("runtime.", "internal/runtime/", "runtime/internal/"))
