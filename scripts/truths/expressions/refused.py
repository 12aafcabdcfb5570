"""Expressions that Go does not compile, or panics at: of these the answer is a refusal, and no
value. The rules are those of the Go specification (Index expressions, Operators, Constants, Length
and capacity)."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.truths.choices import Choices
from scripts.truths.variables.told import Node, type_name
from scripts.truths.variables.types import SIGNED, UNSIGNED

_KINDS = (*SIGNED, *UNSIGNED, "float32", "float64")
_INDEXES = ("-1", "-7", "1.5", '"1"', "true", "nil", "1e400", "1<<70", "int(-1)")
_KEYS = {
    "string": ("1", "true", "nil", "'a'", "1.5"), "bool": ("1", '"x"', "nil"),
    "int8": ("128", '"x"', "true", "nil", "int(3)", "1.5"), "uint8": ("256", "-1", '"x"', "int(3)"),
    "int": ('"x"', "true", "1.5", "nil", "1<<63", "int8(3)"), "float64": ('"x"', "true", "1e309"),
}  # fmt: skip
_NO_LENGTH = ("struct", "func", "bool", *_KINDS)


def refused(choices: Choices, text: str, node: Node) -> Iterator[str]:
    """One about a value of this kind."""
    all_of_it = list(_all(text, node))
    if all_of_it:
        yield choices.one_of(all_of_it)


def _all(text: str, node: Node) -> Iterator[str]:
    kind = node[0]
    if kind in ("slice", "array", "string"):
        yield from (f"{text}[{at}] != {text}[{at}]" for at in _INDEXES)
        yield f"{text}[{1 << 40}] != {text}[0]"  # of no witness's values
    if kind in SIGNED or kind in UNSIGNED:
        yield from _of_integer(text, kind)
    elif kind in ("float32", "float64"):
        yield from (
            f"{text} < 1e400",
            f"{text} * 1e400 > 0",
            f"{text} % 2 == 0",
            f"{text} << 1 > 0",
        )
        yield from (f"{text} & 1 == 0", f'{text} == "1"', f"{text} == nil", f"{text} == true")
        yield f"{text} == float{96 - int(kind[5:])}({text})"
    elif kind == "bool":
        yield from (f"{text} == 1", f"{text} < true", f'{text} == "x"', f"{text} == nil")
    elif kind == "string":
        yield from (f"{text} == 1", f"{text} == 'a'", f"{text} == nil", f'{text} - "x" == ""')
        yield f"cap({text}) == 1"
    elif kind == "map":
        yield f"cap({text}) == 0"
        keys = _KEYS.get(type_name(node)[4:].partition("]")[0], ())
        if type_name(node).startswith("map["):
            yield from (f"{text}[{key}] == {text}[{key}]" for key in keys)
    elif kind in ("ptr", "chan"):
        yield from (f"{text} == 5", f'{text} == "x"', f"{text} < {text}", f"{text} == true")
    elif kind in ("struct", "array"):
        yield from (f"{text} == nil", f"{text} < {text}", f"{text} == 5", f'{text} == "x"')
    if kind in _NO_LENGTH:
        yield from (f"len({text}) == 1", f"cap({text}) == 1")
    if kind in ("slice", "map", "func"):
        yield from (f"{text} == {text}", f"{text} != {text}", f"{text} == 5", f"*{text} == nil")
    if kind == "ptr" and node[2] == "nil":
        yield from (f"{text}.nothing == 1", f"*{text} == 1")


def _of_integer(text: str, kind: str) -> Iterator[str]:
    bits = SIGNED.get(kind) or UNSIGNED[kind]
    low = -(1 << (bits - 1)) - 1 if kind in SIGNED else -1
    high = 1 << (bits - (kind in SIGNED))
    yield from (f"{text} == {number}" for number in (low, high, 1.5, "1e400", '"1"', "nil", "true"))
    yield from (f"{text} + {number} == 0" for number in (low, high, 1.5, "1e400", '"1"', "nil"))
    yield from (f"{text} == {other}({text})" for other in _KINDS if other != kind)
    yield from (f"{text} / 0 == 1", f"{text} % 0 == 1", f"{text} << -1 == 0", f"{text} & 1.5 == 0")
    yield from (f"{text}[0] == 0", f"{text}.x == 0", f"*{text} == 0", f"!{text}")
