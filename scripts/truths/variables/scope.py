"""What the generator knows of the place that it writes at: variables, blocks, functions, sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts.truths.variables.types import Type


@dataclass(eq=False, slots=True)
class Var:
    """A variable of the program, declared at `line`; its witness is its address, `p{number}`.
    `fixed`: the program may not change it, or a loop would not end. `constant`: it is a constant,
    which has a name, hides others of that name, and lies nowhere."""

    number: int
    name: str
    type: Type
    line: int
    body: Body
    parameter: bool = False
    fixed: bool = False
    constant: bool = False
    changes: bool = False
    """It is given another value after its declaration."""
    captured: bool = False
    """By a closure: by its value, where nothing changes it or takes its address."""
    addressed: bool = False
    """Its address is taken by the source, or a closure changes it."""


@dataclass(eq=False, slots=True)
class Label:
    """A loop that may be named; `used` where the source does."""

    name: str
    used: bool = False


@dataclass(eq=False, slots=True)
class Body:
    """A function's body, or a closure's, or a range-over-func loop's: what has a frame.

    `guarded`: a panic here is recovered by a caller, or a deferred call of its own. `labels` are
    those of the loops around the place being written."""

    name: str
    parent: Body | None = None
    results: list[Type] = field(default_factory=list)
    named_results: list[Var] = field(default_factory=list)
    captured: dict[Var, None] = field(default_factory=dict)
    noinline: bool = False
    loop_body: bool = False
    guarded: bool = False
    labels: list[Label] = field(default_factory=list)
    times: int = 1
    """How often the place being written runs in one call."""
    cost: int = 0
    """How many stops one call makes, at most."""

    def mention(self, variable: Var) -> None:
        """The source names it here: it is captured by every closure from here outwards to it."""
        body: Body | None = None if variable.constant else self
        while body is not None and body is not variable.body:
            body.captured[variable] = None
            variable.captured = True
            body = body.parent

    def change(self, variable: Var) -> None:
        """The source gives it another value here."""
        self.mention(variable)
        variable.changes = True
        if variable.body is not self:
            variable.addressed = True

    @property
    def owner(self) -> Body:
        """The function or closure that a `return` here leaves."""
        body = self
        while body.loop_body and body.parent is not None:
            body = body.parent
        return body


@dataclass(eq=False, slots=True)
class Block:
    """A block of a body, with the variables declared so far."""

    body: Body
    outer: Block | None = None
    variables: list[Var] = field(default_factory=list)

    def in_scope(self) -> Iterator[Var]:
        """Innermost first, hidden ones too."""
        block: Block | None = self
        while block is not None:
            yield from reversed(block.variables)
            block = block.outer

    def visible(self) -> list[Var]:
        """Those that a name means here."""
        found: dict[str, Var] = {}
        for variable in self.in_scope():
            found.setdefault(variable.name, variable)
        return [v for name, v in found.items() if name != "_"]


@dataclass(eq=False, slots=True)
class Site:
    """A place where the program may stand: at the entry of a function, at a checkpoint, or in a
    call. `loose`: the compiler may give the call another line. `named` are the variables and
    constants in scope, innermost first."""

    number: int
    kind: str
    body: Body
    line: int
    named: list[Var]
    loose: bool = False
    stops: tuple[str, ...] = ()
    """The WHEREs that stop here, in their order."""
    also: int = 0
    """Another line that the compiler may give the call: of a loop over a function that of its last
    brace, where it puts the returns out of it, with their deferred calls (cmd/compile,
    rangefunc/rewrite.go, Go 1.23 to 1.27); of the call of a method value that it inlines that where
    the value is made."""

    @property
    def variables(self) -> list[Var]:
        return [v for v in self.named if not v.constant]

    def printable(self) -> list[Var]:
        """Variables of this frame that no other name hides, whose address the program may print
        without moving them: a closure that captured their values would capture them by reference
        instead. (An address that becomes a number at once does not escape.)"""
        names: dict[str, Var] = {}
        for variable in self.named:
            names.setdefault(variable.name, variable)
        return [
            v
            for v in names.values()
            if v.body is self.body and not v.constant and (v.addressed or not v.captured)
        ]
