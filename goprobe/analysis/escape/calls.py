"""Where a binary's code allocates: every call into Go's allocator, with its place in the source.

No diagnostics are needed for this and no run: the machine code is the truth. Go's line tables
have no columns, so a call is known by file, line, function and by the calls through which its
source was inlined there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property

import msgspec

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.arch.machinecode import calls_to, indirect_calls, known_at, verified
from goprobe.arch.machinefacts import Constant, DirectCall, Known, StackAddress
from goprobe.binary.pcln.format import Function
from goprobe.process.tracer.ledger import AllocatorCalls, merged
from goprobe.runtime.allocatorcalls import Allocates, Allocator, Family
from goprobe.runtime.allocators import (
    allocators_for,
    is_malloc,
    maps_grow_by_steps,
    specialised,
)
from goprobe.runtime.entries import Effect, Entry, entry_of
from goprobe.runtime.image.program import GoProgram

# Of a nil pointer's method a wrapper panics (runtime.panicwrap).
_NEVER = frozenset((Effect.NEVER, Effect.GROWS, Effect.PANICS))
# What these make for a wrapper is its own: the one line of the runtime's tracebacks and profiles at
# which it stands (elideWrapperCalling, runtime/traceback.go, Go 1.21 to 1.27).
_WRAPPERS_OWN = frozenset(("runtime.panicwrap", "runtime.sigpanic"))
# Parameters of mallocgc and of its specialised forms.
_UNTYPED = ("size", "typ", "needzero")


class CodeMap:
    """The allocating code of a binary. Addresses are link-time ones."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program
        self._lines = program.lines
        self._release = program.go.major, program.go.minor
        self._units: dict[Callable[[str], bool], set[int]] = {}

    @cached_property
    def allocators(self) -> dict[int, Allocator]:
        """By entry, those that this binary holds."""
        wanted = allocators_for(self._release)
        allocators = {}
        for name in self._lines.names():
            allocator = wanted.get(name) or specialised(name)
            if allocator and allocator.allocates is not Allocates.NONE:
                for function in self._lines.functions_named(name):
                    allocators[function.entry] = allocator
        return allocators

    @property
    def in_the_runtime(self) -> tuple[Function, ...]:
        """The functions of Go's runtime, whose allocations count for its callers."""
        return self._parted[0]

    @cached_property
    def _parted(self) -> tuple[tuple[Function, ...], tuple[Function, ...]]:
        """All machine functions: the runtime's, and the others."""
        parts: tuple[list[Function], list[Function]] = [], []
        for function in self._lines.functions():
            parts[not self.in_runtime(function)].append(function)
        return tuple(parts[0]), tuple(parts[1])

    def in_runtime(self, function: Function) -> bool:
        """Some have other packages' names, which declare them (//go:linkname): reflect.unsafe_New,
        internal/bytealg.MakeNoZero, maps.clone. They are compiled with the runtime all the same."""
        return has_runtime_name(function.name) or function.unit == self._unit

    @cached_property
    def _unit(self) -> int:
        """The runtime's compilation unit; -1 where it has none, and is known by its names alone."""
        malloc = self._lines.function_named("runtime.mallocgc")
        return malloc.unit if malloc else -1

    @cached_property
    def by_steps(self) -> bool:
        """What `maps_grow_by_steps` says of this binary."""
        assign = self._lines.function_named("runtime.mapassign")
        return maps_grow_by_steps(self._release, assign.file if assign else "")

    def calls(
        self,
        wanted: Callable[[str], bool] = lambda _: True,
        besides: Callable[[Function], bool] = lambda _: False,
    ) -> tuple[AllocationCall, ...]:
        """Every call into the allocator from outside the runtime, in address order, in functions
        that hold code of source files that are wanted, of their own or inlined, and in those
        `besides`."""
        functions = self._functions_of(self._units_with(wanted))
        direct = (c for c in calls_to(self._code(functions), self.allocators) if not c.jump)
        allocations: list[AllocationCall] = []
        for function, calls in self._by_function(direct):
            if self.in_runtime(function):
                continue
            if self._holds(function, wanted) or besides(function):
                allocations += self._calls_of(function, calls)
        return tuple(allocations)

    def holding(self, wanted: Callable[[str], bool]) -> Iterator[Function]:
        """The machine functions that hold code of source files that are wanted, inlined perhaps."""
        functions = self._functions_of(self._units_with(wanted))
        return (f for f in functions if self._holds(f, wanted))

    def _holds(self, function: Function, wanted: Callable[[str], bool]) -> bool:
        numbers = set(self._lines.runs(function.pcfile).values)
        return any(wanted(self._lines.file_name(function.unit, n)) for n in numbers)

    def runtime_calls(self, functions: Iterable[Function]) -> Iterator[DirectCall]:
        """The calls of whatever function of the runtime in the code of these functions."""
        entries = [function.entry for function in self.in_the_runtime]
        return (call for call in calls_to(self._code(functions), entries) if not call.jump)

    def calls_by_address(self, functions: Iterable[Function]) -> Iterator[tuple[int, int]]:
        """The calls of methods by interfaces and of function values in the code of these functions:
        where they are, and where they return to. What they call may be the runtime's own."""
        return indirect_calls(self._code(functions))

    def allocator_calls(self, owners: Iterable[int] = ()) -> AllocatorCalls:
        """The runtime's own calls of its allocator, to be counted for the return addresses
        `owners`.

        The allocator is left out of the runtime's ranges: what it makes itself on the way, when
        it starts the collector, is nobody's. What wrappers hand on is their callers'.
        """
        functions = self.in_the_runtime
        forms = [f.entry for f in functions if is_malloc(f.name)]
        targets = self._own_calls(frozenset(forms), is_malloc)
        layout = self._program.facts.layout
        passed = [f for f in functions if not is_malloc(f.name) and f.name not in _WRAPPERS_OWN]
        passed += self._handing_on()
        return AllocatorCalls(
            targets,
            tuple(forms),
            tuple(owners),
            tuple(merged([(f.entry, f.end) for f in passed])),
            (self._lines.low, self._lines.high),
            (layout.offset("g", "m"), layout.offset("m", "curg")),
        )

    def sweeps(self) -> tuple[tuple[int, int], ...]:
        """The calls by which the collector begins to sweep, and what they call: nothing that was
        in use is given back before (runtime/mgc.go, Go 1.21 to 1.27)."""
        sweep = self._lines.function_named("runtime.gcSweep")
        return self._own_calls({sweep.entry}, lambda _: False) if sweep else ()

    @cached_property
    def _to_the_runtimes_own(self) -> list[DirectCall]:
        """What seem to be the runtime's calls of those functions of its own that are asked for: its
        code is looked through once."""
        forms = {f.entry for f in self.in_the_runtime if is_malloc(f.name)}
        sweep = self._lines.function_named("runtime.gcSweep")
        return calls_to(
            self._code(self.in_the_runtime), forms | ({sweep.entry} if sweep else set())
        )

    def _own_calls(
        self, targets: Collection[int], besides: Callable[[str], bool]
    ) -> tuple[tuple[int, int], ...]:
        """The runtime's calls of these functions of its own, from others than `besides`."""
        own: list[tuple[int, int]] = []
        those = (call for call in self._to_the_runtimes_own if call.target in targets)
        for function, calls in self._by_function(those):
            if not besides(function.name):
                true = verified(calls, self.code_of(function), function.entry)
                own += [(c.pc, c.target) for c in true if not c.jump]
        return tuple(own)

    def _handing_on(self) -> list[Function]:
        """The wrappers of other packages that do nothing but call a method by its address, an
        embedded interface's say: what that comes to allocate is the doing of their callers."""
        outside = list(filter(self._lines.wraps, self.functions_outside()))
        entries = [f.entry for f in self.in_the_runtime if not self._never(f.name)]
        own = self._by_function(calls_to(self._code(outside), entries))
        with_calls = {function.entry for function, _ in own}
        return [f for f in outside if f.entry not in with_calls]

    def _never(self, symbol: str) -> bool:
        entry = self.entry(symbol)
        return entry is not None and entry.effect in _NEVER

    def code_outside(self) -> Iterator[tuple[bytes, int]]:
        """The code of all but the runtime, and where it lies."""
        return self._code(self.functions_outside())

    def entry(self, symbol: str) -> Entry | None:
        """What the table of the runtime says of a function."""
        return entry_of(symbol, self._release, self.by_steps)

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
            given = _Given(allocator, known[call.pc])
            type_ = given.of(allocator.type)
            yield AllocationCall(
                call.pc,
                call.target,
                function.entry,
                allocator.symbol,
                self._release,
                tuple(self._lines.inline_stack(function, call.pc)),
                type_.value if isinstance(type_, Constant) and type_.address else 0,
                given.of(allocator.buffer),
                given.for_several_variables,
            )

    def code_of(self, function: Function) -> bytes:
        return self._program.elf.read(function.entry, function.end - function.entry)

    def _code(self, functions: Iterable[Function]) -> Iterator[tuple[bytes, int]]:
        """The code of functions, and where it lies: in one piece what lies together."""
        for low, high in merged([(f.entry, f.end) for f in functions]):
            yield self._program.elf.read(low, high - low), low

    def functions_outside(self) -> tuple[Function, ...]:
        """All machine functions but the runtime's."""
        return self._parted[1]

    def functions_in(self, wanted: Callable[[str], bool]) -> Iterator[Function]:
        """The machine functions whose own source file (that of their entry) is wanted."""
        return (f for f in self._functions_of(self._units_with(wanted)) if wanted(f.file))

    def _functions_of(self, units: Collection[int]) -> Iterator[Function]:
        """The machine functions of compilation units."""
        for index, unit in enumerate(self._lines.units_of_functions()):
            if unit in units:
                yield self._lines.function(index)

    def _units_with(self, wanted: Callable[[str], bool]) -> set[int]:
        """The compilation units that name such a file: asking each function takes too long."""
        if wanted not in self._units:
            self._units[wanted] = self._read_units_with(wanted)
        return self._units[wanted]

    def _read_units_with(self, wanted: Callable[[str], bool]) -> set[int]:
        starts = sorted(set(self._lines.units_of_functions()))
        total = len(self._lines.unit_files())
        return {
            start
            for start, end in zip(starts, [*starts[1:], total], strict=True)
            if start < total
            and any(wanted(self._lines.file_name(start, n)) for n in range(min(end, total) - start))
        }


class _Given(msgspec.Struct, frozen=True):
    """What is certain of a call's arguments before any run."""

    allocator: Allocator
    known: Known

    def of(self, parameter: str) -> Constant | StackAddress | None:
        slot = self.allocator.slots.get(parameter)
        return self.known.get(slot.register) if slot else None

    @property
    def for_several_variables(self) -> bool:
        # mallocgc(size, nil, needzero): without a type there are no pointers in it, and nobody has
        # named it (runtime/malloc.go).
        words = [self.of(name) for name in _UNTYPED if name in self.allocator.slots]
        return (
            self.allocator.family is Family.OBJECT
            and len(words) == len(_UNTYPED)
            and all(isinstance(word, Constant) and not word.address for word in words)
            and words[1] == Constant(0, False)
        )


def has_runtime_name(name: str) -> bool:
    """Whether a function bears the runtime's name."""
    # runtime/internal/... moved to internal/runtime/... in Go 1.23 and 1.24.
    return name.startswith(("runtime.", "internal/runtime/", "runtime/internal/"))
