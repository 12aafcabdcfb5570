"""The memory of a process in a dozen rows: what a picture of it shows, whoever draws it.

A Go process has hundreds of regions. A reader wants the binary's parts one by one, the heap arena
as one thing with what is used in it, the stacks and objects asked for on rows of their own, and
the rest in a few rows, lowest address first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from goprobe.analysis.locate.wholeregions import OF_BINARY, whole_regions
from goprobe.model.address import Address
from goprobe.model.location import Kind, Region
from goprobe.report.uses import Use, present, use_of

ROWS = 14
GAP_WORTH_SHOWING = 64 << 20
_GUARD = 64 << 10
_KERNEL = 1 << 63
_NEAR = 64 << 20  # an arena; nearer regions of one kind are one row
_ARENA = frozenset({Kind.HEAP, Kind.GOROUTINE_STACK})
_IN_ARENA = _ARENA | {Kind.RESERVED, Kind.RUNTIME, Kind.SYSTEM_STACK}
_BOOKKEEPING = {Kind.RUNTIME, Kind.RESERVED}
_RIGHTS = len("rwx")


class Mark(msgspec.Struct, frozen=True):
    """Something to be found in the picture: at `address`, called `label`."""

    address: int
    label: str


class UsePart(msgspec.Struct, frozen=True):
    """The memory of one use in a row: its bytes, and how many of them are present (see uses.py)."""

    use: Use
    size: int
    present: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Memory [low, high); sizes in bytes.

    `parts` has what it is used for, most bytes first, `gap` the bytes of nothing before it.
    `perms` has the rights in it ("r-x"), each combination of them where there are several ("r rx
    rw"); reserved space, which has none, has no say beside others. `inside` says that the row is a
    part of the row before it (a stack in the heap's arena); `label` is what its only region is
    called, empty where there are more.
    """

    low: Address
    high: Address
    parts: tuple[UsePart, ...]
    perms: str
    gap: int = 0
    inside: bool = False
    label: str = ""
    marks: tuple[Mark, ...] = ()

    @property
    def kinds(self) -> dict[Kind, int]:
        """The bytes of each kind in it."""
        kinds: dict[Kind, int] = {}
        for part in self.parts:
            kinds[part.use.kind] = kinds.get(part.use.kind, 0) + part.size
        return kinds

    @property
    def kind(self) -> Kind:
        """What the row is for: the kind with the most bytes, if it is more than reserved space."""
        kinds = self.kinds
        return max(kinds, key=lambda kind: (kind is not Kind.RESERVED, kinds[kind]))

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def present(self) -> int:
        return sum(part.present for part in self.parts)

    @property
    def names(self) -> list[str]:
        """What it is used for, most bytes first; reserved space only where there is no more."""
        used = [part.use for part in self.parts if part.use.kind is not Kind.RESERVED]
        return [use.name for use in used or [part.use for part in self.parts]]

    @property
    def arena(self) -> bool:
        return not self.inside and not _ARENA.isdisjoint(self.kinds)


class _Run:
    """Regions that make one row so far, and their kinds."""

    __slots__ = ("kinds", "regions")

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = list(regions)
        self.kinds = {region.kind for region in regions}

    def add(self, regions: Sequence[Region]) -> None:
        self.regions.extend(regions)
        self.kinds.update(region.kind for region in regions)

    @property
    def low(self) -> int:
        return self.regions[0].low

    @property
    def high(self) -> int:
        return self.regions[-1].high

    @property
    def arena(self) -> bool:
        return not _ARENA.isdisjoint(self.kinds)


def rows(regions: Iterable[Region], marks: Sequence[Mark] = (), limit: int = ROWS) -> list[Row]:
    """At most `limit` rows, lowest address first, besides those `inside` another."""
    # The vsyscall page lies in the kernel's half: 16 EiB away, in every process, of no interest.
    ours = (r for r in regions if r.size and r.kind is not Kind.UNMAPPED and r.low < _KERNEL)
    runs = _shrunk(_runs(whole_regions(sorted(ours, key=lambda r: r.low))), limit)
    drawn: list[Row] = []
    end = 0
    for run in runs:
        gap = max(run.low - end, 0) if end else 0
        drawn += _rows_of(run, gap, marks)
        end = run.high
    return drawn


def _runs(regions: Sequence[Region]) -> list[_Run]:
    """Neighbours of one kind together, and all that lies between the ends of an arena."""
    runs: list[_Run] = []
    for region in regions:
        if runs and _belongs(runs[-1], region):
            runs[-1].add((region,))
        else:
            runs.append(_Run([region]))
    return [part for run in runs for part in _trimmed(run)]


def _belongs(run: _Run, region: Region) -> bool:
    last = run.regions[-1]
    distance = region.low - last.high
    both = {last.kind, region.kind}
    if distance <= _NEAR and (len(both) == 1 or both <= _ARENA):
        return True
    if _is_guard(region) and distance <= 0:
        return True
    if distance <= _NEAR and _is_guard(last) and run.kinds - {Kind.RESERVED} == {region.kind}:
        return True
    if distance <= _NEAR and both == _BOOKKEEPING:
        return True
    # Free pages and threads' g0 stacks belong to an arena where they are one piece with it.
    here = run.kinds | {region.kind}
    return distance <= 0 and here <= _IN_ARENA and not here.isdisjoint(_ARENA)


