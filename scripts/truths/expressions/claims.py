"""Expressions of Go about a variable, each with the rule by which its truth follows from the
variable's value: `s.a[2] + 3 == -7`. The rules are the Go specification's, not goprobe's code."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scripts.truths.choices import Choices
from scripts.truths.expressions.refused import refused
from scripts.truths.variables.told import Node, type_name
from scripts.truths.variables.types import SIGNED, UNSIGNED

_DEPTH = 4
_QUOTED = 1024  # bytes of a string that the witness tells
_TOLD = 64  # elements
_PIECE = re.compile(
    rb'\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\([abfnrtv\\"])|(.)', re.S
)
_ARRAY = re.compile(r"\*\[(\d+)\]")
_SIMPLE = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))

REFUSED = "refused"
"""The truth of what Go does not compile, or panics at."""

Truth = bool | str | None
Step = str | int | bytes | float | bool | None
"""A field's name, an element's index, a map's key (strings as bytes), None for what a pointer
leads to."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`text` is about the variable `name`; `truth` of the value at the end of `path`."""

    text: str
    name: str
    path: tuple[Step, ...]
    kind: str
    rule: Callable[[Node], Truth]

    def truth(self, value: Node) -> Truth:
        """None where the value does not say: it has no such part, or it was not told, or this is
        another instance of generic code."""
        for step in self.path:
            found = part_of(value, step)
            if found is None:
                return None
            value = found
        return self.rule(value) if is_known(value) and value[0] == self.kind else None


def is_known(node: Node) -> bool:
    return node[0] != "more" and len(node) > 2


def part_of(node: Node, step: Step) -> Node | None:
    """What a step leads to; None where the witness told no such part."""
    if not is_known(node) or node[2] == "nil":
        return None
    if step is None:
        return node[2] if node[0] == "ptr" else None
    parts = _parts(node)
    return next((part for key, part in parts if key == step and type(key) is type(step)), None)


def _parts(node: Node) -> list[tuple[Step, Node]]:
    """What one step leads to."""
    if not is_known(node) or node[2] == "nil":
        return []
    match node[0]:
        case "struct":
            return [(name, part) for name, part in node[2] if name != "_"]
        case "array":
            return list(enumerate(node[2]))
        case "slice":
            return list(enumerate(node[4])) if len(node) > 4 else []
        case "map":
            pairs = node[3] if len(node) > 3 else []
            return [(key, part) for k, part in pairs if (key := key_of(k)) is not None]
    return []


def key_of(node: Node) -> str | int | bytes | bool | None:
    """A key that an expression can name."""
    if not is_known(node):
        return None
    if node[0] in SIGNED or node[0] in UNSIGNED:
        return int(node[2], 0)
    if node[0] == "string" and node[2] <= _QUOTED:
        return text_of(node)
    return node[2] == "true" if node[0] == "bool" else None


def text_of(node: Node) -> bytes:
    """A string's bytes, of what strconv.Quote made of it."""
    made = bytearray()
    for byte, short, long, simple, plain in _PIECE.findall(bytes.fromhex(node[3])[1:-1]):
        if byte:
            made.append(int(byte, 16))
        elif short or long:
            made += chr(int(short or long, 16)).encode()
        else:
            made += bytes([_SIMPLE[simple[0]]]) if simple else plain
    return bytes(made)


def literal(value: bytes) -> str:
    """A string of Go's."""
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in value)
    return f'"{"".join(plain)}"'


def claims(choices: Choices, name: str, node: Node, count: int) -> Iterator[Claim]:
    """Some about a variable of this value."""
    for _ in range(count):
        text, path, at = name, list[Step](), node
        for _ in range(choices.below(_DEPTH + 1)):
            step = _stepped(choices, text, at)
            if step is None:
                break
            text, taken, at = step
            path += taken
        for made, rule in _about(choices, text, at):
            yield Claim(made, name, tuple(path), at[0], rule)
        if is_known(at):
            for made in refused(choices, text, at):
                yield Claim(made, name, tuple(path), at[0], _refusal(at))


