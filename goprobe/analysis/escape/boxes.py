"""Which calls may make an interface's value of an expression, by what its type is seen to be.

The compiler chooses the call by the type alone (dataWordFuncName, cmd/compile/internal/walk/
convert.go, Go 1.21 to 1.27). The compiler's messages have no types: those of names, fields and
results are the debug information's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache

from goprobe.analysis.escape.codeplaces import StaticKind
from goprobe.analysis.escape.expressions import opening, outside, same_type
from goprobe.analysis.escape.predictions import Predicted, inlined_by
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import DebugInfo, Local
from goprobe.errors import GoprobeError
from goprobe.runtime.allocatorcalls import Family

Box = tuple[str, str]
"""A function of the runtime, and the name of the type that it is given; "" for any."""

_K = GoKind
_BASIC = {
    "bool": (_K.BOOL, 1), "string": (_K.STRING, 16), "byte": (_K.UINT8, 1), "rune": (_K.INT32, 4),
    "int": (_K.INT, 8), "int8": (_K.INT8, 1), "int16": (_K.INT16, 2), "int32": (_K.INT32, 4),
    "int64": (_K.INT64, 8), "uint": (_K.UINT, 8), "uint8": (_K.UINT8, 1), "uint16": (_K.UINT16, 2),
    "uint32": (_K.UINT32, 4), "uint64": (_K.UINT64, 8), "uintptr": (_K.UINTPTR, 8),
    "float32": (_K.FLOAT32, 4), "float64": (_K.FLOAT64, 8), "complex64": (_K.COMPLEX64, 8),
    "complex128": (_K.COMPLEX128, 16),
}  # fmt: skip
_POINTERS = frozenset((_K.POINTER, _K.UNSAFE_POINTER, _K.MAP, _K.CHAN, _K.FUNC))
_LISTS = {_K.SLICE, _K.MAP}
_WITH_POINTERS = _POINTERS | {_K.STRING, _K.SLICE, _K.INTERFACE}
_TYPES = (
    ("[]", _K.SLICE, 24), ("map[", _K.MAP, 8), ("*", _K.POINTER, 8), ("func(", _K.FUNC, 8),
    ("chan ", _K.CHAN, 8), ("<-chan ", _K.CHAN, 8), ("interface {", _K.INTERFACE, 16),
)  # fmt: skip
_SLICE = GoType(offset=0, name="", kind=_K.SLICE, size=24)
_MAKING = frozenset(("append", "make"))
_CALLS_THAT_MAKE = frozenset(("append", "func literal", "... argument"))
_OF_BYTES = frozenset(("convTstring", "convTslice"))
_COMPARING = frozenset(("==", "!=", "<", "<=", ">", ">=", "&&", "||"))
_OPERATORS = _COMPARING | {"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "&^"}
_CONVERSIONS = {_K.STRING: Family.TO_STRING, _K.SLICE: Family.TO_BYTES}
_NAME = re.compile(r"[^\W\d]\w*|~[rR]\d+")
_DEEPEST = 16
_MOST_LENGTH = 1 << 10
_KEPT = 1 << 14


class Boxes:
    def __init__(self, debug: DebugInfo) -> None:
        self._debug, self.names = debug, debug.names
        self._of = lru_cache(maxsize=_KEPT)(self._boxes)
        self._told = lru_cache(maxsize=_KEPT)(self._types)

    def of(self, predicted: Predicted, function: str) -> frozenset[Box] | None:
        """Those of an expression in a machine function, empty where none is needed; None where
        its type is not known."""
        return self._of(predicted.expression, function, inlined_by(predicted.messages))

    def ready(self, predicted: Predicted, function: str) -> frozenset[StaticKind] | None:
        """Which of the runtime's values an interface is given for an expression, by its type (as
        above, dataWord); None where that is not known."""
        told = self._told(predicted.expression, function, inlined_by(predicted.messages))
        if told is None or (predicted.expression[-1:] == "}" and {t.kind for t in told} & _LISTS):
            return None  # what is in an empty literal lies there, too
        return frozenset(kind for t in told if (kind := _ready(t)))

    def converts(self, predicted: Predicted, function: str) -> frozenset[Family] | None:
        """Of what is written as a call: by which kinds of call it converts, empty where it is one
        of a function; None where neither a type nor a function of that name is known."""
        told = self._told(predicted.expression, function, inlined_by(predicted.messages))
        typed = self.named(predicted.expression.partition("(")[0], function)
        kinds = frozenset(_CONVERSIONS[t.kind] for t in typed if t.kind in _CONVERSIONS)
        return kinds if told else None

    def named(self, text: str, function: str) -> list[GoType]:
        """The type that is called so in a function's package, none where none is known."""
        try:
            return _Scope(self, self._debug, function, ()).typed(text)
        except (GoprobeError, KeyError):
            return []

    def is_value(self, predicted: Predicted, function: str) -> bool:
        """Whether all that is made of an expression is its box, as far as is known: it is a number,
        a string, a struct, …, that is there already, or given back by a call."""
        boxes, text = self.of(predicted, function), predicted.expression
        if not boxes or text in _CALLS_THAT_MAKE:
            return False
        holds_bytes = any(name in _OF_BYTES for name, _ in boxes)
        if _parted(text)[1]:
            return not holds_bytes
        head, inner = text[: opening(text)], text[opening(text) :]
        if inner[:1] == "(":
            plain = head[1:-1] if head[:1] == "(" and head[-1:] == ")" else head
            made = not plain or plain in _MAKING or self.named(plain, function)
            return not (holds_bytes and made)
        return not (inner[:1] == "{" and ("convTslice", "") in boxes)

    def types_of(self, expression: str, function: str) -> list[GoType]:
        """What the type of an expression in a function may be, inlined or not; none where that is
        not known."""
        callees = () if function in self.names.compiled else (_short(function),)
        return self._told(expression, function, callees) or []

    def _boxes(
        self, expression: str, function: str, callees: Sequence[str]
    ) -> frozenset[Box] | None:
        told = self._told(expression, function, callees)
        try:
            return told if told is None else frozenset(b for t in told if (b := self._box(t)))
        except (GoprobeError, KeyError):
            return None

    def _types(self, expression: str, function: str, callees: Sequence[str]) -> list[GoType] | None:
        if len(expression) > _MOST_LENGTH or not self._debug.present:
            return None
        try:
            told = _Scope(self, self._debug, function, callees).types(expression, 0)
        except (GoprobeError, KeyError):
            return None
        return told if told and all(t.kind is not _K.INVALID for t in told) else None

    def _box(self, of: GoType) -> Box | None:
        sole = self._sole(of)
        if sole.kind in _POINTERS or of.kind is _K.INTERFACE:
            return None
        if _ready(of):
            return None
        pointers, alignment = self._pointers(of, 0), self._alignment(of, 0)
        if of.size == alignment and of.size in (2, 4, 8) and not pointers:
            return f"convT{8 * of.size}", ""
        if sole.kind is _K.STRING:
            return "convTstring", ""
        if sole.kind is _K.SLICE:
            return "convTslice", ""
        return ("convT" if pointers else "convTnoptr"), of.name

    def _sole(self, of: GoType) -> GoType:
        for _ in range(_DEEPEST):
            if of.kind is _K.STRUCT and len(of.members) == 1:
                of = self._debug.types.at(of.members[0].type)
            elif of.kind is _K.ARRAY and of.count == 1:
                of = self._debug.types.at(of.elem)
            else:
                break
        return of

    def _parts(self, of: GoType) -> Iterator[GoType]:
        if of.kind is _K.STRUCT:
            yield from (self._debug.types.at(member.type) for member in of.members)
        elif of.kind is _K.ARRAY:
            yield self._debug.types.at(of.elem)

    def _pointers(self, of: GoType, depth: int) -> bool:
        if of.kind in _WITH_POINTERS:
            return True
        return depth < _DEEPEST and any(self._pointers(p, depth + 1) for p in self._parts(of))

    def _alignment(self, of: GoType, depth: int) -> int:
        if of.kind is _K.STRUCT or of.kind is _K.ARRAY:
            if depth >= _DEEPEST:
                return 8
            return max((self._alignment(p, depth + 1) for p in self._parts(of)), default=1)
        return 4 if of.kind is _K.COMPLEX64 else min(of.size, 8)

    @cached_property
    def short(self) -> dict[str, list[int]]:
        """Where functions are described, by their names without the path of their package."""
        told: dict[str, list[int]] = {}
        for known in (self.names.compiled, self.names.inlined):
            for name, offset in known.items():
                told.setdefault(_short(name), []).append(offset)
        return told

    @cached_property
    def short_variables(self) -> dict[str, list[int]]:
        """The types of package variables by their names without the path of their package."""
        told: dict[str, list[int]] = {}
        for name, kind in self.names.variables.items():
            told.setdefault(_short(name), []).append(kind)
        return told

    @cached_property
    def short_types(self) -> dict[str, list[str]]:
        told: dict[str, list[str]] = {}
        for name in self.names.types:
            if "/" in name:
                told.setdefault(_short(name), []).append(name)
        return told


