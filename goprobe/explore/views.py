"""Reports as lists of rows, each with what is below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import UNSET

from goprobe.explore.asked import Look
from goprobe.explore.entries import Entry, View, plain
from goprobe.explore.savedviews import judged, parts, stops
from goprobe.model.attached import (
    CallSite,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
    WaitsOn,
)
from goprobe.model.heap import SEVERAL, HeapReport, TreeNode, TypeCount
from goprobe.model.location import Kind, Region
from goprobe.model.sites import Site
from goprobe.report import words
from goprobe.report.selection import meant
from goprobe.report.text.heapgraph import folded
from goprobe.report.text.heaptree import names
from goprobe.report.uses import use_of
from goprobe.report.waitwords import held, owned, stands_at, waited

_MANY_IDS = 12
_NOT_SAVED = "this was not saved"

Called = Callable[[str], str]
"""What a name of the report is called in rows: as short as it stays clear, fit for a terminal."""


def views(look: Look) -> list[View]:
    """Everything that the reports at hand tell: the five lists of a process, and what saved
    reports have besides."""
    heap, goroutines = look.heap, look.goroutines
    called = _called(look)
    tree = heap.tree if heap else UNSET
    kept = [_kept(called, row, "") for row in tree] if tree is not UNSET else []
    made = [
        View("Held by", kept, _NOT_SAVED),
        View("Types", [_type(called, t) for t in folded(heap.types)] if heap else [], _NOT_SAVED),
        View("Goroutines", _groups(called, goroutines) if goroutines else [], _NOT_SAVED),
        View("Memory", [*parts(look.memory), *_regions(_mapped(look))], _NOT_SAVED, later=True),
        View("Sites", _sites(called, heap), _why_no_sites(heap)),
    ]
    if look.escape is not None:
        made.append(View("Escape", judged(look.escape), "nothing was judged"))
    if look.trace is not None:
        made.append(View("Stops", stops(look.trace), "it stopped nowhere"))
    return made


def _called(look: Look) -> Called:
    short = words.short_paths(_names(look.heap, look.goroutines))
    return lambda name: plain(words.shortened(name, short))


def _names(heap: HeapReport | None, goroutines: GoroutinesReport | None) -> Iterator[str]:
    if heap is not None:
        yield from names(heap.tree if heap.tree is not UNSET else ())
        yield from (t.type for t in heap.types)
        for site in heap.sites if heap.sites is not UNSET else ():
            yield from (f.function for f in site.stack)
    for group in goroutines.groups if goroutines is not None else ():
        yield from (f.function for f in group.frames)


def _mapped(look: Look) -> Sequence[Region]:
    if look.maps is not None:
        return look.maps.map
    return look.trace.map if look.trace is not None else ()


def _kept(called: Called, row: TreeNode, above: str) -> Entry:
    key = f"{above}/{row.what}"

    def below() -> list[Entry]:
        return [_kept(called, child, key) for child in row.children]

    return Entry(
        key=key,
        name=called(row.what),
        amount=row.retained_bytes,
        count=row.retained_objects,
        address=int(row.address),
        below=below if row.children else None,
        tell=partial(_holders, row) if row.held_by else None,
        shared=f"{above}/" if row.kind == SEVERAL else "",
    )


def _holders(row: TreeNode) -> str:
    return "".join([f"{plain(row.what)}\n", *(f"\n  {plain(name)}" for name in row.held_by)])


def _type(called: Called, t: TypeCount) -> Entry:
    return Entry(
        key=t.type,
        name=called(t.type),
        amount=t.bytes if t.retained_bytes is UNSET else t.retained_bytes,
        count=t.objects,
        address=0 if t.example is UNSET else int(t.example),
    )


_MOST_ALIKE = 100


def _sites(called: Called, heap: HeapReport | None) -> list[Entry]:
    sites = heap.sites if heap and heap.sites is not UNSET else ()
    stacks = [_Stack.of(site) for site in sites]
    alike: dict[str, list[_Stack]] = {}
    for stack in stacks:
        alike.setdefault(stack.own, []).append(stack)
    return [
        _site(called, site, stack, _apart(stack, alike[stack.own]))
        for site, stack in zip(sites, stacks, strict=True)
    ]


class _Stack(msgspec.Struct, frozen=True, eq=False):
    """A site's frames as they are told; `own` is the first that is not the allocator's."""

    frames: tuple[str, ...]
    own: str
    calls: tuple[str, ...]

    @staticmethod
    def of(site: Site) -> _Stack:
        told = (f"{f.function}  {words.source(f.file, f.line, f.function)}" for f in site.stack)
        frames = tuple(told)
        own = frames[min(site.allocator, len(frames) - 1)] if frames else "no stack"
        return _Stack(frames, own, frames[site.allocator :])


def _apart(stack: _Stack, alike: Sequence[_Stack]) -> str:
    """The nearest caller by which a site differs from others of the same own frame, "" where none
    does, or they are many."""
    if len(alike) > _MOST_ALIKE:
        return ""
    others = {each.calls for each in alike if each is not stack}
    for depth, frame in enumerate(stack.calls):
        same = {other for other in others if other[depth : depth + 1] == (frame,)}
        if others and not same:
            return frame
        others = same
    return ""


def _why_no_sites(heap: HeapReport | None) -> str:
    if heap is None or heap.sampling is UNSET:
        return _NOT_SAVED
    return heap.sampling.why or "the runtime sampled nothing"


def _site(called: Called, site: Site, stack: _Stack, apart: str) -> Entry:
    frames, own = stack.frames, stack.own
    if apart:
        own = f"{own.partition('  ')[0]} ← {apart}"
    lines = [*frames, "", *(f"held by {name}" for name in site.held_by)]
    return Entry(
        key="/".join(frames),
        name=called(own),
        amount=site.inuse_bytes,
        count=site.inuse_objects,
        tell=lambda: plain("\n".join(lines)).rstrip(),
    )


def _regions(regions: Iterable[Region]) -> list[Entry]:
    kinds: dict[str, list[Region]] = {}
    for region in regions:
        c = region.kind is Kind.C_HEAP  # or of the program, which may have mapped it
        name = use_of(region).name if c else words.KIND_NAMES[region.kind]
        kinds.setdefault(name, []).append(region)
    return [_kind(name, same) for name, same in kinds.items()]


def _kind(name: str, regions: list[Region]) -> Entry:
    return Entry(
        key=name,
        name=name,
        amount=sum(map(_resident, regions)),
        count=len(regions),
        counts="regions",
        below=lambda: [_region(r) for r in regions],
    )


def _region(r: Region) -> Entry:
    return Entry(
        key=str(r.low),
        name=plain(f"{r.low} {r.perms} {r.label}"),
        amount=_resident(r),
        count=1,
        counts="regions",
        tell=lambda: plain(f"{r.low} to {r.high}, {words.size(r.size)}\n{r.perms}\n{r.label}"),
    )


def _resident(region: Region) -> int:
    if region.rss is not UNSET:
        return region.rss
    return region.size if region.stored is UNSET else region.stored


def _groups(called: Called, report: GoroutinesReport) -> list[Entry]:
    states = {g.id: g for g in report.goroutines}
    if report.groups:
        return [_group(called, g, states) for g in report.groups]
    with_tail: dict[tuple[object, ...], str] = {}
    return [_goroutine(str, g, with_tail) for g in report.goroutines]


def _group(called: Called, group: GoroutineGroup, states: Mapping[int, GoroutineState]) -> Entry:
    at = stands_at(group)
    state = words.state(group.status, group.wait_reason)

    def told() -> str:
        return plain(_told_of_group(group, state))

    def below() -> list[Entry]:
        with_tail: dict[tuple[object, ...], str] = {}  # they are many, and mostly alike
        return [_goroutine(told, states[i], with_tail) for i in group.ids if i in states]

    return Entry(
        key="/".join((state, *(f"{f.function}:{f.line}" for f in group.frames))),
        name=called(f"{state}  {at.function if at else 'no frames'}"),
        amount=group.count,
        count=group.count,
        unit="",
        below=below,
        tell=told,
    )


def _goroutine(
    told: Callable[[], str], g: GoroutineState, with_tail: dict[tuple[object, ...], str]
) -> Entry:
    """One of a group, of which `told` is told; with what the report has of it alone. `with_tail`
    has what stands behind the numbers, where that was made before."""
    alike = (g.status, g.wait_reason, g.why_no_labels, *g.labels.items())
    tail = with_tail.get(alike)
    if tail is None:
        labels = words.labels(g.labels, g.why_no_labels) if g.labels or g.why_no_labels else ""
        tail = plain(f"{words.state(g.status, g.wait_reason)}  {labels}".rstrip())
        with_tail[alike] = tail
    name = f"goroutine {g.id}"
    return Entry(
        key=name,
        name=f"{name}  {tail}",
        amount=0 if g.waiting_us is UNSET else g.waiting_us,
        count=1,
        unit="time",
        goroutine=g.id,
        tell=partial(_told_of_one, told, g),
    )


def _told_of_one(told: Callable[[], str], g: GoroutineState) -> str:
    return "\n".join([told(), *map(plain, _own(g))])


def _own(g: GoroutineState) -> list[str]:
    frames = () if g.frames is UNSET else g.frames
    return [*map(_waits, g.waits_on), *(line for f in frames for line in _variables(f))]


def _told_of_group(group: GoroutineGroup, state: str) -> str:
    ids = ", ".join(map(str, group.ids[:_MANY_IDS]))
    more = ", …" if len(group.ids) > _MANY_IDS else ""
    lines = [f"{words.counted(group.count, 'goroutine')}: {ids}{more}", state, ""]
    lines += map(_frame, group.frames)
    for made in group.created:
        place = words.source(made.file, made.line, made.function)
        lines.append(f"created by {made.function} at {place}: {made.count}")
    left = group.more_waits_on
    rest = [f"waits on: {words.number(left)} more"] if left else []
    return "\n".join([*lines, *map(_waits, group.waits_on), *rest])


def _waits(w: WaitsOn) -> str:
    by = [f"held by {held(w)}"] if w.held_by else []
    return ", ".join([f"waits on: {waited(w)}", *by, *owned(w, len(w.owners))])


def _frame(f: CallSite) -> str:
    inlined = " (inlined)" if f.inlined else ""
    return f"{f.function}  {words.source(f.file, f.line, f.function)}{inlined}"


def _variables(f: CallSite) -> list[str]:
    return [
        f"{f.function}: {v.name} {v.type} {v.why if v.value is UNSET else meant(v.value, v.data)}"
        for v in (() if f.variables is UNSET else f.variables)
    ]
