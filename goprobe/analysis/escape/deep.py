"""Promises that the machine code is to prove, each with its proof and what the run showed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from goprobe.analysis.escape.callgraph import CallGraph
from goprobe.analysis.escape.judgement import Judgement, PromisedCode, judge, not_there
from goprobe.analysis.escape.promises import ALLOW, Promise
from goprobe.analysis.escape.proof import Prover, Question, Root
from goprobe.binary.pcln.format import Function, SourceFrame
from goprobe.model.escape import NOT_RUN, Assertion, Proof, ProofVerdict, SourceLine
from goprobe.runtime.image.program import GoProgram

_LITERAL = re.compile(r"\.func\d+")
_TYPE_ARGUMENTS = re.compile(r"\[.*?\](?=\.|\)|$)")
_WHAT = {
    "noalloc": "allocates",
    "nosplit": "grows its stack",
    "nodynamic": "calls what is known only when it runs",
    "noassert": "looks up the methods of a type",
}


class DeepPromises:
    """Of one binary; `promises` are all of its source, exemptions among them; `lines` gives those
    of a source file that is as it was built, by its name in the binary."""

    def __init__(
        self,
        program: GoProgram,
        canonical: Callable[[str], str],
        promises: Sequence[Promise],
        lines: Callable[[str], Sequence[str]],
    ) -> None:
        self._program, self._canonical = program, canonical
        self._graph = CallGraph(program, lines)
        self._prover = Prover(self._graph, canonical)
        self._proofs: dict[Promise, Proof] = {}
        self._exemptions = [p for p in promises if p.word == ALLOW and not p.problem]

    def exempt(self, frame: SourceFrame) -> str:
        """Why the code of a line may allocate, "" where it may not."""
        file = self._canonical(frame.file)
        return next((e.reason for e in self._exemptions if e.holds(file, frame.line)), "")

    def exempts(self, place: SourceLine) -> bool:
        return any(e.holds(place.file, place.line) for e in self._exemptions)

    def check(
        self, promise: Promise, functions: Iterable[Function], code: PromisedCode
    ) -> Assertion:
        """`functions` are those in whose code the promise's own lies, `code` what the run saw."""
        if promise.problem:
            return _assertion(promise, Judgement(False, promise.problem))
        if not code.there:
            return _assertion(promise, not_there(code))
        ran = _seen(promise, code)
        proof = replace(self._proof(promise, functions), ran=ran)
        if promise.word == "noalloc" and self._allocated(code):
            return _assertion(promise, Judgement(False, f"it did: {ran}"), proof)
        return _assertion(promise, _judged(promise, proof), proof)

    def _proof(self, promise: Promise, functions: Iterable[Function]) -> Proof:
        """The same however often the program is run."""
        known = self._proofs.get(promise)
        if known is None:
            roots = [root for f in functions for root in self._roots(promise, f)]
            question = Question(promise.word, promise.deep, promise.once, self.exempt)
            known = self._proofs[promise] = self._prover.prove(question, roots)
        return known

    def _allocated(self, code: PromisedCode) -> bool:
        """Whether the promise's own code was seen to allocate, but for panics."""
        return any(not self._graph.panics(call.callee) for _, call in code.allocating)

    def _roots(self, promise: Promise, function: Function) -> Iterator[Root]:
        """The calls that stand in the promise's lines, of literals in it those inlined alone: the
        others are another function's once they are called."""
        for edge in self._graph.calls(function):
            frames = self._graph.place(function, edge.pc)
            if any(
                self.speaks(promise, frame.function, frame.file, frame.line) for frame in frames
            ):
                yield function, edge

    def speaks(self, promise: Promise, function: str, file: str, line: int) -> bool:
        """Whether it is the promise's own code. A literal is a function of its own."""
        if promise.named and is_named(function, promise.named):
            return True
        if promise.function and promise.is_proven and _LITERAL.search(function):
            return False
        return promise.holds(self._canonical(file), line)


def without_type_arguments(function: str) -> str:
    return _TYPE_ARGUMENTS.sub("", function)


def is_named(function: str, named: str) -> bool:
    """Whether a function is the one that a user calls so: with its package's whole path, or the
    last part of that."""
    plain = without_type_arguments(function)
    return named in (function, plain) or plain.endswith(f"/{named}")


def _judged(promise: Promise, proof: Proof) -> Judgement:
    what = _WHAT[promise.word]
    if proof.verdict is ProofVerdict.BROKEN:
        end = proof.chain[-1].function if proof.chain else ""
        why = f": {proof.why}" if proof.why else ""
        return Judgement(False, f"it may come to {end}, which {what}{why}")
    if proof.verdict is ProofVerdict.UNKNOWN:
        return Judgement(False, f"cannot be proved: {proof.why}", known=False)
    callees = f" and none of the {proof.functions} functions that it comes to"
    more = callees if promise.deep and proof.functions else ""
    said = f"proved: no code of it{more} {what}"
    exempt = f"; but for what is allowed: {'; '.join(proof.exempt)}" if proof.exempt else ""
    return Judgement(True, said + exempt)


def _seen(promise: Promise, code: PromisedCode) -> str:
    """What the run says of the promise's own lines."""
    if not code.started:
        return NOT_RUN
    if promise.word != "noalloc":
        return "it ran" if code.executed else "never ran, as far as was seen"
    return judge("noalloc", code).why


def _assertion(promise: Promise, judgement: Judgement, proof: Proof | None = None) -> Assertion:
    made = Assertion(
        promise.file, promise.line, promise.text, judgement.held, judgement.why, judgement.known
    )
    return made if proof is None else replace(made, proof=proof)
