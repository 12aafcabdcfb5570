"""What the machine code says of a variable's place: whether what lies there is what the source
gave the variable last.

Two kinds of place. A variable in memory is written in the source's order; there the instructions
that wrote its words last are held against the lines that may have given it its value. A word that
the compiler keeps in registers, and saves in the frame, has no order: there each assignment of the
source needs its instruction, and each instruction its assignment. A place in the frame where such
a word was saved may be another one's since; the debug information does not say when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import msgspec

from goprobe.analysis.trace.assignments import Assignment, Assignments
from goprobe.analysis.trace.toldplaces import lies_in
from goprobe.arch.code import ENTRY, LOST, Definition, FrameSlot, Holder
from goprobe.binary.dwarf.info import Local
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.values.functionvars import FunctionVariables
from goprobe.runtime.values.localplaces import pieces_at, pieces_of

_WORD = 8


class Doubt(msgspec.Struct, frozen=True):
    """Why a value is not told. `hidden`: the name means nothing at this line."""

    why: str
    hidden: bool = False


class Position(msgspec.Struct, frozen=True):
    """Where a frame stands: `pc` is link-time, and what is about to run, or within the call that
    runs (FrameView.lookup). `again`: its function may have begun twice (Trust)."""

    frame: FrameView
    pc: int
    about: FunctionVariables
    again: bool = True

    def lines(self, pc: int) -> frozenset[int]:
        """The lines of this frame's function, and of what is inlined into it, at which the source
        stands while `pc` runs; where it is no code of this copy of it, none."""
        return self.about.lines_within(pc, self.pc, self.frame.depth, self.frame.file)

    def line(self, pc: int) -> int:
        """The line at which this frame's function stands while `pc` runs; 0 elsewhere."""
        return self.about.line_in(pc, self.frame.function, self.frame.depth)

    def made_at(self, holders: Sequence[Holder], line: int) -> bool:
        """Whether all that lies in these places was made at a line of this frame's function."""
        definitions = [self.about.definitions.of(holder, self.pc) for holder in holders]
        return bool(definitions) and all(
            made and all(d.pc >= 0 and self.line(d.pc) == line for d in made)
            for made in definitions
        )

    def returned_at(self, holder: Holder) -> set[int]:
        """The lines of this frame's function whose calls may have returned what lies in a place."""
        made = self.about.definitions.of(holder, self.pc) or ()
        calls = (d.pc for d in made if self.about.flow.call_at(d.pc + 1) is not None)
        return {self.line(pc) for pc in calls}

    def unfinished(self, lines: set[int], *, moved: bool) -> int:
        """A line before the frame's whose code goes on behind the pc. The compiler moves what has
        no effect besides its result behind calls, too; there it also loads what it saved. To a
        variable that was `moved` to the heap only code that names memory matters: constants that
        several lines need have the first one's."""
        flow = self.about.flow
        for ins in flow.following(self.pc):
            if (moved and not flow.names_memory(ins)) or (
                not self.frame.innermost and flow.is_reload(ins)
            ):
                continue
            line = self.line(ins.ip)
            if line in lines and line != self.frame.line:
                return line
        return 0


# In memory


def in_memory(
    local: Local, slots: Sequence[FrameSlot], known: Assignments, at: Position
) -> Doubt | None:
    """Of a variable that lives in these places of the frame."""
    missing = _left_out(local, slots, known, at)
    if missing:
        return Doubt(f"the optimiser left out its assignment at line {missing}")
    allowed = {*known.lines, local.line}
    if known.shares or known.jumps:
        allowed |= {line for site in known.others for line in site.lines}
        allowed |= {line for far in known.remote for line in far.site.lines}
    if local.parameter:
        allowed.add(at.frame.start_line)
    for slot in slots:
        writes = at.about.writes.last(slot, at.pc)
        if writes is None:
            return Doubt("the code does not show what wrote its memory last")
        for pc in writes:
            if pc == ENTRY:
                if not local.parameter or local.result:
                    return Doubt("its memory need not have been written yet")
            elif not (
                at.lines(pc) & allowed or _is_changed(known, pc, at) or _is_passed(local, pc, at)
            ):
                return Doubt(
                    f"its memory may be another's by now: line {_shown_line(pc, at)} writes there"
                )
    if known.changed and _is_changed_in_part(slots, known, at):
        return Doubt(
            "an inlined call changed a part of it, and the optimiser may have left out more"
        )
    return None


def _is_changed_in_part(slots: Sequence[FrameSlot], known: Assignments, at: Position) -> bool:
    """Whether inlined code that changes it by its address wrote some of its words last, and others
    not: those it may have changed as well, where nothing reads them any more."""
    changed = {
        any(_is_changed(known, pc, at) for pc in at.about.writes.last(word, at.pc) or ())
        for slot in slots
        for word in _words_of(slot)
    }
    return len(changed) > 1


def _words_of(slot: FrameSlot) -> Iterator[FrameSlot]:
    for at in range(0, slot.size, _WORD):
        yield FrameSlot(slot.offset + at, min(_WORD, slot.size - at))


