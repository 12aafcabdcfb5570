"""The groups that the roots on one goroutine's stack belong to."""

from __future__ import annotations

from typing import Any

from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.roots.frameshapes import FrameVariable
from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots


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
                )
            )
        return self._owner

    def variable(self, cfa: int, variable: FrameVariable, function: str) -> int:
        """A variable of the frame at `cfa`; a temporary has no type."""
        name, low = variable.name, variable.low
        placed = variable.type or variable.rtype
        return self.of(
            (cfa, name, low),
            name,
            function=function,
            address=cfa + low if placed else 0,
            type=variable.type,
            rtype=variable.rtype,
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
