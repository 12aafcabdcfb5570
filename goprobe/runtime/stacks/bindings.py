"""Variables bound to their places, and which of several of one name a name means at a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader
from goprobe.binary.dwarf.info import Local
from goprobe.errors import UnreadableError
from goprobe.model.value import State
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.values.localplaces import in_its_own_statement
from goprobe.runtime.values.storage import Storage

# What the compiler adds is named as no Go source can name it: ~r0, .dict, .autotmp_7, #yield1,
# and msg.ptr and msg.len for the parts of a variable that it took apart.
_OF_THE_SOURCE = re.compile(r"&?\w+")
_CLOSURE = re.compile(r"\.func\d+[^/]*$|-range\d+$")


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A variable of a frame with its place. `why` explains every state but live; `spread` says in
    which registers and words it lies, where that is no one place; `partly`: not all of them are
    registers. `captured`: its place is in the closure object."""

    local: Local
    name: str
    type: GoType
    state: State
    why: str
    place: Storage | None = None
    register: str = ""
    partly: bool = False
    moved: bool = False
    spread: str = ""
    captured: bool = False


def of_the_source(types: TypeReader, locals_: tuple[Local, ...]) -> list[Local]:
    """Without what the compiler adds; a field that it took out of a struct, `t.C`, it names "tC" as
    the source could (SplitStruct, cmd/compile, ssa/func.go, Go 1.21 to 1.27)."""
    parts = {
        (v.name + member.name, v.line, member.type)
        for v in locals_
        for member in types.at(v.type).members
        if types.at(v.type).kind == GoKind.STRUCT
    }
    return [
        v
        for v in locals_
        if _OF_THE_SOURCE.fullmatch(v.name) and (v.name, v.line, v.type) not in parts
    ]


def unplaced(types: TypeReader, local: Local, go_type: GoType, state: State, why: str) -> Binding:
    """As the source has it: what was moved to the heap is described by its pointer, "&x"."""
    moved = local.name.startswith("&")
    if moved:
        go_type = types.at(go_type.elem)
    name = local.name.lstrip("&")
    return Binding(local=local, name=name, type=go_type, state=state, why=why, moved=moved)


def not_yet(
    types: TypeReader, local: Local, go_type: GoType, frame: FrameView, *, captures: bool
) -> Binding:
    """Of what has no value yet where its frame stands. `captures`: the debug information tells what
    a closure captured from its own."""
    line = frame.line
    where = f"declared at line {local.line}, which has not run yet (the frame is at line {line})"
    if not captures and not local.parameter and _CLOSURE.search(frame.function):
        where = "the closure has not declared it yet, or captured it and has no copy of it yet"
    elif local.parameter:
        where = "the function's prologue has not stored it yet"
    elif local.closure_offset > 0:
        where = "the closure captured it, and its prologue has not stored it yet"
    elif local.line == line:
        where = f"declared at line {local.line}, which has not given it a value yet"
    return unplaced(types, local, go_type, State.NOT_YET, where)


def underway_at(line: int) -> str:
    """Why nothing is told of what a line declares that is running."""
    return f"declared at line {line}, which is running: it may have a value already, or not"


def one_of_each(bindings: list[Binding]) -> Iterator[Binding]:
    """A moved parameter or result is described twice, where it arrived and as "&x"; the optimiser
    may describe a result twice; and a moved variable of no size may have a place in the frame, too
    (Go 1.21 to 1.27): the one of them that holds now, else the first."""
    best: dict[tuple[str, int], Binding] = {}
    for binding in bindings:
        known = best.setdefault((binding.name, binding.local.line), binding)
        if _rank(binding) > _rank(known):
            best[binding.name, binding.local.line] = binding
    chosen = {id(binding) for binding in best.values()}
    moved = {_declared(b) for b in bindings if b.moved}
    for binding in bindings:
        may_repeat = binding.local.parameter or _declared(binding) in moved
        if not may_repeat or id(binding) in chosen:
            yield binding


def _declared(binding: Binding) -> tuple[str, int, int]:
    """A block declares a name once."""
    return binding.name, binding.local.line, binding.local.block


def without_hidden_captures(bindings: Iterable[Binding]) -> Iterator[Binding]:
    """The compiler puts what a closure captured under the line of its first use there: in
    `v := v` that is the line of the variable that hides it. Nothing would tell the two apart, and
    only one can be meant: the closure's own (which since Go 1.23 has no place in the closure
    object), that of an inner block, or either where they are equal."""
    groups: dict[tuple[str, int], list[Binding]] = {}
    for binding in bindings:
        groups.setdefault((binding.name, binding.local.line), []).append(binding)
    for same in groups.values():
        placed = [b for b in same if _is_placed(b) and not b.local.parameter]
        if len(placed) < 2 or len({b.local.type for b in placed}) > 1:
            yield from same
            continue
        best = max((b.local.closure_offset < 0, b.local.block) for b in placed)
        chosen = [b for b in placed if (b.local.closure_offset < 0, b.local.block) == best]
        if len({_raw(b) for b in chosen}) > 1:
            why = "the debug information describes two variables of this name and line"
            chosen = [
                replace(chosen[0], state=State.OPTIMIZED_OUT, why=why, place=None, register="")
            ]
        yield chosen[0]
        yield from (b for b in same if not _is_placed(b))


def _is_placed(binding: Binding) -> bool:
    """Whether the frame has its place, also one whose memory is gone by now."""
    return binding.place is not None or binding.state is State.UNREADABLE


def _raw(binding: Binding) -> bytes:
    try:
        return binding.place.read(0, min(binding.type.size, 1 << 12)) if binding.place else b""
    except UnreadableError:
        return b""


def _rank(binding: Binding) -> tuple[bool, bool]:
    """Once a variable was moved, what lies where it arrived is its value no more, even where it
    is not known any more where it was moved to."""
    was_moved = binding.moved and binding.state in (State.LIVE, State.UNREADABLE)
    return was_moved, binding.place is not None


def as_declared(locals_: Sequence[Local]) -> list[Local]:
    return sorted(locals_, key=lambda v: (not v.parameter, v.line))


def in_force_first(bindings: list[Binding], line: int) -> list[Binding]:
    """Of the variables of one name the one that the name means at `line` stands first, the rest
    as they hide one another; each name keeps its places in the order of declarations."""
    of_name: dict[str, list[Binding]] = {}
    for binding in bindings:
        of_name.setdefault(binding.name, []).append(binding)
    for same in of_name.values():
        same.sort(key=lambda b: _force(b, line))  # taken from the end
    return [of_name[binding.name].pop() for binding in bindings]


def is_later(local: Local, line: int) -> bool:
    """Whether a variable's declaration lies behind `line`, where its frame stands. The optimiser
    may know its value already; a name means nothing before its declaration all the same."""
    return not local.parameter and local.closure_offset < 0 and local.line > line


def _force(binding: Binding, line: int) -> tuple[bool, int, int, bool]:
    """How near to `line` a variable is declared: one whose declaration has not run means nothing
    yet; an inner block's hides an outer's; and a closure's own variable hides what it captured,
    which the compiler puts into the closure's outermost block under the line of its declaration
    outside, of the closure, or of its first use there, none of which lies behind the own one's
    (cmd/compile, noder/reader.go and dwarfgen, Go 1.21 to 1.27)."""
    local = binding.local
    running = binding.place is None and in_its_own_statement(local, line)
    later = (running or binding.state is State.NOT_YET) and not local.parameter
    return not (later or is_later(local, line)), local.block, local.line, local.closure_offset < 0