def _is_changed(known: Assignments, pc: int, at: Position) -> bool:
    """Whether `pc` may change the variable by its address. That is taken at lines of this function,
    but used by what is called there: what the function itself writes there is another's."""
    inlined = at.about.is_inlined(pc, at.frame.depth)
    return inlined and not at.lines(pc).isdisjoint(known.changed)


def _is_passed(local: Local, pc: int, at: Position) -> bool:
    """Whether it is a parameter of an inlined call, and `pc` code that makes that very call."""
    if not local.parameter or not at.frame.depth:
        return False
    return at.about.is_call_of(pc, at.pc, at.frame.depth)


def _shown_line(pc: int, at: Position) -> int:
    return at.about.line_in(pc, "", 0)


def _left_out(local: Local, slots: Sequence[FrameSlot], known: Assignments, at: Position) -> int:
    """A line that assigns to a variable in memory, but has no code that does."""
    touching = [pc for slot in slots for pc in at.about.writes.touching(slot)]
    lines = frozenset[int]().union(*(at.lines(pc) for pc in touching))
    # A goto, which is not followed, may lead back here from any of them.
    sites = known.reaching | known.others if known.jumps else known.reaching
    for site in sorted(sites, key=lambda s: s.line):
        if site.line != local.line and lines.isdisjoint(site.lines):
            return site.line
    for far in known.remote if known.shared else ():
        made = range(far.first, far.last + 1)
        if lines.isdisjoint(far.site.lines) and lines.isdisjoint(made):
            return far.site.line
    return 0


# In registers, and saved in the frame


def in_words(
    local: Local,
    holders: Sequence[Holder],
    known: Assignments,
    at: Position,
    returned: Set[str] | None = None,
) -> Doubt | None:
    """Of a variable whose words lie in these holders; `returned`: where the call that it is
    declared for returns it, where that is known."""
    once = len(known.reaching | known.others) < 2
    if known.shared or (known.jumps and known.others):
        return Doubt("its address is taken, a closure assigns to it, or a goto may lead here")
    if known.partial:
        return Doubt(f"a part of it is assigned to at line {_shown(known.partial)}")
    saved = any(isinstance(holder, FrameSlot) for holder in holders)
    births = _births(local, at) if saved else {}
    for holder in holders:
        made = at.about.definitions.of(holder, at.pc)
        if made is not None and not at.again:
            made = frozenset(d for d in made if d.pc != LOST)
        if made is not None and any(d.pc == LOST for d in made):
            return Doubt("the function's stack had to grow, and what it does not use was not kept")
        if made is None or not _same(local, holder, made, births, at, returned, once=once):
            return Doubt("its place may be another's by now")
        if isinstance(holder, FrameSlot) and _made_anew(made, births, at):
            return Doubt("its place has the value of a later pass by now")
        if isinstance(holder, str) and not at.about.definitions.chosen_since(
            holder, at.pc
        ).isdisjoint(d.pc for d in made):
            # Of a loop's variable that a branch without jumps gave its next value (branchelim.go)
            # the debug information goes on to tell of the value before.
            return Doubt("the code has chosen between it and its next value since")
        if not once and not _agree(known, made, holder, local, at):
            return Doubt(
                "the optimiser moved, joined or left out assignments to it: what lies in its "
                f"place need not be what line {_shown(known.reaching)} gave it"
            )
    return None


def _same(
    local: Local,
    holder: Holder,
    made: Iterable[Definition],
    births: _Births,
    at: Position,
    returned: Set[str] | None,
    *,
    once: bool,
) -> bool:
    """Whether what lies in a place is some value that the variable had; `once`: it has one."""
    if once and local.parameter and not at.frame.depth and not local.result:
        return all(
            definition.pc == ENTRY and _is_passed_in(definition, local, at) for definition in made
        )
    results = set[Definition]()
    if returned is not None:
        results = {definition for definition in made if _is_result(definition, local, at)}
        if any(definition.holder not in returned for definition in results):
            return False
    if isinstance(holder, str):
        return True  # the debug information follows registers
    return not births or all(
        _root(definition) in births or definition.pc == -1 or (definition.constant and not once)
        for definition in made
        if definition not in results
    )


def _is_result(definition: Definition, local: Local, at: Position) -> bool:
    """Whether a call at the variable's own line made a value."""
    flow = at.about.flow
    return flow.call_at(definition.pc + 1) is not None and at.line(definition.pc) == local.line


_Root = tuple[int, Holder]
"""An instruction, and what it wrote: a call makes a value in each register that it returns."""

_Births = Mapping[_Root, Set[int]]


def _root(definition: Definition) -> _Root:
    return definition.pc, definition.holder


