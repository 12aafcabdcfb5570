"""The verdict logic, case by case: pure functions of the evidence."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from goprobe.analysis.escape.codeplaces import Static, StaticKind
from goprobe.analysis.escape.evidence import CallEvidence, Evidence
from goprobe.analysis.escape.verdict import judge
from goprobe.model.address import Address
from goprobe.model.escape import NOTHING, Outcome, Prediction, Verdict
from goprobe.model.location import Kind
from goprobe.runtime.allocatorcalls import Allocator, Family
from goprobe.runtime.allocators import ALLOCATORS

_BY_NAME = {a.name: a for a in ALLOCATORS}
HEAP, STACK, NONE = Prediction.HEAP, Prediction.STACK, Prediction.NONE
V = Verdict


def allocator(name: str) -> Allocator:
    return _BY_NAME[name]


def outcome(kind: str, count: int = 1, name: str = "somewhere") -> Outcome:
    return Outcome(
        kind=kind,
        count=count,
        bytes=8 * count,
        type="int",
        address=Address(0x10),
        name=name,
        opened=count,
    )


def called(
    name: str, *outcomes: Outcome, hits: int = -1, made: int = -1, on_g0: int = 0
) -> CallEvidence:
    """A call; where nothing is said of it each inspected result on the heap was allocated."""
    seen = sum(o.count for o in outcomes)
    heap = sum(o.count for o in outcomes if o.kind == Kind.HEAP)
    return CallEvidence(
        allocator(name),
        seen if hits < 0 else hits,
        seen,
        outcomes,
        heap if made < 0 else made,
        on_g0=on_g0,
    )


def site(prediction: Prediction, *calls: CallEvidence, **more: object) -> Evidence:
    families = frozenset(c.allocator.family for c in calls) or frozenset((Family.OBJECT,))
    return replace(Evidence(prediction=prediction, families=families, calls=calls), **more)


_HEAP, _FRAME = outcome(Kind.HEAP, 3), outcome(Kind.GOROUTINE_STACK, 3)
_STATIC = outcome(Kind.BSS, 3, "runtime.zerobase")
_SAME = outcome(NOTHING, 3)
_ZEROBASE = Static(StaticKind.ZEROBASE, 0x500000, "runtime.zerobase")
_TO_STRING = frozenset((Family.TO_STRING, Family.CONVERT))

CASES: list[tuple[str, Evidence, Verdict, str]] = [
    # Predicted to escape
    ("allocated", site(HEAP, called("newobject", _HEAP)), V.CONFIRMED_HEAP, "3 times"),
    ("once", site(HEAP, called("newobject", outcome(Kind.HEAP))), V.CONFIRMED_HEAP, "once"),
    ("first ones looked at", site(HEAP, called("newobject", _HEAP, hits=1000, made=1000)),
     V.CONFIRMED_HEAP, "1,000 times"),
    ("partly static", site(HEAP, called("convT64", _HEAP, _STATIC)),
     V.CONFIRMED_HEAP, "ran 6 times and allocated 3 times; of 6 inspected 3 in static memory"),
    ("partly nothing", site(HEAP, called("concatstring2", _HEAP, _SAME)),
     V.CONFIRMED_HEAP, "3 without new memory"),
    ("after those looked at", site(HEAP, called("convT64", _STATIC, hits=1003, made=1000)),
     V.CONFIRMED_HEAP, "ran 1,003 times and allocated 1,000 times"),
    ("several in a call", site(HEAP, called("makemap", _HEAP, made=20)),
     V.CONFIRMED_HEAP, "ran 3 times and allocated 20 objects"),
    ("entries of a literal", site(STACK, called("makemap", _FRAME), called("mapassign", made=2)),
     V.SPILLED_TO_HEAP, "2 objects"),
    ("nobody looked", site(HEAP, called("convT64", hits=7)), V.UNOBSERVED, "was not asked"),
    ("in an object that was there", site(HEAP, called("concatstring2", _HEAP, made=0)),
     V.SHARED, "there already"),
    ("grown in the frame", site(HEAP, called("growsliceBuf", _FRAME)),
     V.CONFIRMED_STACK, "never handed on"),
    ("another's buffer", site(HEAP, called("concatstring2", _FRAME)), V.UNOBSERVED, "another's"),
    ("all static", site(HEAP, called("convT64", _STATIC)), V.STATIC, "runtime.zerobase"),
    ("an operand back", site(HEAP, called("concatstring2", _SAME)), V.NO_COPY, "operands"),
    ("in a frame", site(HEAP, called("newobject", _FRAME)), V.CONTRADICTED, "stack frame"),
    ("in C memory", site(HEAP, called("newobject", outcome(Kind.C_HEAP, name="C heap"))),
     V.UNOBSERVED, "C heap"),
    ("never ran", site(HEAP, called("newobject")), V.NOT_REACHED, "runtime.newobject never ran"),
    ("line ran", site(HEAP, called("newobject"), line_ran=True), V.NOT_REACHED,
     "its line ran, its call of runtime.newobject never did"),
    ("never grew", site(HEAP, called("growslice")), V.NOT_REACHED, "ever had to grow"),
    ("cut short", site(HEAP, called("newobject"), unseen="it still ran after 3 s"),
     V.NOT_REACHED, "it still ran after 3 s"),
    ("never returned", site(HEAP, called("newobject", hits=2), looked=32), V.UNOBSERVED, "twice"),
    ("not run", site(HEAP, called("newobject"), ran=False), V.UNOBSERVED, "not run"),
    ("no code", site(HEAP), V.DEAD, "no code for it"),
    ("append with room", site(HEAP, families=frozenset((Family.GROW, Family.CONVERT))), V.DEAD,
     "it has room"),
    ("no code on the line", site(HEAP, code=False), V.DEAD, "no code for this line"),
    ("function gone", site(HEAP, alive=False, code=False), V.DEAD, "not in the binary"),
    ("inlined away", site(HEAP, alive=False, code=False, elsewhere=("a.go:1", "a.go:2")),
     V.DEAD, "inlined at a.go:1, a.go:2"),
    ("static by the code", site(HEAP, statics=(_ZEROBASE,)), V.STATIC, "runtime.zerobase"),
    ("package variable", site(HEAP, global_=True, code=False, alive=False), V.STATIC, "package"),
    # Predicted not to escape
    ("seen in the frame", site(STACK, witness=True, witnessed=2, executed=2),
     V.CONFIRMED_STACK, "stack frame"),
    ("frame never entered", site(STACK, witness=True), V.NOT_REACHED, "never ran"),
    ("its line's code was moved", site(STACK, witness=True, line_shown=False), V.UNOBSERVED,
     "whether its line did"),
    ("in a part that was not entered", site(STACK, witness=True, line_ran=True), V.NOT_REACHED,
     "its line ran"),
    ("a register was put by in a part that was not entered",
     site(STACK, witness=True, line_ran=True, taken=False), V.UNOBSERVED, "it may need none"),
    ("seen a line below", site(STACK, witness=True, witnessed=1, executed=1, below=7),
     V.CONFIRMED_STACK, "line 7 uses"),
    ("a line below never used it", site(STACK, witness=True, below=7, line_ran=True), V.ELIDED,
     "no memory"),
    ("one of two was seen", site(STACK, witness=True, witnessed=1, executed=1, in_part=True,
                                 sharing=2), V.UNOBSERVED, "which were is not known"),
    ("not run, in a frame", site(STACK, witness=True, ran=False), V.UNOBSERVED, "not run"),
    ("frame not found", site(STACK, witness=True, executed=2), V.UNOBSERVED, "no goroutine"),
    ("in registers", site(STACK), V.ELIDED, "no memory"),
    ("buffer used", site(STACK, called("concatstring2", _FRAME)), V.CONFIRMED_STACK, "buffer"),
    ("buffer too small", site(STACK, called("concatstring2", _HEAP)),
     V.SPILLED_TO_HEAP, "32 bytes"),
    ("both", site(STACK, called("concatstring2", _HEAP, _FRAME)),
     V.SPILLED_TO_HEAP, "ran 6 times and allocated 3 times all the same"),
    ("variable make", site(STACK, called("makeslice", _HEAP)), V.SPILLED_TO_HEAP, "not constant"),
    ("the compiler's limit", site(STACK, called("newobject", _HEAP), limits=("too large",)),
     V.SPILLED_TO_HEAP, "too large"),
    ("nobody knows why", site(STACK, called("newobject", _HEAP)),
     V.SPILLED_TO_HEAP, "does not know"),
    ("allocator not needed", site(STACK, called("makeslice"), witness=True, witnessed=1),
     V.CONFIRMED_STACK, "never needed"),
    ("zero-copy", site(STACK, zero_copy=True), V.NO_COPY, "nothing is copied"),
    ("operand's bytes", site(STACK, families=_TO_STRING), V.NO_COPY, "operand"),
    ("static closure", site(STACK, statics=(_ZEROBASE,)), V.STATIC, "nothing is allocated"),
    # Nothing predicted
    ("append grew", site(NONE, called("growslice", _HEAP)), V.UNPREDICTED, "grow the slice"),
    ("channel", site(NONE, called("makechan", _HEAP)), V.UNPREDICTED, "channel"),
    ("go's closure", site(NONE, called("newobject", _HEAP), wrapper=True),
     V.UNPREDICTED, "go or defer"),
    ("another package", site(NONE, called("newobject", _HEAP), foreign=True),
     V.UNPREDICTED, "not asked for"),
    ("looked at often", site(STACK, witness=True, witnessed=32, executed=32, looked=32),
     V.CONFIRMED_STACK, "looked at 32 times"),
    ("goroutine", site(NONE, called("newproc", hits=2, on_g0=1)), V.UNPREDICTED, "1 object"),
    ("goroutine again", site(NONE, called("newproc", hits=2)), V.ELIDED, "had left"),
    ("defer", site(NONE, called("deferproc", hits=2, made=1)), V.UNPREDICTED, "defer"),
    ("defer again", site(NONE, called("deferproc", hits=2)), V.ELIDED, "had left"),
    ("map grew", site(NONE, called("mapassign", _HEAP, made=2)), V.UNPREDICTED, "grow"),
    ("boxes", site(NONE, called("mapassign", _HEAP, made=2), boxed="elements"),
     V.UNPREDICTED, "its elements are larger than 128 bytes"),
    ("map did not grow", site(NONE, called("mapassign", _HEAP, made=0)), V.SHARED, "inside"),
    ("map in the frame", site(NONE, called("mapassign", _FRAME, made=0)),
     V.CONFIRMED_STACK, "frame"),
    ("map not looked at", site(NONE, called("mapassign", hits=5), looked=32),
     V.UNOBSERVED, "5 times"),
    # Slices that leave the frame late
    ("moved", site(HEAP, called("growslice"), called("moveSlice", _HEAP)),
     V.DEFERRED_HEAP, "moved to the heap 3 times"),
    ("outgrew and moved", site(HEAP, called("growslice", _HEAP), called("moveSlice", _HEAP)),
     V.DEFERRED_HEAP, "outgrew the frame 3 times"),
    ("outgrew, not moved", site(HEAP, called("growslice", _HEAP), called("moveSlice")),
     V.CONFIRMED_HEAP, "3 times"),
    # Others
    ("parameter", site(STACK, parameter=True), V.ELIDED, "a parameter"),
    ("leaking parameter", site(NONE, parameter=True, leaks=True), V.ELIDED, "outlives"),
    ("pointer into a stack", site(STACK, dangling=("a global points into it",)),
     V.CONTRADICTED, "a global points into it"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "evidence", "verdict", "words"), CASES, ids=[c[0] for c in CASES])
def test_verdict(name: str, evidence: Evidence, verdict: Verdict, words: str) -> None:
    got, reason = judge(evidence)
    assert got is verdict, reason
    assert words in reason
    assert reason == reason.strip().rstrip(".") and "\n" not in reason and len(reason) < 200


def test_every_verdict_has_a_case() -> None:
    assert {verdict for _, _, verdict, _ in CASES} == set(Verdict)


@pytest.mark.parametrize("prediction", list(Prediction))
@pytest.mark.parametrize("place", [Kind.HEAP, Kind.GOROUTINE_STACK, Kind.RODATA, NOTHING])
@pytest.mark.parametrize("made", ALLOCATORS, ids=lambda a: a.name)
def test_every_combination_is_judged(made: Allocator, place: str, prediction: Prediction) -> None:
    call = CallEvidence(made, 2, 2, (outcome(place, 2),), 2 * (place == Kind.HEAP))
    verdict, reason = judge(
        Evidence(prediction=prediction, families=frozenset((made.family,)), calls=(call,))
    )
    assert reason
    heap_said_stack = place == Kind.HEAP and prediction is STACK
    if heap_said_stack and made.family not in (
        Family.ASSIGN,
        Family.GO,
        Family.DEFER,
        Family.MOVE,
        Family.BOOKKEEPING,
    ):
        assert verdict is V.SPILLED_TO_HEAP
    if verdict is V.CONTRADICTED:
        assert prediction is HEAP and place == Kind.GOROUTINE_STACK
