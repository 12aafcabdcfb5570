"""What holds of a stop: its stack, its frames and its variables against one another."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.analysis.audit import audited, check
from goprobe.analysis.trace.callargs import contradicts
from goprobe.analysis.trace.goscopes import may_mean
from goprobe.analysis.trace.gosource import call_arguments, line_of, parameters_of
from goprobe.analysis.trace.gosyntax import functions_of
from goprobe.arch.registers import VECTOR, VECTORS, WORD
from goprobe.files import changed_after
from goprobe.model.location import Kind, Location, Region
from goprobe.model.report import Audited
from goprobe.model.trace import StopReport
from goprobe.model.value import Element, State, Variable

_ALWAYS = 1 << 63
_ANYWHERE = frozenset({Kind.HEAP, Kind.RUNTIME, Kind.RESERVED})
"""Of an arena's pages the map tells spans apart, a location also their tails and free slots."""
_ADDRESSES = re.compile(r"\*|map\[|chan |<-chan |func\(")
_NUMBERS = re.compile(r"u?int(8|16|32|64)?$|bool$|float(32|64)$")
_PRESENT = (State.LIVE, State.REGISTER)


class StopFacts(msgspec.Struct, frozen=True):
    """A stop, and the map of the memory then; none where that was not asked for. `built` is when
    the program was, in nanoseconds since 1970."""

    stop: StopReport
    map: Sequence[Region] = ()
    built: int = _ALWAYS

    def region_at(self, address: int) -> Region | None:
        at = bisect_right(self.map, address, key=lambda r: r.low)
        region = self.map[at - 1] if at else None
        return region if region and address < region.high else None


@check("the stack pointer lies in the stack, and the innermost frame is where the thread stands")
def stands_in_it(facts: StopFacts) -> Iterator[str]:
    stop = facts.stop
    if stop.stack is not UNSET and not stop.stack.low <= stop.sp <= stop.stack.high:
        yield f"{stop.function}: sp {stop.sp} is not in [{stop.stack.low}, {stop.stack.high})"
    if stop.frames and (stop.frames[0].pc, stop.frames[0].function) != (stop.pc, stop.function):
        yield f"{stop.function} is at {stop.pc}, its innermost frame at {stop.frames[0].pc}"


@check("each frame lies above the one that it called")
def frames_nest(facts: StopFacts) -> Iterator[str]:
    stop = facts.stop
    if stop.stack is UNSET:
        return
    # Frames of another stack, before or after a switch, have an order of their own.
    own = [f for f in stop.frames if stop.stack.low <= f.cfa <= stop.stack.high]
    for frame in own:
        if frame.sp > frame.cfa:
            yield f"the frame of {frame.function} ends at {frame.cfa}, below its sp {frame.sp}"
    for inner, outer in pairwise(own):
        # Inlined calls end together; and where a frame of code that is not Go's ends is not known.
        alike = inner.inlined or not outer.function
        if inner.cfa > outer.cfa or (inner.cfa == outer.cfa and not alike):
            yield (
                f"the frame of {outer.function} ends at {outer.cfa}, not above that of "
                f"{inner.function} at {inner.cfa}"
            )


@check("a variable lies where it is said to, all of it, and in the part of a stack that is in use")
def variables_placed(facts: StopFacts) -> Iterator[str]:
    for v in facts.stop.variables:
        if not 0 <= v.frame < max(len(facts.stop.frames), 1):
            yield f"{_named(v)} belongs to frame {v.frame} of {len(facts.stop.frames)}"
        if v.address is UNSET or v.location is UNSET or v.state is not State.LIVE:
            continue
        if v.address != v.location.address:
            yield f"{_named(v)} is at {v.address}, its location at {v.location.address}"
        yield from _out_of_stack(v, v.location)


def _out_of_stack(v: Variable, location: Location) -> Iterator[str]:
    if location.kind is not Kind.GOROUTINE_STACK or v.size is UNSET:
        return
    high = location.detail.get("high")
    if isinstance(high, int) and location.address + v.size > high:
        yield f"{_named(v)} of {v.size} bytes at {location.address} reaches beyond its stack"
    if not location.detail.get("live", True):
        yield f"{_named(v)} is live at {location.address}, below the stack pointer"


