"""What the machine code proves of promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from goprobe.analysis.escape.callgraph import CallGraph
from goprobe.analysis.escape.promisedplaces import PromisedPlaces
from goprobe.analysis.escape.promises import Promise
from goprobe.analysis.escape.proof import ONCE_CALLS, Proven, Prover, Question, Root
from goprobe.binary.pcln.format import Function
from goprobe.model.escape import Proof, ProofVerdict, SourceLine


class Proofs:
    """Of one binary."""

    def __init__(
        self,
        graph: CallGraph,
        canonical: Callable[[str], str],
        places: PromisedPlaces,
    ) -> None:
        self._places, self._canonical = places, canonical
        self._graph = graph
        self._prover = Prover(self._graph, canonical)

    def of(self, promise: Promise, functions: Iterable[Function], doubt: str = "") -> Proven:
        """`functions` are those in whose code the promise's own lies; `doubt` says why some of
        what it allocates may not be known."""
        functions = list(functions)
        if not functions:
            return Proven(Proof(ProofVerdict.UNKNOWN, (), "there is no code of it", 0), frozenset())
        roots = [root for function in functions for root in self._roots(promise, function)]
        question = Question(promise.word, promise.deep, promise.once, self._places.exempt)
        proven = self._prover.prove(question, roots)
        if doubt and promise.word == "noalloc" and proven.proof.verdict is ProofVerdict.PROVED:
            return replace(
                proven, proof=replace(proven.proof, verdict=ProofVerdict.UNKNOWN, why=doubt)
            )
        return proven

    def once(self, promise: Promise, functions: Iterable[Function]) -> Iterator[SourceLine]:
        """The lines of the promise's own code from which a sync.Once is called."""
        for function in functions:
            for step, edge in self._roots(promise, function):
                for frame in self._graph.place(step, edge.pc):
                    if edge.name in ONCE_CALLS and not frame.function.startswith("sync."):
                        yield SourceLine(frame.function, self._canonical(frame.file), frame.line)
                        break

    def _roots(self, promise: Promise, function: Function) -> Iterator[Root]:
        """The calls that stand in the promise's lines, of literals in it those inlined alone: the
        others are another function's once they are called."""
        speaks = self._places.speaks
        for edge in self._graph.calls(function):
            frames = self._graph.place(function, edge.pc)
            if any(speaks(promise, frame.function, frame.file, frame.line) for frame in frames):
                yield function, edge