def _births(local: Local, at: Position) -> _Births:
    """Where the values were made that the debug information says to be in registers, each with
    the pcs from which on it is the variable's."""
    births = dict[_Root, set[int]]()
    for entry in local.locations:
        for piece in pieces_of(entry):
            made = at.about.definitions.of(piece.register, entry.low) if piece.register else None
            for definition in made or ():
                births.setdefault(_root(definition), set()).add(entry.low)
    return births


def _made_anew(made: Iterable[Definition], births: _Births, at: Position) -> bool:
    """Whether an instruction may have run once more since it made the variable's value. Two
    variables that have one value (`x := i`) have one place, in which the compiler puts the next
    value of the one (i+1, computed early) where it holds the other to be dead."""
    return any(
        definition.pc >= 0
        and _root(definition) in births
        and at.about.definitions.runs_since(definition.pc, at.pc, births[_root(definition)])
        for definition in made
    )


def _agree(
    known: Assignments, made: Iterable[Definition], holder: Holder, local: Local, at: Position
) -> bool:
    """Whether assignments and instructions can be the same."""
    reaching = known.lines
    foreign = {line for site in known.others for line in site.lines} - reaching
    wanted = set(known.reaching)
    entered = {s for s in wanted if local.parameter and s.line == local.line}  # by a call only
    spare = set[int]()  # of those that may be any assignment's
    only_declared = {s.line for s in known.reaching} == {local.line} and not (
        known.shares or known.jumps
    )
    for definition in made:
        pcs = {pc for pc in (*definition.copies, definition.pc) if pc >= 0}
        lines = {at.line(pc) for pc in pcs}
        if lines & foreign:
            return False
        mine = sorted(_matching(wanted, lines), key=lambda s: s.part)
        if local.parameter and not at.frame.depth:
            # Its first value is what the function was entered with, and nothing else is.
            arrived = definition.pc < 0 and _arrives(definition, known, local, at)
            mine = [s for s in mine if (s.line == local.line) == arrived]
            prologue = not mine and lines <= {local.line, 0} and not definition.constant
            if (arrived and not entered) or (prologue and not arrived):
                return False
        if mine:
            wanted.discard(mine[0])
        elif lines & reaching - {s.line for s in entered}:
            return False  # one assignment, and two instructions: one of them is another's
        elif definition.pc < 0 and not _arrives(definition, known, local, at):
            return False
        elif definition.constant:
            if _is_elsewhere(definition, holder, local, at):
                return False
            spare.add(definition.pc)
        elif definition.pc < 0 or only_declared:
            spare.add(definition.pc)
        else:
            return False
    # One more than is wanted may be of an assignment that does not reach here.
    return len(spare) == len(wanted) or (0 < len(wanted) < len(spare) and not foreign)


def _is_elsewhere(made: Definition, holder: Holder, local: Local, at: Position) -> bool:
    """Whether the debug information has the variable in another place than that in which a value
    was made, or to which it was copied last, as soon as it was. What it tells of a block it goes on
    to tell of those that the compiler laid out behind it, where a register may be another's."""
    written = ((made.pc, made.holder), *((pc, holder) for pc in made.copies[:1]))
    return all(
        (told := pieces_at(local, at.about.flow.after(pc)))
        and not any(lies_in(where, piece) for piece in told)
        for pc, where in written
    )


def _matching(sites: Iterable[Assignment], lines: set[int]) -> Iterator[Assignment]:
    return (site for site in sites if not lines.isdisjoint(site.lines))


def _arrives(definition: Definition, known: Assignments, local: Local, at: Position) -> bool:
    """Whether what the function was entered with may be the variable's: of a parameter what
    was passed for it; of a copy of one only where nothing else is ever assigned to it."""
    if not local.parameter or at.frame.depth:
        return not known.others
    return _is_passed_in(definition, local, at)


def _is_passed_in(definition: Definition, local: Local, at: Position) -> bool:
    """Whether what the function was entered with in some place was passed for this parameter."""
    mine = _arrivals(local, at)
    if isinstance(definition.holder, str):
        return definition.holder in mine
    offset = definition.holder.offset
    return any(isinstance(h, FrameSlot) and h.offset <= offset < h.offset + h.size for h in mine)


def _arrivals(local: Local, at: Position) -> Sequence[Holder]:
    """Where a parameter arrives: by the calling convention. Of a generic function nothing names
    the dictionary that it is passed, too: there in the registers that the debug information tells
    at its first instruction, if only of this one. (Of `total = list`, which nothing reads, it tells
    list's.)"""
    if "[" not in at.about.function.name:
        return at.about.arrivals.get(local.name.removeprefix("&"), ())
    told = _told_at_entry(local, at)
    others = (p for p in at.about.parameters if p.name != local.name)
    return () if any(not told.isdisjoint(_told_at_entry(p, at)) for p in others) else sorted(told)


def _told_at_entry(local: Local, at: Position) -> frozenset[str]:
    pieces = pieces_at(local, at.about.function.low)
    return frozenset(piece.register for piece in pieces if piece.register)


def _shown(sites: Iterable[Assignment]) -> str:
    return " or ".join(map(str, sorted({site.line for site in sites})))