@check("an address is of the kind that the picture has there")
def picture_agrees(facts: StopFacts) -> Iterator[str]:
    for v in facts.stop.variables if facts.map else ():
        locations = (v.location, UNSET if v.data is UNSET else v.data.location)
        for place in locations:
            region = UNSET if place is UNSET else facts.region_at(place.address)
            if place is UNSET or region is UNSET:
                continue
            drawn = Kind.UNMAPPED if region is None else region.kind
            if drawn != place.kind and not {drawn, place.kind} <= _ANYWHERE:
                yield (
                    f"{_named(v)} leads to {place.address}, {place.kind}; the picture has {drawn}"
                )


@check("no register or slot is two live variables of different types")
def places_apart(facts: StopFacts) -> Iterator[str]:
    frames = facts.stop.frames
    at: dict[tuple[int, str], list[Variable]] = {}
    for v in facts.stop.variables:
        if v.state in _PRESENT and 0 <= v.frame < len(frames) and not v.moved and v.size:
            place = v.register or (str(v.address) if v.address is not UNSET else "")
            if place:
                at.setdefault((frames[v.frame].cfa, place), []).append(v)
    for (_, place), together in at.items():
        for a, b in combinations(together, 2):
            if _differ(a, b):
                yield f"{place} is {_named(a)}, {a.type}, and {_named(b)}, {b.type}, at once"


def _differ(a: Variable, b: Variable) -> bool:
    """Whether not both types can be right of the same bits. A conversion between numbers, or to a
    type of the same make, costs the compiler no move."""
    pair = (a.type, b.type)
    if "unsafe.Pointer" in pair or "uintptr" in pair:
        return False
    in_memory = a.register is UNSET
    if in_memory and a.size != b.size:
        return True
    address, number = ([bool(p.match(t)) for t in pair] for p in (_ADDRESSES, _NUMBERS))
    return (address[0] and number[1]) or (address[1] and number[0])


def _has_empty_part(parts: tuple[Element, ...] | UnsetType) -> bool:
    """Whether some part has no size: behind one that is the last of a struct Go puts a byte of
    padding (types.CalcStructSize), which no register holds."""
    return parts is not UNSET and any(
        (not p.elements and p.value.text in ("{}", "[]") and not p.type.startswith("[]"))
        or _has_empty_part(p.elements)
        for p in parts
    )


@check("a value in registers has as many of them as its size needs")
def pieces_whole(facts: StopFacts) -> Iterator[str]:
    for v in facts.stop.variables:
        if v.register is UNSET or v.size is UNSET or v.value is UNSET:
            continue
        room = sum(VECTOR if r in VECTORS else WORD for r in v.register.split())
        if room < v.size and not v.partly and not _has_empty_part(v.elements):
            yield f"{_named(v)} has {v.size} bytes, and {v.register} have room for {room}"


@check("a value told as live is what the running call was passed for it")
def passed_on_alike(facts: StopFacts) -> Iterator[str]:
    # Where the thread stands at the callee's entry, its parameters are what was passed.
    stop = facts.stop
    if len(stop.frames) < 2 or not stop.variables:
        return
    callee, caller = stop.frames[:2]
    if any(changed_after(frame.file, facts.built) for frame in (callee, caller)):
        return
    short = callee.function.rpartition(".")[2]
    if not line_of(callee.file, callee.line).startswith("func ") or callee.function == "?":
        return
    declared = parameters_of(callee.file, callee.line, short) or ()
    arguments = call_arguments(caller.file, caller.line, short) or ()
    if len(declared) != len(arguments):
        return
    for parameter, argument in zip(declared, arguments, strict=True):
        passed, told = (
            [v for v in stop.variables if v.name == name and v.function == frame.function]
            for name, frame in ((parameter.partition(" ")[0], callee), (argument, caller))
        )
        if len(passed) != 1 or len(told) != 1 or passed[0].value is UNSET:
            continue
        line = told[0].line
        functions = functions_of(caller.file)
        if not may_mean(functions, argument, caller.line, () if line is UNSET else (line,)):
            continue  # a constant, say, which lies nowhere
        if contradicts(told[0], passed[0].type, passed[0].value):
            yield f"{_named(told[0])} is told otherwise than {short} was passed it"


def _named(v: Variable) -> str:
    return f"{v.name} of {v.function}"


STOPS = (
    stands_in_it, frames_nest, variables_placed, picture_agrees, places_apart, pieces_whole,
    passed_on_alike,
)  # fmt: skip


def audit_stop(facts: StopFacts) -> tuple[Audited, ...]:
    return audited(STOPS, facts)
