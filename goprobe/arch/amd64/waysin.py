"""Where to stop so that each pass of a source line is one stop.

The compiler lays the code of one line down in several places: for each way that leads to it, for
the parts of a loop's head, or cut in two by code of other lines; and it lets other code jump into
the middle of it. A stop at the first place misses the other ways; a stop at each place stops twice
where one leads on to the next. So stops are wanted where control comes to the line from another
one, less those from which it goes on to another stop without leaving the line, less those that it
never comes to without having passed another stop since the function's beginning or itself.

The compiler marks where statements begin; the other code of a line may move values about for it,
and be jumped over. But in unoptimised code, too, some lines have no mark at all, and of several
copies of a line one may have none: then the longest stretch of it is taken for the statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from iced_x86 import Decoder, FlowControl, Instruction

from goprobe.arch.amd64.controlflow import CODE_LIMIT, Returns, successors

_STRAIGHT = 16


class Stretch(msgspec.Struct, frozen=True):
    """Code [low, high) of a line. `statements`: where the compiler marks one in it."""

    low: int
    high: int
    statements: tuple[int, ...]


def ways_in(code: bytes, low: int, stretches: Sequence[Stretch], returns: Returns) -> list[int]:
    """Where to stop for one copy of a line in the function whose code starts at `low`."""
    instructions = {ins.ip: ins for ins in Decoder(64, code[:CODE_LIMIT], ip=low)}
    following = {at: successors(ins, returns) for at, ins in instructions.items()}
    parts = [part for s in stretches for part in _parts(following, s)]
    marked = [part for part in parts if part.statements]
    marked = marked or sorted(parts, key=lambda part: part.low - part.high)[:1]
    line = {at for s in stretches for at in range(s.low, s.high) if at in following}
    entered = _entered(following, line, low)
    # What comes to a statement over a part without one, and to that from another line, comes from
    # outside.
    cut_off = {p for s in stretches if s.statements for p in _parts(following, s)} - set(marked)
    for part in cut_off:
        if not entered.isdisjoint(range(part.low, part.high)):
            line -= set(range(part.low, part.high))
    entered = _entered(following, line, low)
    kept = sorted(at for s in marked for at in range(s.low, s.high) if at in entered)
    for address in tuple(kept):
        others = set(kept) - {address}
        if _leads_on(following, line, address, others) or _jumps(instructions, address, others):
            kept.remove(address)
    for address in tuple(kept):
        starts = [low, *following[address]] if address != low else []
        barred = frozenset(kept) - {address}
        if starts and barred and address not in _reached(following, starts, barred):
            kept.remove(address)
    return kept


def _parts(following: Mapping[int, Sequence[int]], stretch: Stretch) -> Iterator[Stretch]:
    """A stretch cut where control does not run on: behind a jump stands code of another way, that
    of a value made for what follows, say, and the statement before the jump is none of its."""
    low = previous = stretch.low
    for at in (at for at in range(stretch.low, stretch.high) if at in following):
        if at > low and at not in following[previous]:
            yield _part(stretch, low, at)
            low = at
        previous = at
    yield _part(stretch, low, stretch.high)


def _part(stretch: Stretch, low: int, high: int) -> Stretch:
    return Stretch(low, high, tuple(at for at in stretch.statements if low <= at < high))


def _entered(following: Mapping[int, Sequence[int]], line: set[int], low: int) -> set[int]:
    """The line's instructions that control comes to from elsewhere: over a jump table, which is
    not followed, where nothing else leads there."""
    targets = {to for thens in following.values() for to in thens}
    outside = {to for at, thens in following.items() if at not in line for to in thens}
    return {at for at in line if at == low or at in outside or at not in targets}


def _leads_on(
    following: Mapping[int, Sequence[int]], line: set[int], address: int, others: set[int]
) -> bool:
    """Whether control cannot leave the line from `address` without coming to one of `others`."""
    work, seen = [address], {address}
    while work:
        thens = following[work.pop()]
        if not thens:
            return False
        for then in thens:
            if then in others or then in seen:
                continue
            if then not in line:
                return False
            seen.add(then)
            work.append(then)
    return bool(others)


def _jumps(instructions: Mapping[int, Instruction], address: int, others: set[int]) -> bool:
    """Whether nothing but a jump stands there, which leads to one of `others` over no more than
    what brings values to their places, of whatever line."""
    ins = instructions[address]
    if ins.flow_control != FlowControl.UNCONDITIONAL_BRANCH:
        return False
    at = ins.near_branch_target
    for _ in range(_STRAIGHT):
        if at in others:
            return True
        instruction = instructions.get(at)
        if instruction is None or instruction.flow_control != FlowControl.NEXT:
            return False
        at = instruction.next_ip
    return False


def _reached(
    following: Mapping[int, Sequence[int]], starts: Iterable[int], barred: frozenset[int]
) -> set[int]:
    """Every instruction that control comes to from `starts` without passing one that is barred;
    over jump tables too, so that none that a table leads to is taken for one never reached."""
    targets = {to for thens in following.values() for to in thens}
    work = [at for at in (*starts, *(a for a in following if a not in targets)) if at not in barred]
    seen = set(work)
    while work:
        for then in following.get(work.pop(), ()):
            if then not in seen and then not in barred:
                seen.add(then)
                work.append(then)
    return seen
