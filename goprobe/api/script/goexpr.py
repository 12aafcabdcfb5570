"""Conditions in Go's expression grammar: `b == 9 && s.mode == "x"`.

Operands are literals, variables in scope, variables of packages (`main.counter`) and their integer
constants, fields, elements, `len`, `cap`, `real`, `imag` and conversions to numbers; operators
those of Go's comparison, logic and arithmetic, with its precedence and its numbers. What Go refuses
raises UsageError. Source: the Go Programming Language Specification, Operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from msgspec import UNSET

from goprobe.api.script.comparing import compare
from goprobe.api.script.gonumbers import (
    ALIASES,
    BITS,
    FLOATS,
    Constant,
    Operand,
    Rune,
    complemented,
    computed,
    converted,
    is_operand,
    made,
    negated,
)
from goprobe.api.script.inplace import InPlace, NotInPlaceError, Text, Typed
from goprobe.api.script.known import kind_named
from goprobe.api.script.operands import operand, plain, told
from goprobe.api.script.parts import field_of, led_to, part_of, size_of_array
from goprobe.api.script.value import Value
from goprobe.errors import NoSuchElementError, UsageError

Scope = Callable[[str], Any]
"""The value of a name; raises NoSuchElementError."""
Expression = Callable[[Scope], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|"""
    r"""\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<rune>'(?:[^'\\]|\\.)+')"""
    r"""|(?P<op>\|\||&&|&\^|==|!=|<=|>=|<<|>>|[-+*/%<>!().\[\]&|^]))"""
)
_PRECEDENCE = {
    "||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "|": 4,
    "^": 4, "*": 5, "/": 5, "%": 5, "<<": 5, ">>": 5, "&": 5, "&^": 5,
}  # fmt: skip
_COMPARING = 3
_DEPTH = 64
_DIGITS = 400  # of a number
_LOOSE = re.compile(r"__|_$|_[.eE]|[.eE]_")  # a _ stands between digits
_PIECE = re.compile(
    r"""([^\\]+)|\\x([0-9a-fA-F]{2})|\\([0-7]{3})|\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"""
    r"""|\\([abfnrtv\\'"])"""
)
_SIMPLE = dict(zip("abfnrtv\\'\"", b"\a\b\f\n\r\t\v\\'\"", strict=True))
_LENGTH = 1 << 12


_NAMED = {"true": True, "false": False, "nil": None}


def parse(text: str) -> Expression:
    """Raises UsageError, with the place, where it is no expression."""
    if len(text) > _LENGTH:
        raise UsageError(f"the condition has {len(text)} characters, {_LENGTH} are allowed")
    return _Parser(text).whole()


def condition(text: str) -> Callable[[Scope], bool]:
    """An expression that has to be true or false."""
    expression = parse(text)
    return lambda scope: _truth(expression(scope))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        made = self._binary(1)
        if self._at < len(self._tokens):
            raise self._wrong()
        return made

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at][:2] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, op: str) -> None:
        if self._next() != ("op", op):
            self._at -= 1
            raise self._wrong(f", where {op} should be")

    def _wrong(self, more: str = "") -> UsageError:
        if self._at < len(self._tokens):
            _, token, place = self._tokens[self._at]
            return UsageError(f"the condition {self._text!r} has {token!r} at {place}{more}")
        return UsageError(f"the condition {self._text!r} ends too early{more}")

    def _binary(self, least: int) -> Expression:
        self._depth += 1
        if self._depth > _DEPTH:
            raise UsageError(f"the condition is nested deeper than {_DEPTH}")
        left = self._unary()
        while True:
            kind, op = self._peek()
            rank = _PRECEDENCE.get(op, 0) if kind == "op" else 0
            if rank < least or not rank:
                self._depth -= 1
                return left
            self._at += 1
            left = _combined(op, left, self._binary(rank + 1))

    def _unary(self) -> Expression:
        kind, op = self._peek()
        if kind == "op" and op in ("!", "-", "+", "^", "*"):
            self._at += 1
            inner = self._unary()
            if op == "*":
                return lambda scope: led_to(inner(scope))
            if op == "!":
                return lambda scope: not _truth(inner(scope))
            if op == "+":
                return lambda scope: _number(inner(scope))
            do = negated if op == "-" else complemented
            return lambda scope: do(_number(inner(scope)))
        return self._primary()

    def _primary(self) -> Expression:
        made = self._operand()
        while True:
            token = self._peek()
            if token == ("op", "."):
                self._at += 1
                kind, name = self._next()
                if kind != "name":
                    self._at -= 1
                    raise self._wrong(", where a field should be")
                made = _field(made, name)
            elif token == ("op", "["):
                self._at += 1
                index = self._binary(1)
                self._expect("]")
                made = _element(made, index)
            else:
                return made if not isinstance(made, _Name) else made.value

    def _operand(self) -> Expression:
        kind, token = self._next()
        if kind == "op" and token == "(":
            inner = self._binary(1)
            self._expect(")")
            return inner
        if kind == "name":
            called = _CALLED.get(token) if self._peek() == ("op", "(") else None
            if called is not None:
                self._at += 1
                inner = self._binary(1)
                self._expect(")")
                return lambda scope: called(inner(scope))
            if token in _NAMED:
                constant = _NAMED[token]
                return lambda scope: constant
            return _Name(token)
        if kind in ("number", "text", "rune"):
            literal = _literal(kind, token)
            return lambda scope: literal
        self._at -= 1
        raise self._wrong()


