"""Pointers into stacks where there must not be any: in globals and in objects of the heap.

Go's stacks move and are reused, so nothing outside of a stack may point into one. A compiler that
leaves a variable in its frame though it escapes breaks just that; so does unsafe code. The same
graph as `heap --dangling` is asked, at a moment at which every thread of the program stands still.
"""

from __future__ import annotations

import msgspec

from goprobe.analysis.heap.dangling import Dangling
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import of_standing
from goprobe.errors import CannotWorkError, GoprobeError, UnreadableError
from goprobe.model.heap import DanglingEdge
from goprobe.model.location import Kind
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.world import World


class StackPointer(msgspec.Struct, frozen=True):
    """A pointer into a stack. `source` and `target` name both ends; `function`, `file` and
    `line` are the frame that holds the target, "" and 0 where no live frame does."""

    source: str
    target: str
    function: str
    file: str
    line: int


def pointers_into_stacks(world: World) -> tuple[StackPointer, ...]:
    """All of them, of a process whose threads all stand still.

    Raises CannotWorkError where its heap's bookkeeping cannot be read.
    """
    try:
        graph = HeapGraph(of_standing(world, world.memory), lambda _: None)
        edges = Dangling(graph).edges()
    except UnreadableError as error:
        raise CannotWorkError(f"the heap cannot be swept: {error}") from None
    return tuple(_described(world, edge) for edge in edges if edge.to.kind is Kind.GOROUTINE_STACK)


def _described(world: World, edge: DanglingEdge) -> StackPointer:
    field = f" ({edge.field})" if edge.field else ""
    function, file, line = _frame_at(world, int(edge.to.address))
    return StackPointer(f"{edge.source.name}{field}", edge.to.name, function, file, line)


def _frame_at(world: World, address: int) -> tuple[str, str, int]:
    """The function whose frame covers an address of a stack, and where it stands."""
    goroutine = world.goroutines.owner_of(address)
    if goroutine is None:
        return "", "", 0
    try:
        stacks = Stacks(world)
        for frame in stacks.source(stacks.of_goroutine(goroutine)):
            if frame.sp <= address < frame.cfa:
                return frame.function, frame.file, frame.line
    except (GoprobeError, UnreadableError):
        pass
    return "", "", 0
