"""A site before any run: what the compiler said, and the code that belongs to it."""

from __future__ import annotations

import msgspec

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.codeplaces import StackWitness, Static
from goprobe.analysis.escape.predictions import Predicted
from goprobe.runtime.allocatorcalls import Family
from goprobe.runtime.types.statictypes import MapParts

FileLine = tuple[str, int]


class SitePlan(msgspec.Struct, kw_only=True):
    """A site before any run.

    `code`: its line has machine code; `alive`: so has its function. `wrapper`: the closure that
    the compiler makes of the call of a go or defer statement, of which it says nothing. `together`:
    calls of other sites that may have made this one's memory along with theirs. `witnesses` are
    instructions that use memory of the frame, the first of each machine function first; `sharing`
    is how many sites of the line they may be for, and `either` are groups of machine functions of
    each of which it is one's only: which is not known. `boxed` are the parts of a map that are too
    large to lie in it. `told_apart`: its box is, by its type, no other site's of the line.
    `bereft`: it has none, and that of another one may be its own.
    """

    predicted: Predicted
    function: str = ""
    calls: list[AllocationCall] = msgspec.field(default_factory=list)
    statics: list[Static] = msgspec.field(default_factory=list)
    witnesses: list[StackWitness] = msgspec.field(default_factory=list)
    sharing: int = 1
    either: tuple[frozenset[int], ...] = ()
    witness_line: int = 0
    code: bool = False
    alive: bool = False
    ambiguous: str = ""
    wrapper: bool = False
    together: list[AllocationCall] = msgspec.field(default_factory=list)
    boxed: str = ""
    told_apart: bool = False
    bereft: bool = False

    @property
    def families(self) -> frozenset[Family]:
        return self.predicted.shape.families

    @property
    def in_frame(self) -> bool:
        """Whether it lives in the frame, as far as the code tells."""
        return bool(self.witnesses) and not self.calls and not self.statics


def boxed_parts(plan: SitePlan, parts: MapParts) -> str:
    """Which parts of a map are too large to lie in it."""
    types = {c.type for c in plan.calls if c.allocator.family is Family.ASSIGN and c.type}
    boxed = [part for rtype in types for part in parts.boxed(rtype)]
    return " and ".join(dict.fromkeys(boxed))
