"""Pointers into stacks that the runtime itself keeps, by right, in objects of its own.

Nothing else outside of a stack may point into one. What may is known by the struct that holds the
pointer and by the goroutine whose stack it leads into, so that programs without debug information
are told apart just as well:

- g._panic and g._defer, the innermost panic and deferred call: into that g's own stack.
- g.sched.ctxt, the closure in which a goroutine was switched away, or ran out of stack: a closure
  that does not escape lies in its caller's frame (asm_amd64.s, morestack; adjusted when a stack
  moves).
- sudog.elem, the value that a blocked goroutine sends or receives: into the stack of sudog.g.
- fields of heap-allocated _defers, which hang on g._defer: into that g's stack.

Source: src/runtime/runtime2.go (g, gobuf, sudog, _defer, _panic), chan.go (chansend, chanrecv),
select.go, panic.go (deferproc), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.world import World

_WORD = 8
_DEFER_LIMIT = 1 << 16
_OF_G = ("_panic", "_defer")
_CTXT_BEHIND_PC = 16  # gobuf begins with sp, pc, g, ctxt (runtime2.go, Go 1.21 to 1.27)
_OF_DEFER = ("fn", "link", "_panic")


class OwnPointer(msgspec.Struct, frozen=True):
    """A pointer to `value`, in a stack, that lies `offset` bytes into the object at `holder`."""

    holder: int
    offset: int
    value: int


class OwnPointers:
    """Tells the runtime's own pointers into stacks from all others, at one stop."""

    def __init__(self, world: World) -> None:
        self._world = world
        layout = world.layout
        self._g = _offsets(world, "g", _OF_G) | {layout.offset("g", "sched.pc") + _CTXT_BEHIND_PC}
        self._defer = _offsets(world, "_defer", _OF_DEFER)
        self._elem = layout.offset("sudog", "elem") if layout.has("sudog", "elem") else -1
        self._defers: dict[int, frozenset[int]] = {}

    def explained(self, pointers: Sequence[OwnPointer]) -> list[bool]:
        """Of each pointer of an object whether the runtime keeps it."""
        # A program may have a hundred thousand blocked goroutines: all their sudogs in one read.
        rows = [i for i, p in enumerate(pointers) if p.offset == self._elem]
        at = self._world.layout.offset("sudog", "g") if rows else 0
        words = self._world.memory.read_many([(pointers[i].holder + at, _WORD) for i in rows])
        waiting = {
            i: int.from_bytes(raw, "little")
            for i, raw in zip(rows, words, strict=True)
            if raw is not None
        }
        return [self._explains(p, waiting.get(i, 0)) for i, p in enumerate(pointers)]

    def _explains(self, pointer: OwnPointer, waiting: int) -> bool:
        owner = self._owner(pointer.value)
        if owner is None:
            return False
        if waiting == owner.address:
            return True
        if pointer.holder == owner.address:
            return pointer.offset in self._g
        return pointer.offset in self._defer and pointer.holder in self._defers_of(owner)

    def explains_variable(self, place: int, value: int) -> bool:
        """The same of a pointer at an address that is no object's: in a g that is static."""
        owner = self._owner(value)
        return owner is not None and place - owner.address in self._g

    def _owner(self, value: int) -> Goroutine | None:
        """Whose stack an address lies in: a goroutine's, or a thread's g0 or gsignal."""
        owner = self._world.goroutines.owner_of(value)
        return owner or next((g for g in self._system if g.low <= value < g.high), None)

    @cached_property
    def _system(self) -> tuple[Goroutine, ...]:
        goroutines = self._world.goroutines
        systems = (goroutines.at(g) for t in goroutines.threads for g in (t.g0, t.gsignal) if g)
        return tuple(g for g in systems if g)

    def _defers_of(self, owner: Goroutine) -> frozenset[int]:
        """The _defers that hang on a g."""
        if owner.address not in self._defers:
            layout, memory = self._world.layout, self._world.memory
            objects: set[int] = set()
            try:
                at = u64(memory, owner.address + layout.offset("g", "_defer"))
                while at and at not in objects and len(objects) < _DEFER_LIMIT:
                    objects.add(at)
                    at = u64(memory, at + layout.offset("_defer", "link"))
            except UnreadableError:
                pass
            self._defers[owner.address] = frozenset(objects)
        return self._defers[owner.address]


def _offsets(world: World, struct: str, names: tuple[str, ...]) -> frozenset[int]:
    layout = world.layout
    return frozenset(layout.offset(struct, name) for name in names if layout.has(struct, name))
