"""Roots on goroutines' stacks, as the collector finds them.

A frame that stands at a call has exact maps of its live pointers, and of the variables that are
reached by their addresses only (stack objects). A frame that was interrupted anywhere, the
innermost one of a running goroutine and those of preempted ones, is read word by word, and its
registers too: what looks like the address of an allocated object counts as a pointer to it.
Source: src/runtime/mgcmark.go (scanstack, scanframeworker), stkframe.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator
from functools import cached_property, partial

import numpy as np

from goprobe.arch.registers import GENERAL
from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import read_available
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.crowds import Crowd, add, columns, crowd_group, crowds, is_many
from goprobe.runtime.roots.deferring import deferred_of, has_defers
from goprobe.runtime.roots.frameshapes import (
    WORD,
    FrameObject,
    FrameShape,
    FrameShapes,
    FrameVariable,
    function_of,
)
from goprobe.runtime.roots.groups import Roots
from goprobe.runtime.roots.heldwords import MAY_BE, Held, add_held, nothing_held
from goprobe.runtime.roots.pointedat import PointedAt, pointed_at
from goprobe.runtime.roots.stackgroups import StackGroups
from goprobe.runtime.roots.templates import (
    PointerSlot,
    Template,
    Templates,
    codes_of,
    inside,
    returns_of,
)
from goprobe.runtime.roots.unnamed import calls_of, unnamed
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.stacks.unwind import MachineFrame
from goprobe.runtime.types.sentvalues import SentValues, sent_values
from goprobe.runtime.world import World

_STACK_LIMIT = 1 << 30
_INTERRUPTING = frozenset(
    {"runtime.asyncPreempt", "runtime.debugCallV2", "gcWriteBarrier", "runtime.gcWriteBarrier"}
)
"""What saves all registers and is called where no map tells of them (the barrier by assembly that
every store of a pointer may have before it: asm_amd64.s)."""


_SENT = "a value to send"


class StackRoots:
    """Finds the roots of every goroutine. [low, high) is the heap's address range."""

    def __init__(
        self, world: World, stacks: Stacks, low: int, high: int, held: Held = nothing_held
    ) -> None:
        self._world = world
        self._held = held
        self._stacks = stacks
        self._low, self._high = low, high
        self.shapes = FrameShapes(world)
        self.templates = Templates()
        self._began: dict[int, str] = {}
        self.conservative = 0

    def of(self, goroutines: Iterator[Goroutine]) -> Roots:
        roots = Roots()
        large, rest = crowds(goroutines)
        for crowd in large:
            rest += self._crowd(roots, crowd)
        for g in rest:
            if not g.dead and g.high > g.low and not self._as_before(roots, g):
                stack = _Stack(self, roots, g)
                stack.run()
                if self.templates.wanted(g) and (template := stack.template()):
                    self.templates.learn(g, template)
        if self.conservative:
            roots.notes.append(
                f"{counted(self.conservative, 'frame')} stood where no map says which words are "
                "pointers: every word in them that could be one was taken for one"
            )
        return roots

    def _crowd(self, roots: Roots, goroutines: list[Goroutine]) -> list[Goroutine]:
        """The roots of goroutines at one place; returns those that are like no others."""
        world, size = self._world, goroutines[0].high - goroutines[0].sp
        crowd = Crowd(world.memory, world.layout, columns(goroutines), size)
        left, done = crowd.fit.copy(), np.zeros(len(goroutines), np.bool_)
        while self.templates.wanted(goroutines[0]) and is_many(int(left.sum())):
            first = int(np.argmax(left))
            template = self._template(goroutines[first])
            if template is None:
                break
            self.templates.learn(goroutines[first], template)
            rows = np.flatnonzero(left & crowd.fits(template))
            if is_many(len(rows)):
                self._add_crowd(roots, crowd, rows, template, goroutines)
                done[rows] = True
            left[rows] = left[first] = False
        return [goroutines[row] for row in np.flatnonzero(~done).tolist()]

    def _template(self, g: Goroutine) -> Template | None:
        """That of one goroutine, which is walked for it, and again for its own roots."""
        before = self.conservative
        stack = _Stack(self, Roots(), g)
        stack.run()
        self.conservative = before
        return stack.template()

    def _add_crowd(
        self, roots: Roots, crowd: Crowd, rows: Ints, template: Template, every: list[Goroutine]
    ) -> None:
        function = self.began(every[int(rows[0])])
        owner = crowd_group(roots, crowd.members.take(rows), function)
        owned: dict[int, StackGroups] = {}

        def alone(row: int, slot: PointerSlot, place: int, value: int) -> None:
            g = every[row]
            groups = owned.setdefault(row, StackGroups(roots, g, function, owner))
            read = partial(crowd.word_of, row)
            roots.add(groups.of_slot(slot, place, read, self.sent_at), place, value)

        reach = self._low, self._high
        add(roots, owner, crowd, rows, template, lambda *at: self._sent.holds(*at), reach, alone)

    def _as_before(self, roots: Roots, g: Goroutine) -> bool:
        """Find the roots of a stack that is like one that was walked; False where it is not."""
        if not (known := self.templates.of(g)):
            return False
        try:
            words = memoryview(self._world.memory.read(g.sp, known[0].size)).cast("Q")
            template = next((t for t in known if t.fits(words, g.low, g.high)), None)
            if template is None or has_defers(self._world.memory, self._world.layout, g):
                return False
        except UnreadableError:
            return False
        groups = StackGroups(roots, g, self.began(g))
        for slot in template.slots:
            value = words[slot.index]
            if self._low <= value < self._high and not g.low <= value < g.high:
                place = g.sp + slot.index * WORD
                owner = groups.of_slot(slot, place, words.__getitem__, self.sent_at)
                roots.add(owner, place, value)
        return True

    def began(self, g: Goroutine) -> str:
        """The function that a goroutine began with."""
        if g.start not in self._began:
            name = self._world.shown_name(self._world.function_name(g.start))
            self._began[g.start] = name or "code that is not Go's"
        return self._began[g.start]

    def sent_at(self, g: Goroutine, place: int, cfa: int) -> FrameVariable | None:
        """The value at an address of a goroutine's stack that a channel knows of."""
        for sent in self._sent.of(g.address):
            if sent.low <= place < sent.high:
                go_type = self._world.typedata.debug_type(sent.rtype)
                rtype = 0 if go_type else sent.rtype
                return FrameVariable(sent.low - cfa, sent.high - cfa, _SENT, go_type, rtype)
        return None

    @cached_property
    def _sent(self) -> SentValues:
        world = self._world
        return sent_values(world.memory, world.layout, world.goroutines.known, world.waiting)


