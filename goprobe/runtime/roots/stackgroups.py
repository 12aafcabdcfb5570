"""The groups that the roots on one goroutine's stack belong to."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.roots.frameshapes import WORD, FrameVariable
from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots
from goprobe.runtime.roots.templates import PointerSlot

SentAt = Callable[[Goroutine, int, int], FrameVariable | None]


class StackGroups:
    """The groups of one goroutine's roots, each made when it is first needed."""

    def __init__(self, roots: Roots, g: Goroutine, began: str, owner: int = -1) -> None:
        """`began` is the function that it began with. `owner` is the group that they belong to, -1
        for one of the goroutine's own."""
        self._roots = roots
        self._g = g
        self._began = began
        self._owner = owner
        self._known: dict[tuple[int, str, int], int] = {}

    @property
    def goroutine(self) -> int:
        if self._owner < 0:
            about = f"goroutine {self._g.id}"
            self._owner = self._roots.group(
                RootGroup(
                    kind=RootKind.GOROUTINE,
                    name=about,
                    address=self._g.address,
                    goroutine=self._g.id,
                    function=self._began,
                    gs=array("Q", [self._g.address]),
                )
            )
        return self._owner

    def of_slot(
        self, slot: PointerSlot, place: int, word: Callable[[int], int], sent_at: SentAt
    ) -> int:
        """The group of a word of a stack that is like others, at an address. `word` reads a word,
        counted from sp; `sent_at` is the value at an address that a channel knows of."""
        sp, variable = self._g.sp, slot.variable
        cfa = sp + slot.cfa
        if variable.type is None:
            variable = sent_at(self._g, place, cfa) or variable

        def read(at: int) -> int:
            return word((at - sp) // WORD)

        return self.variable(cfa, variable, slot.function, read, slot.standing)

    def variable(
        self,
        cfa: int,
        variable: FrameVariable,
        function: str,
        word: Callable[[int], int],
        standing: tuple[int, ...],
    ) -> int:
        """A variable of the frame at `cfa`; a temporary has no type. `word` reads a word of the
        stack; `standing` are the calls that led there."""
        name, low = variable.name, variable.low
        placed = (variable.type or variable.rtype or variable.code) and not variable.words
        return self.of(
            (cfa, name, low),
            name,
            function=function,
            address=cfa + low if placed else 0,
            type=variable.type,
            rtype=variable.rtype,
            words=tuple(0 if at is None else word(cfa + at) for at in variable.words),
            at=variable.at,
            standing=standing,
            place=low,
            code=variable.code,
        )

    def of(self, key: tuple[int, str, int], name: str, **about: Any) -> int:
        if key not in self._known:
            self._known[key] = self._roots.group(
                RootGroup(
                    kind=RootKind.VARIABLE,
                    name=name,
                    parent=self.goroutine,
                    goroutine=self._g.id,
                    **about,
                )
            )
        return self._known[key]