def _is_guard(region: Region) -> bool:
    """Pages that nobody may touch, at the end of a thread's stack."""
    return region.kind is Kind.RESERVED and region.size <= _GUARD


def _trimmed(run: _Run) -> list[_Run]:
    """An arena without the address space at its ends that it does not use: rows of their own."""
    used = [i for i, region in enumerate(run.regions) if usable(region.perms)]
    if not run.arena or not used:
        return [run]
    first, last = used[0], used[-1] + 1
    parts = (run.regions[:first], run.regions[first:last], run.regions[last:])
    return [_Run(part) for part in parts if part]


def _shrunk(runs: list[_Run], limit: int) -> list[_Run]:
    """Merges the neighbours that say least apart, until they are few enough."""
    while len(runs) > limit:
        costs = sorted((_cost(a, b), i) for i, (a, b) in enumerate(pairwise(runs)))
        # Far too many (a process may have 65,530 mappings) go by the dozen, the last one by one.
        count = max((len(runs) - 2 * limit) // 4, 1)
        least = [i for cost, i in costs if cost[0] < _NEVER or len(runs) > _AT_MOST * limit]
        chosen = _disjoint(least, count)
        if not chosen:
            break
        for i in chosen:
            runs[i].add(runs[i + 1].regions)
        gone = {i + 1 for i in chosen}
        runs = [run for i, run in enumerate(runs) if i not in gone]
    return runs


def _disjoint(pairs: Iterable[int], count: int) -> list[int]:
    """The first `count` of these pairs (i, i + 1) that share no member with one before."""
    taken: set[int] = set()
    chosen: list[int] = []
    for i in pairs:
        if len(chosen) >= count:
            break
        if i not in taken and i + 1 not in taken:
            taken |= {i, i + 1}
            chosen.append(i)
    return chosen


_NEVER = 9
_AT_MOST = 2  # times the limit; beyond that even what ought to stay apart is merged
_FAR, _FAR_AND_OTHER, _APART = _NEVER, _NEVER + 1, _NEVER + 2


def _cost(left: _Run, right: _Run) -> tuple[int, int]:
    """How much is lost by merging: first what kind of loss, then the distance in bytes. A gap that
    is worth a row of its own is no part of what is on either side of it."""
    distance = right.low - left.high
    both = left.kinds | right.kinds
    same = left.kinds == right.kinds
    if not same and (left.arena != right.arena or both & OF_BINARY):
        return _APART, distance
    if distance >= GAP_WORTH_SHOWING:
        return (_FAR if same else _FAR_AND_OTHER), distance
    if same:
        return 0, distance
    if left.arena:
        return 3, distance
    return (1 if left.kinds & right.kinds else 2), distance


def _rows_of(run: _Run, gap: int, marks: Sequence[Mark]) -> list[Row]:
    """The run's row, and inside an arena a row for each region that is marked."""
    here = [mark for mark in marks if run.low <= mark.address < run.high]
    if not run.arena:
        return [_row(run.regions, gap, marks=here)]
    marked = [
        (region, inside)
        for region in run.regions
        if (inside := [m for m in here if region.low <= m.address < region.high])
    ]
    loose = [m for m in here if all(m not in inside for _, inside in marked)]
    whole = _row(run.regions, gap, marks=loose)
    return [whole, *(_row([region], 0, marks=inside, within=True) for region, inside in marked)]


def _row(
    regions: Sequence[Region], gap: int, *, marks: Sequence[Mark], within: bool = False
) -> Row:
    return Row(
        low=regions[0].low,
        high=regions[-1].high,
        parts=_parts(regions),
        perms=_perms(regions),
        gap=gap,
        inside=within,
        label=regions[0].label if len(regions) == 1 else "",
        marks=tuple(sorted(marks, key=lambda mark: mark.address)),
    )


def totals(drawn: Iterable[Row]) -> tuple[UsePart, ...]:
    """What all rows together are used for, most bytes present first: the sums of a picture."""
    sums: dict[Use, list[int]] = {}
    for row in drawn:
        for part in () if row.inside else row.parts:
            whole = sums.setdefault(part.use, [0, 0])
            whole[0] += part.size
            whole[1] += part.present
    parts = (UsePart(use, *whole) for use, whole in sums.items())
    return tuple(sorted(parts, key=lambda part: (-part.present, -part.size)))


def _parts(regions: Sequence[Region]) -> tuple[UsePart, ...]:
    sums: dict[Use, list[int]] = {}
    for region in regions:
        sizes = sums.setdefault(use_of(region), [0, 0])
        sizes[0] += region.size
        sizes[1] += present(region)
    parts = (UsePart(use, *sizes) for use, sizes in sums.items())
    return tuple(sorted(parts, key=lambda part: -part.size))


def usable(perms: str) -> bool:
    """Whether the memory can be read or written at all."""
    return "r" in perms or "w" in perms


def _perms(regions: Sequence[Region]) -> str:
    """Each combination of rights that the regions have, as "r-x"; sharing is left out."""
    used = [r for r in regions if r.kind is not Kind.RESERVED] or regions
    different = list(dict.fromkeys(r.perms[:_RIGHTS] for r in used))
    return (
        different[0]
        if len(different) == 1
        else " ".join(rights.replace("-", "") or "-" for rights in different)
    )
