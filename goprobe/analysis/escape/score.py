"""Whether a call can be what a message of the compiler speaks of, and how both are named."""

from __future__ import annotations

import re
from functools import lru_cache

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.expressions import CLOSURE, ExpressionShape
from goprobe.analysis.escape.predictions import Predicted, inlined_by
from goprobe.arch.machinefacts import Constant, StackAddress
from goprobe.binary.pcln.format import shown_name
from goprobe.model.escape import Prediction
from goprobe.runtime.allocatorcalls import Family

STRONG, HINT = 6, 2
"""What a fact is worth where several sites of a line are compared, and what a mere sign is."""

_BUFFERED = frozenset((Family.CONCAT, Family.TO_STRING, Family.TO_BYTES, Family.TO_RUNES))


def cannot_be(call: AllocationCall, predicted: Predicted) -> bool:
    """What does not escape is never made as an object on its own: only slices and maps, whose size
    may be too much for the frame, and what becomes an interface, where that is larger than 1 KiB
    (dataWord, cmd/compile/internal/walk/convert.go, Go 1.21 to 1.27)."""
    shape = predicted.shape
    if predicted.prediction is not Prediction.STACK:
        alone = Family.CONCAT in shape.families and not shape.boxed  # and becomes no interface
        return alone and call.allocator.symbol == _BOX_OF_STRINGS
    if call.allocator.family is Family.OBJECT:
        return shape.families <= {Family.OBJECT, Family.CONVERT}
    return call.allocator.symbol in _OF_SIMPLE


_BOX_OF_STRINGS = "runtime.convTstring"
_OF_SIMPLE = frozenset(f"runtime.convT{kind}" for kind in ("16", "32", "64", "string", "slice"))
_SEVERAL = re.compile(
    r"struct \{ [^{}()]*[;,][^{}()]*(?:\{\}[^{}()]*)*\}|\[(?:[2-9]|\d\d+)\].*", re.DOTALL
)
_EMPTY = re.compile(r"struct \{ ?\}|\[0\]")


def parts_score(call: AllocationCall, shape: ExpressionShape) -> int:
    """What a literal's text says where its type is in no debug information: structs and arrays of
    several parts do not become interfaces by what is there for slices, strings and numbers
    (dataWordFuncName, cmd/compile/internal/walk/convert.go, Go 1.21 to 1.27)."""
    simple = call.allocator.symbol in _OF_SIMPLE and shape.exact and not shape.boxed
    several = simple and _SEVERAL.fullmatch(shape.type) and not _EMPTY.search(shape.type)
    return -4 * STRONG if several else 0


def converts_another(one: AllocationCall, other: AllocationCall) -> bool:
    """Whether two calls make interfaces of values of different kinds (convT64, convTslice, …)."""
    families = {one.allocator.family, other.allocator.family}
    return families == {Family.CONVERT} and one.allocator.symbol != other.allocator.symbol


def prediction_score(call: AllocationCall, prediction: Prediction) -> int:
    """A call with a buffer in the frame is one that "does not escape", and so on."""
    if call.allocator.family in _BUFFERED:
        buffer = call.buffer
        if isinstance(buffer, StackAddress):
            return STRONG if prediction is Prediction.STACK else -STRONG
        if isinstance(buffer, Constant):
            return STRONG if prediction is Prediction.HEAP else -STRONG
        return 0
    if call.allocator.family in (Family.OBJECT, Family.CONVERT):
        return HINT if prediction is Prediction.HEAP else -STRONG
    return 0


_NAME = re.compile(r"(?:\w+\.)*([^\W\d]\w*)")


def may_stand_in(text: str, predicted: Predicted) -> bool:
    """Whether a line, on which a call stands, may hold the expression that it is for: one that is a
    name is there. (What is moved to the heap is made where it is declared, or its copy begins; a
    result of an inlined call has its name where that is declared.)"""
    name = _NAME.fullmatch(predicted.expression)
    if not text or not name or predicted.moved or inlined_by(predicted.messages):
        return True
    return re.search(rf"\b{re.escape(name[1])}\b", text) is not None


_KEPT = 1 << 14
# The compiler says a package's name, which the path does not end with where that is a version.
_VERSIONED = re.compile(r"(?:.*/)?([^/\[]+?)(?:/|%2e)v\d+\.(.*)", re.DOTALL)


@lru_cache(_KEPT)
def same_function(full: str, short: str) -> bool:
    """Whether a symbol's name is what the compiler calls so inside its own package."""
    shorts = {short}
    if "[...]" in full:  # so the line table has the type arguments of inlined calls
        shorts |= {shown_name(short), shown_name(short, methods=False)}
    return any(_is_called(full, each) for each in shorts)


def last_part(name: str) -> str:
    """What a symbol's name ends with where it ends with another one, as `same_function` has it; but
    that may leave parts of generic names out."""
    return name[max(name.rfind("."), name.rfind("/")) + 1 :]


def _is_called(full: str, short: str) -> bool:
    if full == short or full.endswith((f".{short}", f"/{short}")):
        return True
    package, _, rest = short.partition(".")
    versioned = _VERSIONED.fullmatch(full)
    return bool(rest) and versioned is not None and versioned.groups() == (package, rest)


_DESCRIPTIONS = {
    Family.OBJECT: "new object {type}",
    Family.SLICE: "slice of {type}",
    Family.GROW: "append",
    Family.MOVE: "slice moved out of the frame",
    Family.MAP: "make({type})",
    Family.ASSIGN: "assignment to {type}",
    Family.CHANNEL: "make({type})",
    Family.CONVERT: "conversion to an interface",
    Family.CONCAT: "string concatenation",
    Family.TO_STRING: "conversion to a string",
    Family.TO_BYTES: "conversion to []byte",
    Family.TO_RUNES: "conversion to []rune",
    Family.DEFER: "defer",
    Family.GO: "go",
    Family.BOOKKEEPING: "record of the runtime's own",
    Family.LINKED: "memory by {type}",
}


def described(family: Family, type_name: str) -> str:
    text = _DESCRIPTIONS[family]
    if type_name.startswith(CLOSURE):
        return "closure of a go or defer statement"
    if type_name:
        return text.format(type=type_name)
    return text.replace(" {type}", "").replace("({type})", " a map" if "make" in text else "")
