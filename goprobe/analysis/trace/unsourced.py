"""What is told of a variable of optimised code whose source is not at hand.

The debug information says where the value lies that a name was given last, as the compiler orders
things. That no later assignment was left out or became a constant (`y := x; x = 7`: the place of
the old x still bears its name), and that the name means this variable here, only the source can
show. Two things need no source. Where a function's body has not begun, its parameters are what was
passed. And a variable that was moved to the heap is in memory that others see, which is as the
source has it wherever a call stands: there the compiler carries out each store before, and none
after.
"""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.analysis.trace.machinewitness import Doubt, Position
from goprobe.arch.code import ENTRY, LOST, Definition, FrameSlot, Holder
from goprobe.binary.dwarf.info import Local
from goprobe.runtime.stacks.bindings import Binding


def unsourced(
    binding: Binding,
    holders: Sequence[Holder],
    at: Position,
    *,
    body: int,
    nested: bool,
    literals: int,
) -> Doubt | None:
    """None where its value is sure. `body` is where the function's own begins (link-time);
    `nested`: it is a closure, whose names may be those of the function around it. `literals`: the
    line at which the first function literal in it begins, whose variables may be told as its own.
    """
    local, frame = binding.local, at.frame
    if binding.place is None:
        return None
    if not local.parameter and frame.line < local.line:
        # Where a name begins to mean a variable, nothing before it is in its scope.
        return _doubt("that the name means it at a line before it is declared")
    if binding.moved:
        # Of calls inlined here the debug information describes no blocks.
        own = local.line < literals
        if own and not (frame.innermost or frame.depth or nested or local.parameter):
            return None
        return _doubt("that this is its value and the name means it here")
    if not local.parameter or local.result or not frame.innermost or frame.depth or at.pc > body:
        return _doubt("which of its assignments hold at this line")
    if not _is_as_passed(local, holders, at):
        return _doubt("that what lies in its place is what was passed for it")
    return None


def _is_as_passed(local: Local, holders: Sequence[Holder], at: Position) -> bool:
    """Whether a parameter's words lie where they arrived, or are copies of what lay there. Of one
    that is given its own value (`list = list`) the compiler describes words of others, too."""
    arrived = at.about.arrivals.get(local.name, ())
    if len(arrived) == 1 and isinstance(arrived[0], FrameSlot):
        home = arrived[0]
        return bool(holders) and all(
            isinstance(h, FrameSlot)
            and home.offset <= h.offset
            and h.offset + h.size <= home.offset + home.size
            and at.about.writes.last(h, at.pc) == frozenset((ENTRY,))
            for h in holders
        )
    origins = (at.about.definitions.of(holder, at.pc) for holder in holders)
    return len(holders) == len(arrived) and all(
        made and all((d.pc, d.holder) == (ENTRY, home) or _is_lost(d, at) for d in made)
        for made, home in zip(origins, arrived, strict=True)
    )


def _is_lost(definition: Definition, at: Position) -> bool:
    """Whether it is of a beginning again that did not take place."""
    return definition.pc == LOST and not at.again


def _doubt(what: str) -> Doubt:
    return Doubt(f"its source is not at hand, and nothing else shows {what}")


SEVERAL = _doubt("which of several variables of that name is meant")