class _Name:
    """A name, which may turn out to be a package's, with the variable's behind the point."""

    def __init__(self, name: str) -> None:
        self.name = name

    def value(self, scope: Scope) -> Any:
        return scope(self.name)

    __call__ = value


def _tokens(text: str) -> list[tuple[str, str, int]]:
    tokens, at = list[tuple[str, str, int]](), 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise UsageError(f"the condition {text!r} has {text[at:].lstrip()[0]!r} at {at}")
        tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return tokens


def _literal(kind: str, token: str) -> Any:
    if kind == "number":
        return _constant(token)
    if token.startswith("`"):
        return token[1:-1].encode("utf-8", "surrogateescape")
    told = _unescaped(token)
    if kind == "text":
        return told
    rune = told.decode("utf-8", "replace")
    if len(rune) != 1 and len(told) != 1:
        raise UsageError(f"{token} is no rune")
    return Rune(told[0] if len(told) == 1 else ord(rune))


def _constant(token: str) -> Constant:
    """A number as Go writes it: 010 is 8."""
    plain = token.replace("_", "").lower()
    try:
        if len(plain) > _DIGITS or _LOOSE.search(token):
            raise ValueError
        if plain.isdecimal():
            return int(plain, 8) if plain.startswith("0") and len(plain) > 1 else int(plain)
        if plain[:2] in ("0x", "0b", "0o"):
            return int(plain, 0)
        if abs(int(plain.partition("e")[2] or 0)) > _DIGITS:
            raise ValueError
        return Fraction(plain)
    except ValueError:
        raise UsageError(f"{token} in the condition is no number of Go's") from None


def _unescaped(token: str) -> bytes:
    """The bytes of a string or a rune between its quotes (Go specification, Rune literals)."""
    made, at, inner = bytearray(), 0, token[1:-1]
    while match := _PIECE.match(inner, at):
        at = match.end()
        plain, byte, octal, point, simple = match.groups()
        if plain:
            made += plain.encode("utf-8", "surrogateescape")
        elif byte or octal:
            number = int(byte, 16) if byte else int(octal, 8)
            if number > 0xFF:
                break
            made.append(number)
        elif point:
            try:
                made += chr(int(point[1:], 16)).encode()
            except (ValueError, OverflowError):
                break
        else:
            made.append(_SIMPLE[simple])
    else:
        if at == len(inner):
            return bytes(made)
    raise UsageError(f"{token} in the condition is no text of Go's")


def _length(value: Any) -> Operand:
    """len(x): of a constant a constant."""
    if isinstance(value, Value) and value.dynamic_type is None and value._is_string():
        return made(value._length() or 0, "int")  # what it holds may be long, and is not read
    held = operand(value)
    if isinstance(held, bytes):
        return made(len(held), "int", constant=not isinstance(held, Text))
    return _counted(held, "length", ("slice", "map", "chan"), len)


