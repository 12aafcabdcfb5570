"""A whole program: types, functions and methods, then main."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.truths.choices import Choices
from scripts.truths.variables.scope import Block, Body, Site
from scripts.truths.variables.statements import Statements
from scripts.truths.variables.types import Type, TypeMaker, pointer, slice_of
from scripts.truths.variables.writer import NAMES, Function, Writer

_HERE = Path(__file__).parent
HELPERS = (_HERE / "helpers.go.txt").read_text()
WITNESS = (_HERE / "witness.go.txt").read_text()


@dataclass(frozen=True, slots=True)
class Twins:
    """The two programs and what is to be asked at their sites."""

    traced: str
    addressed: str
    witness: str
    language: str
    sites: tuple[Site, ...]
    wrapped: frozenset[int]


def write(choices: Choices, go: str) -> Twins:
    newest = tuple(int(n) for n in go.split("."))
    language = (newest[0], newest[1])
    if language > (1, 21) and choices.chance(15):
        language = (1, 21)  # the older meaning of loops
    writer = Writer(choices, TypeMaker(choices), language)
    writer.put("package main")
    writer.put('‹import "unsafe"›')
    for _ in range(choices.below(4)):
        writer.types.declare()
    for line in writer.types.declared:
        writer.put(line)
    statements = Statements(writer)
    for number in range(choices.between(1, 4)):
        _function(statements, number)
    _main(statements)
    return Twins(
        writer.source(witness=False),
        writer.source(witness=False, addresses=True),
        writer.source(witness=True),
        f"{language[0]}.{language[1]}",
        tuple(writer.sites),
        frozenset(writer.wrapped),
    )


def _function(statements: Statements, number: int) -> None:
    w, c = statements.w, statements.c
    w.put("")
    noinline = c.chance(70)
    receiver: Type | None = None
    structs = [t for t in w.types.named if t.kind not in ("interface", "pointer")]
    if structs and c.chance(30):
        receiver = c.one_of(structs)
        if c.chance(50):
            receiver = pointer(receiver)
    name = f"f{chr(ord('A') + number)}" if receiver is None else f"M{number}"
    base = receiver.text.lstrip("*") if receiver else ""
    symbol = name if not receiver else (
        f"(*{base}).{name}" if receiver.kind == "pointer" else f"{base}.{name}"
    )  # fmt: skip
    body = Body(symbol, noinline=noinline)
    block = Block(body)
    params = [
        w.types.any_type()
        for _ in range(c.weighted((3, 2), (3, 3), (2, 1), (2, 5), (1, 9), (1, 0)))
    ]
    variadic = bool(params) and c.chance(15)
    if variadic:
        params[-1] = slice_of(params[-1])
    body.results = [w.types.any_type() for _ in range(c.weighted((3, 1), (2, 2), (2, 0), (1, 3)))]
    if noinline:
        w.put("//go:noinline")
    held = []
    head = "func "
    if receiver is not None:
        made = w.declare(block, "r", receiver, parameter=True)
        held.append(made)
        head += f"(r {receiver.text}) "
    parts = []
    for kind, param in zip(params, _names(c, len(params)), strict=True):
        made = w.declare(block, param, kind, parameter=True)
        held.append(made)
        last = variadic and kind is params[-1]
        parts.append(f"{param} ...{kind.element.text}" if last else f"{param} {kind.text}")
    named = bool(body.results) and c.chance(30)
    outs = ", ".join(t.text for t in body.results)
    if named:
        for i, kind in enumerate(body.results):
            made = w.declare(block, f"out{i}", kind, parameter=True)
            held.append(made)
            body.named_results.append(made)
        outs = ", ".join(f"{v.name} {v.type.text}" for v in body.named_results)
    opening = statements.opening(held)
    entry = ""
    if noinline:
        site = w.site("entry", block)
        site.stops = (f"main.{symbol}",)
        body.cost += 1
        entry = f"«; see({w.told(site)})»"
    w.put(f"{head}{name}({', '.join(parts)}) ({outs}) {{{opening}{entry}")
    w.indent += 1
    statements.block(block, 2, least=1)
    statements.returns(block)
    w.indent -= 1
    w.put("}")
    w.functions.append(
        Function(name, tuple(params), tuple(body.results), body.cost, variadic, receiver)
    )


def _names(c: Choices, count: int) -> list[str]:
    free = list(NAMES)
    return [free.pop(c.below(len(free))) for _ in range(count)]


def _main(statements: Statements) -> None:
    w = statements.w
    w.put("")
    body = Body("main", noinline=True)
    block = Block(body)
    w.put(f"func main() {{{statements.opening([])}")
    w.indent += 1
    statements.block(block, 2, least=3)
    for _ in range(3):
        body.cost = 0
        statements.call(block, 0)
    statements.returns(block)
    w.indent -= 1
    w.put("}")
