"""A whole program: types, functions and methods, then main."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.truths.choices import Choices
from scripts.truths.kind import release
from scripts.truths.variables.calls import call
from scripts.truths.variables.functions import function
from scripts.truths.variables.grammar import statements
from scripts.truths.variables.making import TypeMaker
from scripts.truths.variables.scope import Block, Body, Site
from scripts.truths.variables.statements import Statements
from scripts.truths.variables.writer import Writer

_HERE = Path(__file__).parent
HELPERS = (_HERE / "helpers.go.txt").read_text()
STIR = (_HERE / "stir.go.txt").read_text()
STILL = (_HERE / "still.go.txt").read_text()
ADDRESSES = (_HERE / "addresses.go.txt").read_text()
WITNESS = (_HERE / "witness.go.txt").read_text()


@dataclass(frozen=True, slots=True)
class Twins:
    """The two programs and what is to be asked at their sites."""

    traced: str
    addressed: str
    """The traced one, but it prints where its variables lie."""
    witness: str
    language: str
    sites: tuple[Site, ...]
    wrapped: frozenset[int]
    stirs: bool
    """What the traced one calls moves its stack and has what it does not keep freed."""


def write(choices: Choices, go: str) -> Twins:
    language = release(go)
    if language > (1, 21) and choices.chance(15):
        language = (1, 21)  # the older meaning of loops
    writer = Writer(choices, TypeMaker(choices), language)
    writer.put("package main")
    writer.put('‹import "unsafe"›')
    for _ in range(choices.below(4)):
        writer.types.declare()
    for _ in range(choices.weighted((2, 0), (2, 1), (1, 2))):
        writer.types.declare_generic()
    for line in writer.types.declared:
        writer.put(line)
    s = statements(writer)
    for number in range(choices.between(1, 4)):
        function(s, number)
    _main(s)
    return Twins(
        writer.source(witness=False),
        writer.source(witness=False, addresses=True),
        writer.source(witness=True),
        f"{language[0]}.{language[1]}",
        tuple(writer.sites),
        frozenset(writer.wrapped),
        choices.chance(30),
    )


def _main(s: Statements) -> None:
    w = s.w
    w.put("")
    body = Body("main", noinline=True)
    block = Block(body)
    w.put(f"func main() {{{s.opening([])}")
    w.indent += 1
    w.put("‹_ = unsafe.Sizeof(0)›")
    s.block(block, 2, least=3)
    for _ in range(3):
        body.cost = 0
        call(s, block)
    s.returns(block)
    w.indent -= 1
    w.put("}")
