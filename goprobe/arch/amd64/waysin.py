"""Where to stop so that each pass of a source line is one stop.

The compiler lays the code of one line down in several places: for each way that leads to it, for
the parts of a loop's head, or cut in two by code of other lines; and it lets other code jump into
the middle of it. A stop at the first place misses the other ways; a stop at each place stops twice
where one leads on to the next. So stops are wanted where control comes to the line from another
one, less those from which it goes on to another stop without leaving the line, less those that it
never comes to without having passed another stop since the function's beginning or itself.

In optimised code an instruction of a line need not be a part of its execution: what moves a value
(`moves`) is put where registers want it, before a branch that decides about the line as well, and
what only reckons stands anywhere in its block, before a call of the line above as well. The marks
of the debug information are set without regard to that. What has an effect keeps its place in the
program's order: calls, writes to memory, branches. So where a line has such work it begins where
control can come to nothing else before it (`_begun`), and is left by what others reckon or do, not
by what they move.

Where there is none, and in unoptimised code, the marks tell where statements begin. Some lines have
no mark at all, and of several copies of a line one may have none: then the longest stretch of it is
taken for the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec
from iced_x86 import Decoder, FlowControl, Instruction

from goprobe.arch.amd64.controlflow import CODE_LIMIT, Returns, successors
from goprobe.arch.amd64.moves import Moves, is_filling

_STRAIGHT = 16  # instructions that are followed at most


class LineStretch(msgspec.Struct, frozen=True):
    """Code [low, high) of a line. `statements`: where the compiler marks one in it."""

    low: int
    high: int
    statements: tuple[int, ...]


class Ways(msgspec.Struct, frozen=True):
    """Where to stop. `sure`: there the line begins, whatever the optimiser has moved."""

    addresses: tuple[int, ...]
    sure: bool


def ways_in(
    code: bytes,
    low: int,
    stretches: Sequence[LineStretch],
    returns: Returns,
    inlined: Collection[tuple[int, int]] = (),
    *,
    optimised: bool = False,
) -> Ways:
    """Where to stop for one copy of a line in the function whose code starts at `low`. `inlined`
    is the code [low, high) of the calls that were inlined at the line."""
    instructions = {ins.ip: ins for ins in Decoder(64, code[:CODE_LIMIT], ip=low)}
    flow = _Flow(instructions, low, returns)
    line = flow.within((s.low, s.high) for s in stretches)
    if optimised:
        work = _Work(flow, line, flow.within(inlined))
        if kept := flow.first_only(work.entered(), work.leads_on):
            return Ways(tuple(kept), True)
    return Ways(tuple(_by_marks(flow, line, stretches)), not optimised)


class _Flow:
    def __init__(self, instructions: Mapping[int, Instruction], low: int, returns: Returns) -> None:
        self.instructions, self.low = instructions, low
        self.following = {at: successors(ins, returns) for at, ins in instructions.items()}

    def within(self, ranges: Iterable[tuple[int, int]]) -> set[int]:
        return {at for low, high in ranges for at in range(low, high) if at in self.instructions}

    @cached_property
    def untold(self) -> frozenset[int]:
        """What nothing leads to but a jump table, which is not followed; not what fills the room
        behind calls that never return."""
        targets = {to for thens in self.following.values() for to in thens}
        code = self.instructions.values()
        if all(ins.flow_control != FlowControl.INDIRECT_BRANCH for ins in code):
            return frozenset((self.low,)) - targets
        return frozenset(ins.ip for ins in code if ins.ip not in targets and not is_filling(ins))

    def first_only(
        self, entered: Iterable[int], leads_on: Callable[[int, set[int]], bool]
    ) -> list[int]:
        """Those of the places of one line at which each pass of it stops once."""
        kept = sorted(entered)
        for address in tuple(kept):
            if leads_on(address, set(kept) - {address}):
                kept.remove(address)
        for address in tuple(kept):
            starts = [self.low, *self.following[address]] if address != self.low else []
            barred = frozenset(kept) - {address}
            if starts and barred and address not in self._reached(starts, barred):
                kept.remove(address)
        return kept

    def _reached(self, starts: Iterable[int], barred: frozenset[int]) -> set[int]:
        """Every instruction that control comes to from `starts` without passing one that is
        barred; over jump tables too, so that none that a table leads to is taken for one never
        reached."""
        work = [at for at in (*starts, *self.untold) if at not in barred]
        seen = set(work)
        while work:
            for then in self.following.get(work.pop(), ()):
                if then not in seen and then not in barred:
                    seen.add(then)
                    work.append(then)
        return seen


# By what a line does


class _Work:
    """One copy of a line, `own`, with the code that was inlined at it."""

    def __init__(self, flow: _Flow, own: set[int], inlined: set[int]) -> None:
        self._flow, self._own = flow, own
        moves = Moves(flow.instructions.values())
        whole = own | inlined
        self._does = {at for at in whole if moves.acts(flow.instructions[at])}
        self._leaves = {
            at
            for at, ins in flow.instructions.items()
            if at not in inlined
            and (
                moves.is_jump_back(ins) if at in own else moves.is_jump(ins) or not moves.moves(ins)
            )
        }

    @cached_property
    def _begun(self) -> set[int]:
        """Where the line has begun: control comes to its work before it could leave it."""
        before: dict[int, list[int]] = {}
        for at, thens in self._flow.following.items():
            for then in thens:
                before.setdefault(then, []).append(at)
        begun, work = set(self._does), [*self._does]
        while work:
            for at in before.get(work.pop(), ()):
                inside = at not in begun and at not in self._leaves
                if inside and begun.issuperset(self._flow.following[at]):
                    begun.add(at)
                    work.append(at)
        return begun

    def entered(self) -> set[int]:
        """Its own first instructions where control comes to it from outside."""
        flow, begun = self._flow, self._begun & self._own
        firsts = set[int]()
        work = [flow.low, *flow.untold, *(to for at in self._leaves for to in flow.following[at])]
        seen = set(work)
        while work:
            at = work.pop()
            if at in begun:
                firsts.add(at)
            elif at not in self._leaves:
                fresh = [to for to in flow.following.get(at, ()) if to not in seen]
                seen.update(fresh)
                work += fresh
        return firsts

    def leads_on(self, address: int, others: set[int]) -> bool:
        """Whether control comes from `address` to one of `others` before it leaves the line."""
        work, seen = [address], {address}
        while work:
            at = work.pop()
            thens = self._flow.following[at]
            if not thens or at in self._leaves:
                return False
            fresh = [to for to in thens if to not in others and to not in seen]
            seen.update(fresh)
            work += fresh
        return bool(others)


# By the marks of the debug information


def _by_marks(flow: _Flow, line: set[int], stretches: Sequence[LineStretch]) -> list[int]:
    following = flow.following
    parts = [part for s in stretches for part in _parts(following, s)]
    marked = [part for part in parts if part.statements]
    marked = marked or sorted(parts, key=lambda part: part.low - part.high)[:1]
    # What comes to a statement over a part without one, and to that from another line, comes from
    # outside; over a stretch without one only where nothing else comes to any statement: else it is
    # the way back of a loop, which is no new pass.
    near = {p for s in stretches if s.statements for p in _parts(following, s)} - set(marked)
    kept: list[int] = []
    for cut_off in (near, set(parts) - set(marked)):
        entered = _entered(flow, line)
        for part in cut_off:
            if not entered.isdisjoint(range(part.low, part.high)):
                line = line - set(range(part.low, part.high))
        entered = _entered(flow, line)
        kept = [at for s in marked for at in range(s.low, s.high) if at in entered]
        if kept:
            break
    return flow.first_only(
        kept,
        lambda address, others: (
            _leads_on(following, line, address, others)
            or _jumps(flow.instructions, address, others)
        ),
    )


def _parts(following: Mapping[int, Sequence[int]], stretch: LineStretch) -> Iterator[LineStretch]:
    """A stretch cut where control does not run on: behind a jump stands code of another way, that
    of a value made for what follows, say, and the statement before the jump is none of its."""
    low = previous = stretch.low
    for at in (at for at in range(stretch.low, stretch.high) if at in following):
        if at > low and at not in following[previous]:
            yield _part(stretch, low, at)
            low = at
        previous = at
    yield _part(stretch, low, stretch.high)


def _part(stretch: LineStretch, low: int, high: int) -> LineStretch:
    return LineStretch(low, high, tuple(at for at in stretch.statements if low <= at < high))


def _entered(flow: _Flow, line: set[int]) -> set[int]:
    """The line's instructions that control comes to from elsewhere: over a jump table, which is
    not followed, where nothing else leads there."""
    outside = {to for at, thens in flow.following.items() if at not in line for to in thens}
    return {at for at in line if at == flow.low or at in outside or at in flow.untold}


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
