"""Conditions in Go's expression grammar: `b == 9 && s.mode == "x"`.

Operands are literals, variables in scope, variables of packages (`main.counter`), fields, elements
and `len`; operators those of Go's comparison, logic and arithmetic, with its precedence and its
division. Source: the Go Programming Language Specification, Operators.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from goprobe.api.script.inplace import InPlace
from goprobe.api.script.value import Value
from goprobe.errors import NoSuchElementError, UsageError

Scope = Callable[[str], Any]
"""The value of a name; raises NoSuchElementError."""
Expression = Callable[[Scope], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>0[xX][0-9a-fA-F_]+|\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?)|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<rune>'(?:[^'\\]|\\.)+')"""
    r"""|(?P<op>\|\||&&|==|!=|<=|>=|[-+*/%<>!().\[\]]))"""
)
_PRECEDENCE = {
    "||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "*": 5,
    "/": 5, "%": 5,
}  # fmt: skip
_DEPTH = 64
_LENGTH = 1 << 12


def _quotient(a: Any, b: Any) -> Any:
    if not (isinstance(a, int) and isinstance(b, int)):
        return a / b
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _quotient,
    "%": lambda a, b: a - b * _quotient(a, b),
}  # fmt: skip
_ARITHMETIC = frozenset("+-*/%")
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
        if kind == "op" and op in ("!", "-", "+"):
            self._at += 1
            inner = self._unary()
            if op == "!":
                return lambda scope: not _truth(inner(scope))
            if op == "-":
                return lambda scope: -_number(inner(scope))
            return inner
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
            if token == "len" and self._peek() == ("op", "("):
                self._at += 1
                inner = self._binary(1)
                self._expect(")")
                return lambda scope: len(inner(scope))
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
        plain = token.replace("_", "")
        if plain.lower().startswith("0x"):
            return int(plain, 16)
        return int(plain, 10) if plain.isdecimal() else float(plain)
    if token.startswith("`"):
        return token[1:-1]
    text = token[1:-1].encode("utf-8").decode("unicode_escape").encode("latin-1", "replace")
    told = text.decode("utf-8", "surrogateescape") if token.isascii() else token[1:-1]
    if kind == "text":
        return told
    if len(told) != 1:
        raise UsageError(f"{token} is no rune")
    return ord(told)


def _field(made: Expression, name: str) -> Expression:
    if not isinstance(made, _Name):
        return lambda scope: _value(made(scope))[name]
    package = made.name

    def read(scope: Scope) -> Any:
        try:
            value = scope(package)
        except NoSuchElementError:
            return scope(f"{package}.{name}")
        return _value(value)[name]

    return read


def _element(made: Expression, index: Expression) -> Expression:
    return lambda scope: _value(made(scope))[index(scope)]


def _combined(op: str, left: Expression, right: Expression) -> Expression:
    if op == "&&":
        return lambda scope: _truth(left(scope)) and _truth(right(scope))
    if op == "||":
        return lambda scope: _truth(left(scope)) or _truth(right(scope))
    do = _OPERATORS[op]
    if op in _ARITHMETIC:

        def compute(scope: Scope) -> Any:
            try:
                return do(_plain(left(scope)), _plain(right(scope)))
            except ZeroDivisionError:
                raise UsageError("the condition divides by zero") from None

        return compute
    return lambda scope: do(*_comparable(left(scope), right(scope)))


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """A truth value is no number in Go, as it is in Python."""
    if _is_truth(left) != _is_truth(right) and _is_number(left) != _is_number(right):
        raise UsageError("the condition compares a truth value with a number")
    return left, right


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, Value) and value.type == "bool")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    if not isinstance(value, Value):
        return value
    # 5.0 prints as 5, and is no integer for that: half of it is 2.5.
    return float(value) if value.type in ("float32", "float64") else value.py


def _number(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float | complex):
        raise UsageError(f"{plain!r} in the condition is no number")
    return plain


def _truth(value: Any) -> bool:
    plain = _plain(value)
    if not isinstance(plain, bool):
        raise UsageError(f"{plain!r} in the condition is no truth value")
    return plain


def _value(value: Any) -> Any:
    if not isinstance(value, Value | InPlace):
        raise UsageError(f"{value!r} in the condition has no parts")
    return value