def _capacity(value: Any) -> Operand:
    return _counted(operand(value), "capacity", ("slice", "chan"), _room)


def _counted(held: Any, what: str, kinds: Sequence[str], count: Callable[[Any], int]) -> Operand:
    if isinstance(held, InPlace) and what == "length":
        return made(len(held), "int")
    if isinstance(held, InPlace):
        raise NotInPlaceError
    if isinstance(held, Typed) and held.value is None and held.kind in kinds:
        return made(0, "int")
    if isinstance(held, Value):
        kind = kind_named(held, held.type)
        size = size_of_array(held)
        if size is not None:
            return made(size, "int", constant=True)
        if kind in kinds or (not kind and (held._is_list() or held._is_map())):
            return made(0 if held.is_nil else count(held), "int")
    raise UsageError(f"{told(held)} in the condition has no {what}")


def _room(value: Value) -> int:
    if value.value is None or value.value.cap is UNSET:
        raise UsageError(f"the capacity of a {value.type} in the condition is not told")
    return int(value.value.cap)


def _part_of_complex(name: str) -> Callable[[Any], Any]:
    """real(x), imag(x): the half that is `name` in Python."""

    def part(value: Any) -> Operand:
        held = operand(value)
        if isinstance(held, InPlace):
            raise NotInPlaceError
        if not isinstance(held, Typed) or not isinstance(held.value, complex):
            raise UsageError(f"{told(held)} in the condition is no complex number")
        return made(getattr(held.value, name), "float32" if held.kind == "complex64" else "float64")

    return part


def _conversion(kind: str) -> Callable[[Any], Any]:
    return lambda value: converted(_number(value), ALIASES.get(kind, kind))


_CALLED: dict[str, Callable[[Any], Any]] = {
    "len": _length, "cap": _capacity,
    "real": _part_of_complex("real"), "imag": _part_of_complex("imag"),
    **{kind: _conversion(kind) for kind in (*BITS, *FLOATS, *ALIASES)},
}  # fmt: skip


def _field(made: Expression, name: str) -> Expression:
    if not isinstance(made, _Name):
        return lambda scope: field_of(made(scope), name)
    package = made.name

    def read(scope: Scope) -> Any:
        try:
            value = scope(package)
        except NoSuchElementError:
            return scope(f"{package}.{name}")
        return field_of(value, name)

    return read


def _element(made: Expression, index: Expression) -> Expression:
    return lambda scope: part_of(made(scope), index(scope))


def _combined(op: str, left: Expression, right: Expression) -> Expression:
    if op == "&&":
        return lambda scope: _truth(left(scope)) and _truth(right(scope))
    if op == "||":
        return lambda scope: _truth(left(scope)) or _truth(right(scope))
    if _PRECEDENCE[op] == _COMPARING:
        return lambda scope: compare(op, left(scope), right(scope))
    return lambda scope: _computed(op, operand(left(scope)), operand(right(scope)))


def _computed(op: str, left: Any, right: Any) -> Any:
    if op == "+" and isinstance(left, bytes) and isinstance(right, bytes):
        return _joined(left, right)
    return computed(op, _number(left), _number(right))


def _joined(left: bytes, right: bytes) -> bytes:
    types = {each.type for each in (left, right) if isinstance(each, Text)}
    if len(types) > 1:
        one, other = sorted(types)
        raise UsageError(f"the condition computes {one} + {other}: Go has them of one type")
    both = bytes(left) + bytes(right)
    return Text(both, types.pop()) if types else both


def _number(value: Any) -> Operand:
    held = operand(value)
    if isinstance(held, InPlace):
        raise NotInPlaceError
    if not is_operand(held):
        raise UsageError(f"{told(held)} in the condition is no number")
    number: Operand = held
    return number


def _truth(value: Any) -> bool:
    held = plain(operand(value))
    if not isinstance(held, bool):
        raise UsageError(f"{told(operand(value))} in the condition is no truth value")
    return held
