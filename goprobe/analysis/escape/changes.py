"""`--baseline` and `--diff`: what a program allocates otherwise than it did in an older report.

Places are matched by function and expression, in the order in which they stand, never by line: of
several alike in one function the neighbours tell which is which; where there are more or fewer of
them than before, those that allocate as much. What is then left on both sides with the same words
is the same place, moved; and so is what is left with the same objects and bytes: in one function
written otherwise, in one package with the same words in a function that was renamed, or that was
taken out of another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from msgspec.structs import replace

from goprobe.analysis.escape.origins import OF_WHO_WAITS, Origin, origins, plain
from goprobe.analysis.escape.policy import Policy
from goprobe.errors import UsageError
from goprobe.model.escape import Change, ChangeKind, Comparison, EscapeReport

_K = ChangeKind
_ORDER = {kind: n for n, kind in enumerate(ChangeKind)}
_Pair = tuple[Origin | None, Origin | None]


def compared(old: EscapeReport, new: EscapeReport, against: str, policy: Policy) -> Comparison:
    """What changed from `old` to `new`; `against` says what the old one is. Raises UsageError where
    they are not of one kind."""
    if old.ran != new.ran:
        which = "newer" if old.ran else "older"
        raise UsageError(f"the {which} report is of code alone (--static), the other of a run")
    for report in (old, new):
        if report.shown:
            raise UsageError(f"a report of a part is nothing to compare: {report.shown}")
    changes: list[Change] = []
    same = silent = 0
    counted_once = old.runs == 1 or new.runs == 1
    left_out = _folders(old) - _folders(new)
    sites = tuple(site for site in old.sites if _folder(site.file) not in left_out)
    for before, after in _paired(origins(replace(old, sites=sites)), origins(new)):
        kind = _kind(before, after)
        if kind:
            change = _change(kind, before, after, policy, counted_once)
            changes.append(
                replace(change, operations=_operations(new), operations_before=_operations(old))
            )
        elif before and after:
            same += 1
        else:
            silent += 1
    changes.sort(key=lambda c: (not c.fails, _ORDER[c.kind], -_weight(c), c.file, c.line))
    return Comparison(
        against=against,
        go=old.go.version,
        changes=tuple(changes),
        same=same,
        silent=silent,
        doubts=tuple(_doubts(old, new)),
    )


def _folders(report: EscapeReport) -> set[str]:
    """Those of the code that was looked at."""
    files = {site.file for site in report.sites} | {f.file for f in report.functions}
    return set(map(_folder, files))


def _folder(file: str) -> str:
    return file.rpartition("/")[0]


def _operations(report: EscapeReport) -> int:
    """Those of the one benchmark that ran: of several nobody knows whose a count is."""
    return report.benchmarks[0].operations if len(report.benchmarks) == 1 else 0


def _weight(change: Change) -> int:
    return max(change.allocations, change.allocations_before)


def _paired(old: Sequence[Origin], new: Sequence[Origin]) -> Iterator[_Pair]:
    """Each place of either side once."""
    before, after = _by_function(old), _by_function(new)
    left: list[Origin] = []
    came: list[Origin] = []
    for function in dict.fromkeys((*before, *after)):
        gone, fresh = before.get(function, []), after.get(function, [])
        pairs = list(_aligned(gone, fresh))
        yield from pairs
        known_old = {id(a) for a, _ in pairs}
        known_new = {id(b) for _, b in pairs}
        left += [o for o in gone if id(o) not in known_old]
        came += [n for n in fresh if id(n) not in known_new]
    for key in (_words, _objects_of_a_function, _objects_of_a_package):
        waiting: dict[tuple[str | int, ...], list[Origin]] = {}
        for origin in left:
            if of := key(origin):
                waiting.setdefault(of, []).append(origin)
        again, came = came, []
        paired: set[int] = set()
        for origin in again:
            twins = waiting.get(key(origin))
            if twins:
                twin = twins.pop(0)
                paired.add(id(twin))
                yield twin, origin
            else:
                came.append(origin)
        left = [origin for origin in left if id(origin) not in paired]
    yield from ((origin, None) for origin in left)
    yield from ((None, origin) for origin in came)


def _words(origin: Origin) -> tuple[str | int, ...]:
    return origin.key


def _objects_of_a_function(origin: Origin) -> tuple[str | int, ...]:
    """What it made, () for nothing that tells it from others."""
    if not origin.heap or origin.allocations <= 0:
        return ()
    return plain(origin.function), origin.allocations, origin.bytes


def _objects_of_a_package(origin: Origin) -> tuple[str | int, ...]:
    if not origin.heap or origin.allocations == 0:
        return ()
    return _folder(origin.file), origin.expression, origin.allocations, origin.bytes


def _by_function(places: Iterable[Origin]) -> dict[str, list[Origin]]:
    grouped: dict[str, list[Origin]] = {}
    for place in places:
        grouped.setdefault(plain(place.function), []).append(place)
    return grouped


def _aligned(old: Sequence[Origin], new: Sequence[Origin]) -> Iterator[tuple[Origin, Origin]]:
    """Of one function: what stands in the same order with the same words."""
    names = [o.expression for o in old], [n.expression for n in new]
    were, are = Counter(names[0]), Counter(names[1])
    uneven = {name for name in were.keys() & are.keys() if were[name] != are[name]}
    for name in sorted(uneven):
        before = [o for o in old if o.expression == name]
        yield from _least_changed(before, [n for n in new if n.expression == name])
    matcher = SequenceMatcher(None, *names, autojunk=False)
    for block in matcher.get_matching_blocks():
        for k in range(block.size):
            if names[0][block.a + k] not in uneven:
                yield old[block.a + k], new[block.b + k]


def _least_changed(old: Sequence[Origin], new: Sequence[Origin]) -> Iterator[tuple[Origin, Origin]]:
    """Of places alike, more or fewer than before: those that allocate as much are the same, and the
    others in their order."""
    left, came = list(old), list[Origin]()
    for origin in new:
        twin = next((o for o in left if o.allocations == origin.allocations), None)
        if twin is None:
            came.append(origin)
        else:
            left.remove(twin)
            yield twin, origin
    yield from zip(left, came, strict=False)


def _kind(before: Origin | None, after: Origin | None) -> ChangeKind | None:
    """None where it allocates as it did, or nothing on either side."""
    if before is None or after is None:
        there = before or after
        if there is None or not there.heap:
            return None
        return _K.NEW if before is None else _K.GONE
    if before.heap != after.heap:
        return _moved(before, after)
    if not after.heap or before.allocations < 0 or after.allocations < 0:
        return None
    if after.least > before.most:
        return _K.MORE
    if after.most < before.least:
        return _K.FEWER
    return _resized(before, after)


def _moved(before: Origin, after: Origin) -> ChangeKind | None:
    """What allocated on one side only. An object less in a run that varies is no change."""
    if before.allocations >= 0 and after.allocations >= 0:
        low, high = sorted((before, after), key=lambda o: o.allocations)
        if high.least <= low.most:
            return None
    if after.heap:
        return _K.TO_HEAP if before.stack else _K.MORE
    return _K.TO_STACK if after.stack else _K.FEWER


def _resized(before: Origin, after: Origin) -> ChangeKind | None:
    """By the bytes of an object, where each run makes the same."""
    if before.least != before.most or after.least != after.most:
        return None
    was, now = before.bytes * after.allocations, after.bytes * before.allocations
    if was == now:
        return None
    return _K.LARGER if now > was else _K.SMALLER


def _change(
    kind: ChangeKind,
    before: Origin | None,
    after: Origin | None,
    policy: Policy,
    counted_once: bool,
) -> Change:
    there = after or before
    assert there is not None
    change = Change(
        kind=kind,
        file=there.file,
        line=there.line,
        function=there.function,
        expression=there.expression,
        before=before.verdict.value if before else "",
        after=after.verdict.value if after else "",
        allocations_before=before.allocations if before else _none_of(there),
        allocations=after.allocations if after else _none_of(there),
        bytes_before=before.bytes if before else _none_of(there),
        bytes=after.bytes if after else _none_of(there),
        by_chance=counted_once and _may_be_chance(there, before, after),
        why=_why(after) if kind in (_K.NEW, _K.TO_HEAP, _K.MORE) else "",
    )
    return replace(change, fails=policy.fails(change))


def _may_be_chance(there: Origin, before: Origin | None, after: Origin | None) -> bool:
    """Hashes decide when a map grows, not whether: no more than twice as often, where it is often.
    Who waits for whom may be all chance."""
    if not there.chance or there.allocations < 0:
        return False
    few, many = sorted(o.allocations if o else 0 for o in (before, after))
    return there.expression.startswith(OF_WHO_WAITS) or many <= 2 * few + _A_FEW


_A_FEW = 16


def _none_of(there: Origin) -> int:
    return 0 if there.allocations >= 0 else -1


def _why(origin: Origin | None) -> str:
    """The step of the compiler's reasoning by which it leaves: the last that is a step."""
    steps = [f.strip() for f in origin.flow if f.strip().startswith("from ")] if origin else []
    return steps[-1] if steps else ""


def _doubts(old: EscapeReport, new: EscapeReport) -> Iterator[str]:
    for report, which in ((old, "older"), (new, "newer")):
        if report.partial:
            yield f"the {which} run was not seen to its end: {report.partial}"
        if report.failed:
            yield f"in the {which} run tests failed: {report.failed}"
    for folder in sorted(_folders(old) - _folders(new)):
        yield f"{folder or 'the folder itself'} is in the older report alone: nothing of it is told"
    before, after = _operations(old), _operations(new)
    if before and after and before != after:
        yield f"the benchmark did {before:,} operations in the older run, {after:,} in the newer"
    if old.build.flags != new.build.flags:
        was, now = (" ".join(r.build.flags) or "none" for r in (old, new))
        yield f"the programs were built with other flags: {was}; {now}"