def _refusal(like: Node) -> Callable[[Node], Truth]:
    """Of a value of the same type, that is nil where this one is."""
    nil = like[2] == "nil"
    return lambda n: REFUSED if n[1] == like[1] and (n[2] == "nil") is nil else None


def _stepped(choices: Choices, text: str, node: Node) -> tuple[str, list[Step], Node] | None:
    taken: list[Step] = []
    if node[0] == "ptr":
        inner = part_of(node, None)
        if inner is None or not is_known(inner):
            return None
        if inner[0] != "struct" or choices.chance(30):
            return f"(*{text})", [None], inner
        node, taken = inner, [None]
    parts = _parts(node)
    if not parts:
        return None
    step, part = choices.one_of(parts)
    if isinstance(step, str):
        return f"{text}.{step}", [*taken, step], part
    if isinstance(step, bool):
        return f"{text}[{str(step).lower()}]", [*taken, step], part
    return f"{text}[{literal(step) if isinstance(step, bytes) else step}]", [*taken, step], part


_Made = Iterator[tuple[str, Callable[[Node], Truth]]]


def _about(choices: Choices, text: str, node: Node) -> _Made:
    if not is_known(node):
        return
    kind = node[0]
    if kind in SIGNED or kind in UNSIGNED:
        yield from _integer(choices, text, node)
    elif kind == "bool":
        yield choices.one_of(
            [
                (text, lambda n: n[2] == "true"),
                (f"!{text}", lambda n: n[2] == "false"),
                (f"{text} == true", lambda n: n[2] == "true"),
                (f"{text} != true", lambda n: n[2] == "false"),
            ]
        )
    elif kind in ("float32", "float64"):
        yield from _float(choices, text, node)
    elif kind == "string":
        yield from _string(choices, text, node)
    elif kind == "interface":
        yield from _interface(choices, text, node)
    else:
        yield from _sizes(choices, text, node)


def wrapped(kind: str, value: int) -> int:
    """As a number of that kind."""
    size = SIGNED.get(kind) or UNSIGNED[kind]
    value &= (1 << size) - 1
    return value - (1 << size) if kind in SIGNED and value >> (size - 1) else value


