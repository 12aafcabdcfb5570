"""What keeps objects of the heap alive from outside of it: globals, stacks, finalizers, cleanups.

Every root is a word that holds an address. They are those that the collector begins with:
src/runtime/mgcmark.go (gcMarkRootPrepare, markroot), Go 1.21 to 1.27.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.spantable import SpanTable
from goprobe.runtime.roots.globals import global_roots
from goprobe.runtime.roots.groups import RootColumns, Roots, join
from goprobe.runtime.roots.heldwords import Held, nothing_held
from goprobe.runtime.roots.specials import queued_roots, special_roots
from goprobe.runtime.roots.stackroots import StackRoots
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.world import World


def noted_roots(world: World, spans: SpanTable) -> Roots:
    """What the runtime notes beside the objects, and in queues: it lies in no object and on no
    stack, and so has to be read while the process stands."""
    return join(special_roots(world, spans), queued_roots(world))


def every_root(world: World, low: int, high: int, noted: Roots, held: Held = nothing_held) -> Roots:
    """All roots of a heap that lies in [low, high); `noted` are those of `noted_roots`, `held` says
    what is known of variables in frames that stand anywhere."""
    stacks = Stacks(world)
    in_globals = global_roots(world, stacks.modules, low, high)
    try:
        goroutines = world.goroutines.all
        on_stacks = StackRoots(world, stacks, low, high, held).of(iter(goroutines))
    except UnreadableError as error:
        on_stacks = Roots()
        on_stacks.lose(f"the goroutines cannot be read: {error.why}")
    return join(in_globals, on_stacks, noted)


def in_parts(roots: Roots) -> Iterator[RootColumns]:
    """All of them, some at a time, in columns."""
    yield from roots.parts()


def joined(parts: Iterable[array[int]]) -> Words:
    """The addresses of several groups, one behind the other."""
    return np.frombuffer(b"".join(part.tobytes() for part in parts), np.uint64)
