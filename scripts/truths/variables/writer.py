"""The source being written: lines of both twins, sites, and the expressions of a place.

A program is written once and comes out as twins with the same lines: the one that is traced, and
the witness, which prints at each site the values of the variables in scope. What only the witness
has stands between « and »; what only a traced program that prints addresses has between ‹ and ›.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts.truths.choices import Choices
from scripts.truths.variables.making import TypeMaker, literal
from scripts.truths.variables.scope import Block, Body, Site, Var
from scripts.truths.variables.types import INTEGERS, Type

NAMES = ("a", "b", "v", "w", "x", "y", "n", "msg", "err", "total", "list", "item", "k")
_NUMERIC = (*INTEGERS, "float32", "float64")
_ORDERED = (*_NUMERIC, "string")
_WITNESS = re.compile("«([^»]*)»")
_ADDRESSES = re.compile("‹([^›]*)›")
_MOST_PATHS = 40
_POINTING = ("string", "slice", "pointer", "map", "chan")


@dataclass(frozen=True, slots=True)
class Function:
    """A top-level function that may be called: `cost` the stops that a call makes. `generics` are
    its type parameters; `panics`: only where that is recovered; `recursive`: by its first
    parameter."""

    name: str
    params: tuple[Type, ...]
    results: tuple[Type, ...]
    cost: int
    variadic: bool = False
    receiver: Type | None = None
    generics: tuple[Type, ...] = ()
    panics: bool = False
    recursive: bool = False


@dataclass(slots=True)
class Writer:
    """Where the text goes, and all that was declared so far."""

    choices: Choices
    types: TypeMaker
    language: tuple[int, int]
    lines: list[str] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    variables: int = 0
    wrapped: set[int] = field(default_factory=set)
    """Lines that the compiler may make a function of its own for: of defer and go statements, and
    of generic methods, which it enters by way of one for each type."""
    indent: int = 0

    @property
    def line(self) -> int:
        """Of what is written next."""
        return len(self.lines) + 1

    def held(self, *variables: Var) -> str:
        """The same as what follows a declaration."""
        handles = self.handle(*variables)
        return f"«; {handles}»" if handles else ""

    def put(self, text: str) -> None:
        self.lines.append("\t" * self.indent + text)

    def source(self, *, witness: bool, addresses: bool = False) -> str:
        text = "\n".join(self.lines) + "\n"
        text = _WITNESS.sub(r"\1" if witness else "", text)
        return _ADDRESSES.sub(self._printed if addresses else "", text)

    def _printed(self, found: re.Match[str]) -> str:
        """What prints addresses at a site: of variables that this moves nowhere."""
        if not found[1].isdigit():
            return found[1]
        site = self.sites[int(found[1])]
        words = []
        for v in site.printable():
            address = f"unsafe.Pointer(&{v.name})"
            points = v.type.kind in _POINTING
            words += [
                str(v.number),
                f"uintptr({address})",
                f"*(*uintptr)({address})" if points else "0",
            ]
        return f"room(); at({', '.join([str(site.number), *words])})"

    # Variables

    def declare(self, block: Block, name: str, kind: Type, **how: bool) -> Var:
        """A new variable of the block, declared at the line being written."""
        self.variables += 1
        made = Var(self.variables, name, kind, self.line, block.body, **how)
        block.variables.append(made)
        return made

    def handle(self, *variables: Var) -> str:
        """The witness's hold on variables just declared, statements without a mark."""
        named = [v for v in variables if v.name != "_" and not v.constant]
        if not named:
            return ""
        left = ", ".join(f"p{v.number}" for v in named)
        right = ", ".join(f"&{v.name}" for v in named)
        blanks = ", ".join("_" for _ in named)
        return f"{left} := {right}; {blanks} = {left}"

    def fresh(self, block: Block) -> str:
        """A name that the block itself does not have yet; outer ones may be hidden."""
        taken = {v.name for v in block.variables}
        free = [n for n in NAMES if n not in taken]
        return self.choices.one_of(free) if free else f"z{self.variables}"

    # Sites

    def site(self, kind: str, block: Block, *, loose: bool = False) -> Site:
        named = [v for v in block.in_scope() if v.name != "_"]
        made = Site(len(self.sites), kind, block.body, self.line, named, loose)
        self.sites.append(made)
        return made

    def told(self, site: Site) -> str:
        """The arguments of the witness's call for a site."""
        return ", ".join(["at", str(site.number), *(f"p{v.number}" for v in site.variables)])

    def calling(self, block: Block, *, loose: bool = False) -> str:
        """What goes before a statement that calls."""
        return f"«here({self.told(self.site('call', block, loose=loose))}); »"

    # Expressions

    def paths(self, block: Block) -> Iterator[tuple[str, Type, Var]]:
        """What of the variables can be named here without any risk: text, type, variable."""
        for variable in block.visible():
            yield variable.name, variable.type, variable
            if variable.constant:
                continue
            yield from (
                (text, kind, variable) for text, kind in _parts(variable.name, variable.type, 2)
            )

    def of_type(self, block: Block, kind: Type) -> list[tuple[str, Var]]:
        found = [(t, v) for t, k, v in self.paths(block) if k.text == kind.text]
        return found[:_MOST_PATHS]

    def expression(self, block: Block, kind: Type, depth: int = 2) -> str:
        """A value of a type: a literal, a variable or a part of one, or something reckoned."""
        c = self.choices
        known = self.of_type(block, kind)
        if known and c.chance(60):
            text, variable = c.one_of(known)
            block.body.mention(variable)
            if depth > 0 and not variable.constant and c.chance(40):
                return self._reckoned(block, kind, text, depth)
            return text
        if depth > 0 and c.chance(35):
            made = self._derived(block, kind)
            if made:
                return made
        return literal(self.types, kind, depth)

    def _reckoned(self, block: Block, kind: Type, text: str, depth: int) -> str:
        c = self.choices
        other = self.expression(block, kind, depth - 1)
        ordered = kind.kind in _ORDERED or kind.constraint == "number"
        if ordered and c.chance(15):
            return f"{c.one_of(('min', 'max'))}({text}, {other})"
        if kind.constraint == "number":
            return f"{text} + {_grouped(other)}"
        if kind.kind in INTEGERS:
            return f"{text} {c.one_of(('+', '-', '*', '^', '|', '&'))} {_grouped(other)}"
        if kind.kind in ("float32", "float64", "complex64", "complex128"):
            return f"{text} {c.one_of(('+', '-', '*'))} {_grouped(other)}"
        if kind.kind == "string":
            return f"{text} + {_grouped(other)}" if c.chance(70) else f"{text}[len({text})/2:]"
        if kind.kind == "bool":
            return f"!{text}"
        if kind.kind == "slice":
            return f"{text}[len({text})/2:]"
        return text

    def _derived(self, block: Block, kind: Type) -> str:
        """Out of variables of other types."""
        c = self.choices
        if kind.kind in _NUMERIC:
            paths = [(t, k, v) for t, k, v in self.paths(block) if not v.constant]
            from_ = [(t, v) for t, k, v in paths if k.kind in INTEGERS]
            sized = [
                (f"len({t})", v)
                for t, k, v in paths
                if k.kind in ("string", "slice", "map", "chan")
            ]
            found = [*from_[:_MOST_PATHS], *sized[:_MOST_PATHS]]
            if found:
                text, variable = c.one_of(found)
                block.body.mention(variable)
                return f"{kind.text}({text})"
        if kind.kind == "pointer":
            found = [(t, v) for t, v in self.of_type(block, kind.element) if not v.constant]
            if found:
                text, variable = c.one_of(found)
                block.body.mention(variable)
                variable.addressed = True
                return f"&{text}"
        if kind.text == "any":
            found = [(t, v) for t, k, v in self.paths(block)][:_MOST_PATHS]
            if found:
                text, variable = c.one_of(found)
                block.body.mention(variable)
                return f"any({text})"
        return ""

    def condition(self, block: Block) -> str:
        """A boolean expression fit for a statement's head: no composite literal in it."""
        c = self.choices
        numbers = [(t, v) for t, k, v in self.paths(block) if k.kind in INTEGERS]
        if numbers and c.chance(70):
            text, variable = c.one_of(numbers[:_MOST_PATHS])
            block.body.mention(variable)
            compared = f"{text} {c.one_of(('<', '>', '==', '!='))} {c.below(20)}"
            return f"{compared} && yes()" if c.chance(20) else compared
        known = [(t, v) for t, k, v in self.paths(block) if k.kind == "bool"]
        if known and c.chance(70):
            text, variable = c.one_of(known[:_MOST_PATHS])
            block.body.mention(variable)
            return f"bool({text})"
        return c.one_of(("yes()", "!yes()"))


def _parts(text: str, kind: Type, depth: int) -> Iterator[tuple[str, Type]]:
    if depth <= 0:
        return
    if kind.kind == "struct":
        for name, part in kind.fields:
            if name == "_":
                continue
            yield f"{text}.{name}", part
            yield from _parts(f"{text}.{name}", part, depth - 1)
    elif kind.kind == "array":
        for i in range(min(kind.count, 2)):
            yield f"{text}[{i}]", kind.element
            yield from _parts(f"{text}[{i}]", kind.element, depth - 1)


def _grouped(text: str) -> str:
    return f"({text})" if " " in text else text


__all__ = ["NAMES", "Body", "Function", "Writer"]