_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: abs(a) // b * (1 if a >= 0 else -1),
    "%": lambda a, b: abs(a) % b * (1 if a >= 0 else -1),
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&^": lambda a, b: a & ~b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
}
_COMPARE: dict[str, Callable[[float | bytes, float | bytes], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def _integer(choices: Choices, text: str, node: Node) -> _Made:
    kind = node[0]
    compare = choices.one_of(list(_COMPARE))
    way = choices.below(5)
    reckoned: Callable[[int], int] = lambda n: n  # noqa: E731
    left = text
    if way == 1:
        op, small = choices.one_of(list(_OPERATORS)), choices.between(1, 9)
        left = f"{text} {op} {small}"
        if compare in ("==", "!="):
            left = f"({left})"
        reckoned = lambda n: wrapped(kind, _OPERATORS[op](n, small))  # noqa: E731
    elif way == 2:
        sign = choices.one_of(["-", "^"])
        left = f"{sign}{text}"
        reckoned = lambda n: wrapped(kind, -n if sign == "-" else ~n)  # noqa: E731
    elif way == 3:
        kind_ = choices.one_of([*SIGNED, *UNSIGNED])
        left = f"{kind_}({text})"
        reckoned = lambda n: wrapped(kind_, n)  # noqa: E731
    value = reckoned(int(node[2], 0))
    other = value + choices.one_of([0, 0, 1, -1])
    of = kind_ if way == 3 else kind
    if wrapped(of, other) != other:
        other = value
    yield f"{left} {compare} {other}", lambda n: _COMPARE[compare](reckoned(int(n[2], 0)), other)


def rounded(kind: str, value: float) -> float:
    if kind == "float64" or not math.isfinite(value):
        return value
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _float(choices: Choices, text: str, node: Node) -> _Made:
    kind, value = node[0], float(node[2])
    if choices.chance(20):
        yield f"{text} != {text}", lambda n: math.isnan(float(n[2]))
    compare = choices.one_of(list(_COMPARE))
    if math.isfinite(value):
        if choices.chance(50):
            yield (
                f"{text} {compare} {node[2]}",
                lambda n: _COMPARE[compare](rounded(kind, float(n[2])), rounded(kind, value)),
            )
        else:
            op = choices.one_of(["+", "-", "*"])
            by = choices.between(1, 9)

            def told(n: float) -> float:
                return rounded(kind, {"+": n + by, "-": n - by, "*": n * by}[op])

            wanted = told(rounded(kind, value))
            if math.isfinite(wanted):
                yield (
                    f"{text}{op}{by} {compare} {wanted!r}",
                    lambda n: _COMPARE[compare](told(rounded(kind, float(n[2]))), wanted),
                )
    else:
        yield f"{text} > 1e308", lambda n: kind == "float64" and float(n[2]) > 1e308


def _string(choices: Choices, text: str, node: Node) -> _Made:
    length = node[2]
    if length > _QUOTED:
        yield f"len({text}) == {length}", lambda n: n[2] == length
        return
    value = text_of(node)
    compare = choices.one_of(list(_COMPARE))
    match choices.below(4):
        case 0:
            yield (
                f"{text} {compare} {literal(value)}",
                lambda n: _COMPARE[compare](text_of(n), value) if n[2] <= _QUOTED else None,
            )
        case 1:
            yield f"len({text}) {compare} {length}", lambda n: _COMPARE[compare](n[2], length)
        case 2 if value:
            at = choices.below(len(value))
            byte = value[at]
            yield (
                f"{text}[{at}] == {byte}",
                lambda n: None if at >= n[2] or n[2] > _QUOTED else text_of(n)[at] == byte,
            )
        case _:
            end = literal(value + b"x")
            yield (
                f'{text} + "x" {compare} {end}',
                lambda n: (
                    _COMPARE[compare](text_of(n) + b"x", value + b"x") if n[2] <= _QUOTED else None
                ),
            )


def _interface(choices: Choices, text: str, node: Node) -> _Made:
    op, nil = choices.one_of([("==", True), ("!=", False)])
    if choices.chance(50) or type_name(node) not in ("interface {}", "any"):
        yield f"{text} {op} nil", lambda n: (n[2] == "nil") is nil
        return
    held = node[2]
    if held != "nil" and held[0] in SIGNED and is_known(held):
        number = int(held[2], 0)
        yield f"{text} {op} {number}", lambda n: _holds(n[2], "int", number) is nil
    elif held != "nil" and held[0] == "string" and is_known(held) and held[2] <= _QUOTED:
        inner = text_of(held)
        yield f"{text} {op} {literal(inner)}", lambda n: _holds(n[2], "string", inner) is nil
    elif held != "nil" and held[0] == "bool" and is_known(held):
        yes = held[2]
        yield f"{text} {op} {yes}", lambda n: _holds(n[2], "bool", yes == "true") is nil


def _holds(held: Node | str, name: str, value: int | bytes | bool) -> bool:
    """Whether an interface holds this constant: one of another type is another one."""
    return not isinstance(held, str) and type_name(held) == name and key_of(held) == value


def _sizes(choices: Choices, text: str, node: Node) -> _Made:
    kind = node[0]
    op, nil = choices.one_of([("==", True), ("!=", False)])
    if kind in ("slice", "map", "chan", "ptr", "func") and choices.chance(40):
        yield f"{text} {op} nil", lambda n: (n[2] == "nil") is nil
    if kind in ("slice", "map", "chan"):
        of = choices.one_of(["len", "cap"]) if kind != "map" else "len"
        index = 2 if of == "len" else 3
        size = 0 if node[2] == "nil" else node[index]
        yield (
            f"{of}({text}) {op} {size}",
            lambda n: ((0 if n[2] == "nil" else n[index]) == size) is nil,
        )
    elif kind == "array" and len(node[2]) < _TOLD:
        size, of = len(node[2]), choices.one_of(["len", "cap"])
        yield f"{of}({text}) {op} {size}", lambda n: (len(n[2]) == size) is nil
    elif kind == "ptr" and (array := _ARRAY.match(type_name(node))):
        size, of = int(array[1]), choices.one_of(["len", "cap"])
        yield f"{of}({text}) {op} {size}", lambda n: nil if n[1] == node[1] else None
