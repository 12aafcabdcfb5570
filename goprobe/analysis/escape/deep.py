"""Promises that the machine code is to prove: the proof, and what the run showed."""

from __future__ import annotations

from msgspec.structs import replace

from goprobe.analysis.escape.judgement import Judgement, PromisedCode, judge, not_there
from goprobe.analysis.escape.promises import Promise
from goprobe.model.escape import NOT_RUN, OF_PANICS, Assertion, Proof, ProofVerdict
from goprobe.runtime.entries import panics

_WHAT = {
    "noalloc": "allocates",
    "nosplit": "grows its stack",
    "nodynamic": "calls what is known only when it runs",
    "noassert": "looks up the methods of a type",
}


def check_proven(
    promise: Promise, proof: Proof, code: PromisedCode, panicked: str = ""
) -> Assertion:
    """`code` is what the run saw of the promise's own, `panicked` where it saw a panic that this
    may have led to."""
    if not code.there:
        return _assertion(promise, not_there(code))
    ran = _seen(promise, code)
    proof = replace(proof, ran=ran)
    if promise.word == "noalloc" and code.allocating:
        if all(panics(call.callee) for _, call in code.allocating):
            proof = replace(proof, exempt=(*proof.exempt, OF_PANICS))
        return _assertion(promise, Judgement(False, f"it did: {ran}"), proof)
    apart = promise.panics_apart or promise.word != "noalloc"
    if panicked and not apart and proof.verdict is ProofVerdict.PROVED:
        # Others may have called it: whether the promise's code did cannot be told.
        why = f"{panicked}, to which it comes, was seen to panic: the records of that are memory"
        proof = replace(proof, verdict=ProofVerdict.UNKNOWN, why=why)
    return _assertion(promise, _judged(promise, proof), proof)


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
