"""The page of `goprobe heap`: what fills it as a map to scale, then types, roots, classes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from goprobe.model.heap import HeapReport, HeapSample, steps_left_out
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.html.evidence import EvidenceList
from goprobe.report.html.examples import example_views
from goprobe.report.html.treemap import Rect, squarified
from goprobe.report.leakwords import held_by_lost, none_lost, undecided
from goprobe.report.options import RenderOptions

_ASPECT = 2.2
_MOST_TILES = 40
_MOST_ROWS = 500
_MOST_BRANCHES = 400
_DEEPEST = 12
_LEAST = 0.0015  # of the whole: what is smaller goes into "the rest"
_HUES = 9
_Part = tuple[str, int, int, int]
"""Name, bytes, objects, and the address of one of them (0: of none)."""


class Tile(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    objects: int
    example: int
    rect: Rect


class Group(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    rect: Rect
    hue: int
    tiles: tuple[Tile, ...]


class Branch(msgspec.Struct):
    """What is kept by one way from a root; `children` are the steps on."""

    name: str
    bytes: int
    objects: int
    children: dict[str, Branch]

    @property
    def largest(self) -> list[Branch]:
        return sorted(self.children.values(), key=lambda branch: -branch.bytes)


def render(report: HeapReport, options: RenderOptions) -> bytes:
    """The page; parts that were not asked for are left out."""
    ledger = EvidenceList()
    census = report.census
    kept_by = () if report.tree is UNSET else report.tree
    ways = () if kept_by or report.samples is UNSET else report.samples
    paths = [
        [(str(p.address), p.name, p.kind.value, ledger.id(p), steps_left_out(p)) for p in path]
        for path in report.paths
    ]
    return shell.page(
        "heap.html",
        f"The heap of process {report.pid}",
        report,
        options,
        ledger,
        census=census,
        groups=_groups(report),
        by_type=bool(report.types),
        types=report.types[:_MOST_ROWS],
        more_types=max(len(report.types) - _MOST_ROWS, 0),
        classes=census.classes,
        paths=paths,
        examples=() if report.examples is UNSET else example_views(report.examples, options.places),
        roots=() if report.roots is UNSET else report.roots[:_MOST_ROWS],
        untyped=() if report.untyped is UNSET else report.untyped[:_MOST_ROWS],
        unreachable=() if report.unreachable is UNSET else report.unreachable[:_MOST_ROWS],
        tree=_tree(ways) if ways else None,
        sites=() if report.sites is UNSET else report.sites[:_MOST_ROWS],
        sampling=None if report.sampling is UNSET else report.sampling,
        kept_by=kept_by,
        asked_of=words.asked_of(report.pid, report.pause_us),
        waste=() if report.waste is UNSET else report.waste[:_MOST_ROWS],
        graph=None if report.graph is UNSET else report.graph,
        referrers=()
        if report.referrers is UNSET
        else [(r, ledger.id(r.source)) for r in report.referrers[:_MOST_ROWS]],
        dangling=[(d, ledger.id(d.source), ledger.id(d.to)) for d in report.dangling[:_MOST_ROWS]],
        diff=None if report.diff is UNSET else report.diff,
        path_texts=() if report.path_texts is UNSET else report.path_texts,
        warnings=report.warnings,
        leaks=_leaks(report),
        facts=[words.stood_still(report.pid, report.pause_us), _checked(report)],
    )


def _leaks(report: HeapReport) -> list[str]:
    leaks = report.leaks
    if leaks is UNSET:
        return []
    told = []
    if leaks.leaked:
        told.append(f"Held by leaked goroutines: {held_by_lost(leaks)}.")
    elif report.tree is UNSET:  # it was all that was asked
        told.append(f"{none_lost(leaks).capitalize()}.")
    return told + ([f"{undecided(leaks).capitalize()}."] if leaks.undecided else [])


def _checked(report: HeapReport) -> str:
    check = report.self_check
    told = f"{words.counted(check.spans, 'span')} counted, {check.popcount_mismatches} not as the "
    return (
        f"{told}runtime says; {words.counted(check.edges_checked, 'pointer')} checked, "
        f"{check.dangling_edges} dangling."
    )


def _groups(report: HeapReport) -> list[Group]:
    """Types by package, or size classes by whether they hold pointers."""
    groups: dict[str, list[_Part]] = {}
    for name, part in _amounts(report):
        if part[1] > 0:
            groups.setdefault(name, []).append(part)
    total = sum(map(_sum, groups.values())) or 1
    small = [n for n, parts in groups.items() if _sum(parts) < total * _LEAST]
    if len(small) > 1:
        rest = [part for name in small for part in groups.pop(name)]
        groups["other packages"] = rest
    named = sorted(groups.items(), key=lambda pair: -_sum(pair[1]))
    rects = squarified([_sum(parts) for _, parts in named], _ASPECT)
    return [
        Group(name, _sum(parts), rect, number % _HUES, _tiles(parts, rect))
        for number, ((name, parts), rect) in enumerate(zip(named, rects, strict=True))
    ]


def _amounts(report: HeapReport) -> Iterable[tuple[str, _Part]]:
    if not report.types:
        for c in report.census.classes:
            name = "without pointers" if c.noscan else "with pointers"
            yield name, (words.size(c.size) if c.size else "large", c.bytes, c.objects, 0)
        return
    for t in report.types:
        example = 0 if t.example is UNSET else int(t.example)
        yield _package(t.type), (t.type, t.bytes, t.objects, example)
    for u in () if report.untyped is UNSET else report.untyped:
        example = 0 if u.example is UNSET else int(u.example)
        yield "type not known", (f"{words.size(u.size)} each", u.bytes, u.objects, example)


def _package(type_name: str) -> str:
    """ "main" of "[]*main.Node"; "built-in" of "[]uint8"."""
    bare = type_name.split("[", 1)[0] if not type_name.startswith(("[", "map[")) else type_name
    bare = bare.rsplit("]", 1)[-1].lstrip("*")
    package, dot, _ = bare.rpartition(".")
    return package if dot and " " not in package and "(" not in package else "built-in"


def _sum(parts: Iterable[_Part]) -> int:
    return sum(size for _, size, *_ in parts)


def _tiles(parts: list[_Part], rect: Rect) -> tuple[Tile, ...]:
    parts = sorted(parts, key=lambda part: -part[1])
    if len(parts) > _MOST_TILES:
        rest = parts[_MOST_TILES - 1 :]
        label = f"{len(rest)} more"
        parts = [*parts[: _MOST_TILES - 1], (label, _sum(rest), sum(n for _, _, n, _ in rest), 0)]
        parts.sort(key=lambda part: -part[1])
    aspect = _ASPECT * rect.width / max(rect.height, 0.01)
    rects = squarified([size for _, size, *_ in parts], aspect)
    return tuple(Tile(*part, r) for part, r in zip(parts, rects, strict=True))


def _tree(samples: Iterable[HeapSample]) -> Branch:
    """The ways by which objects are kept, from the roots inward, the largest first."""
    root = Branch("everything reachable", 0, 0, {})
    made = 0
    for sample in sorted(samples, key=lambda s: -s.bytes):
        at = root
        at.bytes, at.objects = at.bytes + sample.bytes, at.objects + sample.objects
        for name in list(reversed(sample.stack))[:_DEEPEST]:
            if name not in at.children:
                if made >= _MOST_BRANCHES:
                    break
                made += 1
                at.children[name] = Branch(name, 0, 0, {})
            at = at.children[name]
            at.bytes, at.objects = at.bytes + sample.bytes, at.objects + sample.objects
    return root