class _Stack:
    """One goroutine's stack: its words, and the queue of addresses that point into it."""

    def __init__(self, finder: StackRoots, roots: Roots, g: Goroutine) -> None:
        self._finder = finder
        self._world = finder._world
        self._roots = roots
        self._g = g
        self._groups = StackGroups(roots, g, finder.began(g))
        self._own: list[MachineFrame] = []
        self._calls: dict[int, tuple[int, ...]] = {}
        self._plain = False
        self._base, self._words = 0, memoryview(b"").cast("Q")
        self._known: Container[tuple[int, int]] = ()
        self._queue: list[int] = []
        self._objects: list[tuple[int, FrameObject, MachineFrame, FrameShape]] = []
        self._reached: list[tuple[int, FrameObject, MachineFrame, FrameShape]] = []
        self._pointed: list[PointedAt] = []

    def run(self) -> None:
        finder, g = self._finder, self._g
        walked = finder._stacks.of_goroutine(g)
        self._own = own = [f for f in walked.frames if g.low <= f.sp < g.high]
        self._calls = calls_of(own)
        self._plain = walked.complete and len(own) == len(walked.frames)
        bottom = own[0].sp if own else max(g.sp, g.low)
        self._load(max(min(bottom, g.high), g.low))
        shapes = [(f, finder.shapes.of(f, f.spot)) for f in own if f.spot]
        self._pointed = pointed_at(shapes, (g.low, g.high), self._word)
        careful = False
        for index, frame in enumerate(own):
            careful = self._frame(frame, index == 0 and frame is walked.frames[0], careful)
        if not walked.complete:
            top = own[-1].cfa if own else bottom
            self._range(top, g.high, "frames that could not be walked")
        self._defers()
        self._stack_objects()

    def template(self) -> Template | None:
        """What tells stacks like this one, which was walked, and where they have pointers."""
        frames = self._own
        returns = returns_of(self._g, frames, self._words) if self._plain else None
        if returns is None or any(f.function in _INTERRUPTING for f in frames):
            return None
        shapes = [(f, self._finder.shapes.of(f, f.spot)) for f in frames if f.spot]
        if not all(shape.exact for _, shape in shapes) or any(p.many for p in self._pointed):
            return None
        places = [(f, shape, place) for f, shape in shapes for place in shape.slots]
        for low, kind, f, shape in self._reached:
            places += [(f, shape, low - f.cfa + offset) for offset in kind.pointers]
        slots = tuple(self._slot_at(f, shape, place) for f, shape, place in places)
        leads = tuple(self._index(f, lead.place) for f, shape in shapes for lead in shape.leads)
        beside = (index for slot in slots for index in slot.beside)
        if not inside(self._words, (*(s.index for s in slots), *beside, *leads)):
            return None
        objects = tuple(
            (f.cfa + o.low - self._g.sp, f.cfa + o.low + max(o.size, 1) - self._g.sp)
            for f, shape in shapes
            for o in shape.objects
        )
        low, high = self._g.low, self._g.high
        same = (*returns, *codes_of(slots))
        plain = Template(high - self._g.sp, same, slots, leads, objects)
        return plain.with_pointing(self._words, low, high)

    def _slot_at(self, frame: MachineFrame, shape: FrameShape, place: int) -> PointerSlot:
        v = self._finder.shapes.variable(shape, place)
        v = v or self._unnamed(frame, shape, place)
        index = self._index(frame, place)
        calls = self._calls.get(frame.cfa, ())
        return PointerSlot(index, frame.cfa - self._g.sp, function_of(frame), v, calls)

    def _index(self, frame: MachineFrame, place: int) -> int:
        return (frame.cfa + place - self._g.sp) // WORD

    def _load(self, bottom: int) -> None:
        self._base = bottom & -WORD
        size = (self._g.high - self._base) & -WORD
        raw = read_available(self._world.memory, self._base, min(size, _STACK_LIMIT))
        self._words = memoryview(raw)[: len(raw) & -WORD].cast("Q")
        if len(self._words) * WORD < size:
            self._roots.lose(
                f"the stack of goroutine {self._g.id} cannot be read whole: what only the rest of "
                "it keeps counts as garbage"
            )

    def _word(self, address: int) -> int:
        index = (address - self._base) >> 3
        return self._words[index] if 0 <= index < len(self._words) else 0

    # Frames

    def _frame(self, frame: MachineFrame, innermost: bool, careful: bool) -> bool:
        """The roots of one frame; whether the next one was interrupted by this one."""
        running = innermost and self._g.status == "running"
        interrupting = frame.function in _INTERRUPTING
        spot = frame.spot
        # Maps speak of calls alone. What asyncPreempt or a signal interrupted stood between any two
        # instructions (runtime/mgcmark.go, scanframeworker, state.conservative).
        if spot is None or frame.trap or frame.guessed or running or careful or interrupting:
            if running:
                bounds, known = (self._finder._low, self._finder._high), self._finder._held(self._g)
                self._known = add_held(self._roots, self._groups, known, bounds)
            self._conservative(frame)
            if running:
                self._registers()
            return interrupting
        shape = self._finder.shapes.of(frame, spot)
        if not shape.exact:
            self._conservative(frame)
            return False
        for place in shape.slots:
            self._slot(frame, shape, frame.cfa + place)
        for object_ in shape.objects:
            if frame.cfa + object_.low >= frame.sp:
                self._objects.append((frame.cfa + object_.low, object_, frame, shape))
        return False

    def _slot(self, frame: MachineFrame, shape: FrameShape, address: int) -> None:
        value = self._word(address)
        if not value:
            return
        # An address in the stack itself keeps what lies there only if that is a stack object
        # (scanstack, state.putPtr).
        if self._g.low <= value < self._g.high:
            self._queue.append(value)
        elif self._finder._low <= value < self._finder._high:
            variable = self._finder.shapes.variable(shape, address - frame.cfa)
            variable = variable or self._finder.sent_at(self._g, address, frame.cfa)
            variable = variable or self._unnamed(frame, shape, address - frame.cfa)
            calls = self._calls.get(frame.cfa, ())
            owner = self._groups.variable(
                frame.cfa, variable, function_of(frame), self._word, calls
            )
            self._roots.add(owner, address, value)

    def _pointed_at(self, frame: MachineFrame, address: int) -> FrameVariable | None:
        fits = self._finder.shapes.fits
        return next((p.at(frame.cfa) for p in self._pointed if p.holds(address, fits)), None)

    def _unnamed(self, frame: MachineFrame, shape: FrameShape, place: int) -> FrameVariable:
        """What a word of a frame is part of that has no name of its own."""
        told = self._pointed_at(frame, frame.cfa + place)
        return told or unnamed(self._world, frame, shape, place, self._word)

    def _conservative(self, frame: MachineFrame) -> None:
        self._finder.conservative += 1
        high = max(min(frame.cfa, self._g.high), frame.sp)
        self._range(frame.sp, high, function_of(frame))

    def _range(self, low: int, high: int, function: str) -> None:
        """Words of the stack, as far as it was read."""
        low = max(low & -WORD, self._base)
        for address in range(low, min(high, self._base + WORD * len(self._words)), WORD):
            self._perhaps(address, self._word(address), function)

    def _registers(self) -> None:
        thread = next((t for t in self._world.goroutines.threads if t.address == self._g.m), None)
        registers = self._world.threads.get(thread.tid) if thread else None
        if registers is None:
            self._roots.lose(
                f"goroutine {self._g.id} runs, and the registers of its thread are not known: what "
                "only they keep counts as garbage"
            )
            return
        for name in GENERAL:
            self._perhaps(0, registers.value(name), f"register {name}")

    def _perhaps(self, address: int, value: int, function: str) -> None:
        if self._g.low <= value < self._g.high:
            self._queue.append(value)
        elif (address, value) in self._known:
            return  # it is one
        elif self._finder._low <= value < self._finder._high:
            owner = self._groups.of((0, function, 0), MAY_BE, function=function, conservative=True)
            self._roots.add(owner, address, value)

    # What is reached by addresses into the stack

    def _defers(self) -> None:
        # "Find additional pointers that point into the stack from the heap. Currently this includes
        # defers and panics" (runtime/mgcmark.go, scanstack).
        calls = deferred_of(self._world.memory, self._world.layout, self._g)
        if calls.panicking:
            self._queue.append(calls.panicking)
        self._plain &= not calls.any
        for at, function in calls.records:
            self._deferred(at, function)
        if calls.why:
            self._roots.lose(
                f"deferred calls of goroutine {self._g.id} may be missing: {calls.why}"
            )

    def _deferred(self, at: int, function: int) -> None:
        for value in (at, function):
            if self._g.low <= value < self._g.high:
                self._queue.append(value)
            elif self._finder._low <= value < self._finder._high:
                owner = self._groups.of((1, "deferred call", 0), "a deferred call")
                self._roots.add(owner, at, value)

    def _stack_objects(self) -> None:
        """Those that something points at, and what they point at in turn."""
        # As scanstack does with state.getPtr and findObject; what nothing points at is dead, even
        # if its frame is not.
        objects = sorted(self._objects, key=lambda o: o[0])
        starts = [low for low, *_ in objects]
        seen: set[int] = set()
        while self._queue:
            value = self._queue.pop()
            at = bisect_right(starts, value) - 1
            if at < 0 or at in seen:
                continue
            low, kind, frame, shape = objects[at]
            if value >= low + max(kind.size, 1):
                continue
            seen.add(at)
            self._reached.append(objects[at])
            for offset in kind.pointers:
                self._slot(frame, shape, low + offset)
