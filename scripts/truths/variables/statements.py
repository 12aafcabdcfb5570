"""The statements of a body: what they are written with, and how one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scripts.truths.variables.scope import Block, Body, Var
from scripts.truths.variables.writer import Writer

MOST_COST = 14

Write = Callable[["Statements", Block, int], None]
Weighted = Sequence[tuple[int, Write]]


class Statements:
    """Writes the statements of bodies: `simple` ones, and where there is room for them `nested`
    ones, which have blocks of their own."""

    def __init__(self, writer: Writer, simple: Weighted, nested: Weighted) -> None:
        self.w = writer
        self.c = writer.choices
        self._simple = simple
        self._nested = nested
        self._numbers: dict[str, int] = {}

    def number(self, what: str) -> int:
        """The next one of its sort, from 1 on."""
        self._numbers[what] = self._numbers.get(what, 0) + 1
        return self._numbers[what]

    def block(self, block: Block, depth: int, least: int = 0) -> None:
        """Some statements, the last of which does not leave the block."""
        for _ in range(least + self.c.weighted((3, 2), (3, 3), (3, 1), (2, 4), (1, 0))):
            self.statement(block, depth)

    def statement(self, block: Block, depth: int) -> None:
        chosen = self.c.weighted(*self._simple, *(self._nested if depth > 0 else ()))
        chosen(self, block, depth)

    def inner(self, block: Block, depth: int) -> None:
        """An inner block's statements."""
        self.w.indent += 1
        self.block(block, depth - 1)
        self.w.indent -= 1

    def opening(self, params: list[Var], level: str = "enter()") -> str:
        """What the witness does first in a body."""
        return f"«at := {level}; fn := at; _, _ = at, fn»{self.w.held(*params)}"

    def body(self, block: Block, depth: int, least: int = 1) -> None:
        """The statements of a body, with types of its own, to its end."""
        with self.w.types.scope():
            if self.c.chance(15):
                self.w.put(self.w.types.declare_local())
            self.block(block, depth, least=least)
            self.returns(block)

    def returns(self, block: Block) -> None:
        """A return; nothing but its place where the body has no results, for it may be the end."""
        w, owner = self.w, block.body.owner
        before = w.calling(block, loose=True)
        w.put(f"{before}return {self.results(block)}" if owner.results else before)

    def results(self, block: Block) -> str:
        """What a `return` hands over: nothing, sometimes, where the results have names."""
        owner: Body = block.body.owner
        named = [v for v in block.visible() if v in owner.named_results]
        if owner.named_results and len(named) == len(owner.named_results) and self.c.chance(40):
            return ""
        return ", ".join(self.w.expression(block, r) for r in owner.results)
