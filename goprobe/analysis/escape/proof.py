"""Promises that reach into callees: what the code can come to do, whoever calls whom.

`noalloc deep` holds where no chain of calls leads from the promise to the allocator; broken, the
shortest one is told. What cannot be followed (a function value, an interface method, C) is a hole:
with one the promise is not known to hold. Panics and the growth of stacks are apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from goprobe.analysis.escape.callgraph import CallEdge, CallGraph
from goprobe.binary.pcln.format import Function, SourceFrame
from goprobe.model.escape import Hole, Proof, ProofVerdict, SourceLine
from goprobe.runtime.entries import Effect, tells_of_stacks

_MOST_HOLES = 20
_MOST_FUNCTIONS = 200_000
_ONCE = "sync.(*Once).doSlow"
ONCE_CALLS = frozenset((_ONCE, "sync.(*Once).Do"))
"""What a literal is given to that runs once (src/sync/once.go, Go 1.21 to 1.27)."""

BREAKS: dict[str, frozenset[Effect]] = {
    "noalloc": frozenset((Effect.ALLOCATES, Effect.MAY, Effect.ASSERTS)),
    "nosplit": frozenset((Effect.GROWS,)),
    "nodynamic": frozenset(),
    "noassert": frozenset((Effect.ASSERTS,)),
}


class Question(msgspec.Struct, frozen=True):
    """`deep`: callees too. `once`: after the first call of sync.Once. `exempt` says why the code
    of a source line may do as it likes, "" where it may not."""

    word: str
    deep: bool
    once: bool
    exempt: Callable[[SourceFrame], str]


class _Step(msgspec.Struct, frozen=True):
    """A function on the way, and the call by which one came to it."""

    function: Function
    before: _Step | None
    edge: CallEdge | None


Root = tuple[Function, CallEdge]


class Proven(msgspec.Struct, frozen=True):
    """`panics` are the calls (pc) by which what was followed may come to panic: a proof leaves them
    out, and what the runtime allocates to describe one that is recovered."""

    proof: Proof
    panics: frozenset[int]


class Prover:
    def __init__(self, graph: CallGraph, canonical: Callable[[str], str]) -> None:
        self._graph, self._canonical = graph, canonical

    def prove(self, question: Question, roots: Sequence[Root]) -> Proven:
        """Of code that makes the calls `roots`, each in its function."""
        search = _Search(self._graph, question)
        return Proven(self._proof(search, search.run(roots)), frozenset(search.panics))

    def _proof(self, search: _Search, broken: tuple[_Step, CallEdge] | None) -> Proof:
        if broken is not None:
            step, edge = broken
            return Proof(
                ProofVerdict.BROKEN,
                tuple(self._chain(step, edge)),
                edge.entry.why if edge.entry else self._graph.hole(step.function, edge),
                search.functions,
                exempt=tuple(search.exempt),
            )
        holes = tuple(
            Hole(self._graph.hole(step.function, edge), tuple(self._chain(step, edge)))
            for step, edge in search.holes[:_MOST_HOLES]
        )
        return Proof(
            ProofVerdict.UNKNOWN if holes else ProofVerdict.PROVED,
            (),
            holes[0].why if holes else "",
            search.functions,
            holes=holes,
            exempt=tuple(search.exempt),
        )

    def _chain(self, step: _Step, edge: CallEdge) -> Iterator[SourceLine]:
        """The calls from the root to the last one, and what that calls."""
        steps: list[tuple[Function, CallEdge]] = [(step.function, edge)]
        while step.before is not None and step.edge is not None:
            steps.append((step.before.function, step.edge))
            step = step.before
        for function, call in reversed(steps):
            frames = self._graph.place(function, call.pc)
            for frame in reversed(frames):
                yield SourceLine(frame.function, self._canonical(frame.file), frame.line)
        if edge.name:
            yield SourceLine(edge.name, "", 0)


class _Search:
    """Breadth first, so that the first chain is a shortest one."""

    def __init__(self, graph: CallGraph, question: Question) -> None:
        self._graph, self._question = graph, question
        self._seen: set[int] = set()
        self._open: list[tuple[_Step, CallEdge]] = []
        self._bad: set[int] = set()
        self._breaks = BREAKS[question.word]
        self.holes: list[tuple[_Step, CallEdge]] = []
        self.exempt: dict[str, None] = {}
        self.panics: set[int] = set()

    @property
    def functions(self) -> int:
        """How many were followed."""
        return len(self._seen)

    def run(self, roots: Sequence[Root]) -> tuple[_Step, CallEdge] | None:
        """What breaks the promise for certain. What only may be called is looked at last: where
        that breaks it, nobody can tell whether it does."""
        steps = [_Step(function, None, None) for function, _ in roots]
        edges = list(zip(steps, (edge for _, edge in roots), strict=True))
        broken = next(self._breaking(edges), None)
        if broken is not None:
            return broken
        while self._open:
            step, edge = self._open.pop()
            self._follow_methods(step, edge)
        return None

    def _breaking(self, edges: list[tuple[_Step, CallEdge]]) -> Iterator[tuple[_Step, CallEdge]]:
        """The calls that break the promise, from these on, the nearest first."""
        while edges:
            following: list[_Step] = []
            for step, edge in edges:
                if self._is_broken(step, edge):
                    yield step, edge
                if (callee := self._callee(step, edge)) is not None:
                    following.append(_Step(callee, step, edge))
            edges = [(s, e) for s in following for e in self._graph.calls(s.function)]

    def _follow_methods(self, step: _Step, edge: CallEdge) -> None:
        """An interface call is no hole where nothing that it may lead to breaks the promise."""
        methods = self._graph.methods(step.function, edge)
        fresh = [m for m in methods if m.entry not in self._seen]
        self._seen.update(m.entry for m in fresh)
        after = [_Step(m, step, edge) for m in fresh]
        edges = [(s, e) for s in after for e in self._graph.calls(s.function)]
        broken = next(self._breaking(edges), None)
        if broken is not None or any(m.entry in self._bad for m in methods) or not methods:
            self._bad.update(m.entry for m in methods)
            self.holes.append((step, edge))

    def _is_broken(self, step: _Step, edge: CallEdge) -> bool:
        """Whether this call breaks the promise. Holes are noted."""
        dynamic = self._question.word == "nodynamic" and not edge.callee and bool(edge.hole)
        ends = edge.entry is not None and edge.entry.effect in self._breaks
        if edge.entry is not None and edge.entry.effect is Effect.PANICS:
            if not self._is_exempt(step, edge):
                self.panics.add(edge.pc)
            return False
        if not (dynamic or ends or edge.hole) or self._is_exempt(step, edge):
            return False
        if edge.hole and not dynamic:
            if self._question.deep:
                (self._open if edge.method else self.holes).append((step, edge))
            return False
        return True

    def _is_exempt(self, step: _Step, edge: CallEdge) -> bool:
        for frame in self._graph.place(step.function, edge.pc):
            if why := self._question.exempt(frame):
                self.exempt.setdefault(why)
                return True
        return False

    def _ends(self, edge: CallEdge) -> bool:
        """Whether the table of the runtime has said all that is asked of a callee. Of stacks it
        says nothing: there the runtime's code is followed like any other."""
        if self._question.word == "nosplit":
            return tells_of_stacks(edge.name, edge.entry)
        return edge.entry is not None

    def _callee(self, step: _Step, edge: CallEdge) -> Function | None:
        """The function to be followed from a call, None where there is none or it was."""
        if not self._question.deep or edge.hole or not edge.callee or self._ends(edge):
            return None
        if edge.callee in self._seen:
            return None
        if len(self._seen) > _MOST_FUNCTIONS:
            far = CallEdge(
                edge.pc, 0, edge.name, None, "there are more functions than are followed"
            )
            self.holes.append((step, far))
            return None
        # A variable of the function's own breaks the promise by itself: it is moved to the heap.
        if self._question.once and edge.name == _ONCE:
            self.exempt.setdefault("after the first call of each sync.Once")
            return None
        if self._is_exempt(step, edge):
            return None
        self._seen.add(edge.callee)
        return self._graph.function(edge.callee)
