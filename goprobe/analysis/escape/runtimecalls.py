"""Which calls may come to allocate in the runtime's own code, on the part of the line that calls.

Of a direct call the table of the runtime tells, or the runtime's own code. A call of an interface's
method may lead to the runtime's where one has its name. A function value may be one of the
runtime's where code or data outside of it takes the address of one that allocates: the compiler
lays down a word for each function that is used as a value, and takes that word's address; closures
and method values hold the code's own address, and so do the dictionaries of generic code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.callgraph import CallEdge, CallGraph
from goprobe.analysis.escape.calls import CodeMap, has_runtime_name
from goprobe.analysis.escape.methods import method_name
from goprobe.analysis.escape.proof import Prover, Question
from goprobe.arch.machinecode import addresses_taken
from goprobe.binary.elf.image import Image
from goprobe.binary.pcln.format import Function
from goprobe.model.escape import ProofVerdict
from goprobe.runtime.entries import Effect
from goprobe.runtime.image.program import GoProgram

_MAY = frozenset((Effect.ALLOCATES, Effect.MAY, Effect.ASSERTS))
_ANYTHING = Question("noalloc", deep=True, once=False, exempt=lambda _: "")
_DICTIONARY = "..dict."  # cmd/compile/internal/typecheck, DictPrefix


class RuntimeCalls:
    """`standard` says of a function whether it is the standard library's, and not looked at: what
    that takes of the runtime it calls itself (runtime/pprof its profiles, internal/poll its
    beginning by a sync.Once, crypto/fips140 the end of a bypass; Go 1.21 to 1.27)."""

    def __init__(
        self,
        program: GoProgram,
        code: CodeMap,
        graph: CallGraph,
        standard: Callable[[Function], bool],
    ) -> None:
        self._program, self._code, self._graph = program, code, graph
        self._standard = standard
        self._prover = Prover(graph, str)
        self._known: dict[int, bool] = {}

    def may(self, function: Function) -> bool:
        """Whether a function of the runtime may allocate, but for panics. What C or the functions
        that are deferred come to do is not its own."""
        known = self._known.get(function.entry)
        if known is None:
            entry = self._code.entry(function.name)
            known = entry.effect in _MAY if entry else self._leads_to_memory(function)
            self._known[function.entry] = known
        return known

    def _leads_to_memory(self, function: Function) -> bool:
        roots = [(function, edge) for edge in self._graph.calls(function)]
        proof = self._prover.prove(_ANYTHING, roots).proof
        return proof.verdict is not ProofVerdict.PROVED

    def direct(self, pc: int, target: int) -> bool:
        """Whether a call of the runtime may allocate, or what that calls then."""
        function = self._graph.function(target)
        if function is None:
            return False
        entry = self._code.entry(function.name)
        if entry is not None and entry.effect is Effect.RUNS_DEFERRED:
            return self._runs_deferred(pc) and self.are_values
        return self.may(function)

    def _runs_deferred(self, pc: int) -> bool:
        """Whether the function of a call leaves what it defers to the runtime."""
        return any(edge.pc == pc for edge in self._edges(pc))

    def by_address(self, call: AllocationCall) -> bool:
        """Whether what looks like a call by an address is one, and may come to allocate in the
        runtime."""
        edge = self._edge(call)
        if edge is None:
            return False
        if edge.callee:
            callee = self._graph.function(edge.callee)
            return callee is not None and self._is_such(callee)
        if not edge.method:
            return self.are_values
        names = self._graph.method_names(call.frames)
        methods = (f for name in names for f in self._methods.get(name, ()))
        return not names or any(map(self.may, methods))

    def _is_such(self, function: Function) -> bool:
        return self._code.in_runtime(function) and self.may(function)

    def _edge(self, call: AllocationCall) -> CallEdge | None:
        """A prefix may stand before what was found of the instruction."""
        return next((e for e in self._edges(call.pc) if e.pc in (call.pc, call.pc - 1)), None)

    def _edges(self, pc: int) -> tuple[CallEdge, ...]:
        """All that the function of a call calls."""
        function = self._graph.function(pc)
        return self._graph.calls(function) if function else ()

    @cached_property
    def _methods(self) -> dict[str, list[Function]]:
        """The runtime's, by the last part of their names."""
        known: dict[str, list[Function]] = {}
        for function in self._code.in_the_runtime:
            if ")." in function.name or function.name.count(".") > 1:
                known.setdefault(method_name(function.name), []).append(function)
        return known

    @cached_property
    def are_values(self) -> bool:
        """Whether any function value may be one of the runtime's that allocates."""
        own = {f.entry: f for f in self._code.in_the_runtime}
        image = Image(self._program.elf)
        words = dict(image.pointers_among(own))
        taken = (own[words.get(at, at)] for at in self._taken(words, own))
        held = (own[words[at]] for at in self._held(image, words))
        return any(map(self.may, taken)) or any(map(self.may, held))

    def _taken(self, words: dict[int, int], own: dict[int, Function]) -> Iterator[int]:
        """The words and functions of the runtime whose address code outside of it takes."""
        wanted = words.keys() | own.keys()
        for pc, target in addresses_taken(self._code.code_outside(), wanted):
            if self._is_outside(pc):
                yield target

    def _is_outside(self, pc: int) -> bool:
        """Whether it is the doing of what is no runtime's, inlined or not."""
        function = self._graph.function(pc)
        if function is None or self._standard(function):
            return False
        return not has_runtime_name(self._graph.place(function, pc)[0].function)

    def _held(self, image: Image, words: dict[int, int]) -> Iterator[int]:
        """The words that variables lead to, or that generic code is given."""
        elf = self._program.elf
        for at, target in image.pointers_among(words):
            symbol = elf.symbol_at(at)
            if symbol is None or not has_runtime_name(symbol.name):
                yield target
        for at in words:
            symbol = elf.symbol_at(at)
            if symbol is not None and _DICTIONARY in symbol.name:
                yield at