def _ready(of: GoType) -> StaticKind | None:
    if not of.size:
        return StaticKind.ZEROBASE
    one = of.size == 1 and of.kind is not _K.STRUCT and of.kind is not _K.ARRAY
    return StaticKind.SMALL_VALUES if one else None


def fits(box: frozenset[Box] | None, symbol: str, type_name: str) -> bool | None:
    """Whether a call may be one of these; None where nothing is known."""
    if box is None:
        return None
    called = symbol.removeprefix("runtime.")
    return any(
        called == name and (not given or not type_name or same_type(given, type_name, exact=True))
        for name, given in box
    )


class _Scope:
    """The names of one function, and of those that were inlined where an expression stands."""

    def __init__(
        self, boxes: Boxes, debug: DebugInfo, function: str, callees: Sequence[str]
    ) -> None:
        self._boxes, self._debug = boxes, debug
        self._function, self._callees = function, callees
        self._package = function.rpartition("/")[2].partition(".")[0]
        self._path = function[: len(function) - len(function.rpartition("/")[2])] + self._package

    def types(self, expression: str, depth: int) -> list[GoType]:
        """What the type of an expression may be, none where that is not known."""
        text = expression.strip()
        if depth > _DEEPEST or not text:
            return []
        left, operator, right = _parted(text)
        if operator in _COMPARING:
            return [_made("bool")]
        if operator:
            return self.types(left, depth + 1) or self.types(right, depth + 1) or _numbers(operator)
        if text[0] in "-^+":
            return self.types(text[1:], depth + 1) or _numbers("-")
        if text[0] == "!":
            return [_made("bool")]
        if text[0] == "&":
            return [GoType(offset=0, name="", kind=_K.POINTER, size=8)]
        if text[0] == "*":
            return self._elements(self.types(text[1:], depth + 1), _K.POINTER)
        if _NAME.fullmatch(text):
            return self._named(text, self._callees)
        return self._of_another_package(text) or self._suffixed(text, depth)

    def _of_another_package(self, text: str) -> list[GoType]:
        """What functions of other packages take, where calls of these were inlined, is said with
        the name of their package, as package variables are."""
        package, dot, name = text.partition(".")
        if not dot or not _NAME.fullmatch(name):
            return []
        callees = [callee for callee in self._callees if callee.startswith(f"{package}.")]
        taken = self._named(name, callees) if callees else []
        known = self._boxes.short_variables.get(text, ())
        if taken or not known or any(v.name.lstrip("&") == package for v in self._locals(())):
            return taken  # a variable hides the package of its name
        return [self._debug.types.at(kind) for kind in dict.fromkeys(known)]

    def _suffixed(self, text: str, depth: int) -> list[GoType]:
        start = opening(text)
        head, inner = text[:start], text[start + 1 : -1]
        if text[-1] == ")" and not head:
            return self.types(inner, depth + 1)
        if text[-1] == ")":
            told = self._called(head, inner, depth)
            if any(t.kind is _K.INTERFACE for t in told) and self.typed(head):
                return self.types(inner, depth + 1)  # any(x) is told where x is made one
            return told
        if text[-1] == "}":
            return self.typed(head)
        if text[-1] == "]":
            of = self.types(head, depth + 1)
            if ":" in outside(inner):
                return [_SLICE if t.kind is _K.ARRAY else t for t in of]
            return self._elements(of, _K.SLICE, _K.ARRAY, _K.MAP)
        base, dot, field = text.rpartition(".")
        if not dot or not _NAME.fullmatch(field):
            return []
        fields: list[GoType] = []
        for owner in self.types(base, depth + 1):
            struct = self._debug.types.at(owner.elem) if owner.kind is _K.POINTER else owner
            fields += [self._debug.types.at(m.type) for m in struct.members if m.name == field]
        return fields

    def _called(self, head: str, inner: str, depth: int) -> list[GoType]:
        if head in ("len", "cap", "copy"):
            return [_made("int")]
        if head in ("make", "append", "min", "max"):
            first = inner[: (outside(inner) + ",").index(",")]
            return self.typed(first) if head == "make" else self.types(first, depth + 1)
        if typed := self.typed(head[1:-1] if head[0] == "(" and head[-1] == ")" else head):
            return typed
        told = self._results(head) or self._results(f"{self._package}.{head}")
        base, dot, method = head.rpartition(".")
        if not told and dot:
            for owner in self.types(base, depth + 1):
                name = _short(owner.name.lstrip("*"))
                package, _, rest = name.partition(".")
                for receiver in (rest, f"(*{rest})"):
                    told += self._results(f"{package}.{receiver}.{method}")
        return told

    def typed(self, text: str) -> list[GoType]:
        """The type that the compiler writes so."""
        if text in _BASIC:
            return [_made(text)]
        if text == "any":
            return [GoType(offset=0, name="any", kind=_K.INTERFACE, size=16)]
        for start, kind, size in _TYPES:
            if text.startswith(start):
                return [GoType(offset=0, name="", kind=kind, size=size)]
        name = re.sub(r"\bany\b", "interface {}", text)
        names = [name] if "." in name else [f"{self._path}.{name}", name]
        names += self._boxes.short_types.get(name, ())
        types = self._boxes.names.types
        return [self._debug.types.at(types[n]) for n in names if n in types][:1]

    def _named(self, name: str, callees: Sequence[str]) -> list[GoType]:
        if name[0] == "~":
            return []  # what is described of functions that were inlined has no results
        locals_ = [local for local in self._locals(callees) if local.name.lstrip("&") == name]
        told = []
        for local in locals_:
            of = self._debug.types.at(local.type)
            told.append(self._debug.types.at(of.elem) if local.name[0] == "&" else of)
        if not told and not self._callees:
            known = self._boxes.names.variables.get(f"{self._path}.{name}")
            told = [self._debug.types.at(known)] if known is not None else []
        return told

    def _locals(self, callees: Sequence[str]) -> Iterator[Local]:
        """Where calls were inlined those of what was: what these take has places of its own."""
        entry = self._boxes.names.compiled.get(self._function)
        if entry is not None and not callees:
            yield from self._debug.locals_at(entry)
        for callee in callees:
            for offset in self._described(callee):
                yield from self._debug.locals_at(offset)

    def _results(self, function: str) -> list[GoType]:
        """Of a function with one result: its type."""
        told: dict[int, GoType] = {}
        for offset in self._boxes.short.get(function, ()):
            results = [local for local in self._debug.locals_at(offset) if local.result]
            if len(results) == 1:
                told[results[0].type] = self._debug.types.at(results[0].type)
        return list(told.values())

    def _described(self, callee: str) -> Iterable[int]:
        short = self._boxes.short
        return short.get(callee, ()) or short.get(f"{self._package}.{callee}", ())

    def _elements(self, of: Sequence[GoType], *kinds: GoKind) -> list[GoType]:
        """What they hold; none where one is of another kind."""
        if any(t.kind not in kinds for t in of):
            return []
        return [self._debug.types.at(t.elem) for t in of if t.elem]


def _short(name: str) -> str:
    at = name.find("[")
    return name[name.rfind("/", 0, at if at >= 0 else len(name)) + 1 :]


def _made(name: str) -> GoType:
    kind, size = _BASIC[name]
    return GoType(offset=0, name=name, kind=kind, size=size)


def _numbers(operator: str) -> list[GoType]:
    """What a number may be; + makes strings, too."""
    return [] if operator == "+" else [_made(n) for n in ("int16", "int32", "int", "complex128")]


def _parted(text: str) -> tuple[str, str, str]:
    """At its first operator outside of brackets, at one that compares if there is one."""
    first: tuple[str, str, str] | None = None
    words, at = outside(text), 0
    for word in words.split(" "):
        if word in _OPERATORS and at:
            parted = text[:at], word, text[at + len(word) :]
            if word in _COMPARING:
                return parted
            first = first or parted
        at += len(word) + 1
    return first or (text, "", "")
