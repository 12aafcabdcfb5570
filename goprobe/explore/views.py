"""Reports as lists of rows, each with what is below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from goprobe.explore.entries import Entry, View, plain
from goprobe.model.attached import (
    CallSite,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
    MapsReport,
    WaitsOn,
)
from goprobe.model.heap import HeapReport, TreeNode, TypeCount
from goprobe.model.location import Region
from goprobe.model.sites import Site
from goprobe.report import words
from goprobe.report.text.heapgraph import folded
from goprobe.report.waitwords import held, owned, stands_at, waited

_MANY_IDS = 12


def views(
    heap: HeapReport | None, goroutines: GoroutinesReport | None, maps: MapsReport | None
) -> list[View]:
    """Everything that the reports at hand tell."""
    missing = "this was not saved"
    tree = heap.tree if heap else UNSET
    return [
        View("Held by", [_kept(row, "") for row in tree] if tree is not UNSET else [], missing),
        View("Types", [_type(t) for t in folded(heap.types)] if heap else [], missing),
        View("Goroutines", _groups(goroutines) if goroutines else [], missing),
        View("Memory", _regions(maps.map) if maps else [], missing),
        View("Sites", _sites(heap), _why_no_sites(heap)),
    ]


def _kept(row: TreeNode, above: str) -> Entry:
    key = f"{above}/{row.what}"

    def below() -> list[Entry]:
        return [_kept(child, key) for child in row.children]

    holders = "".join(f"\n  {name}" for name in row.held_by)
    return Entry(
        key=key,
        name=plain(row.what),
        amount=row.retained_bytes,
        count=row.retained_objects,
        address=int(row.address),
        below=below if row.children else None,
        text=f"{plain(row.what)}\n{plain(holders)}" if holders else "",
    )


def _type(t: TypeCount) -> Entry:
    return Entry(
        key=t.type,
        name=plain(t.type),
        amount=t.bytes if t.retained_bytes is UNSET else t.retained_bytes,
        count=t.objects,
        address=0 if t.example is UNSET else int(t.example),
    )


def _sites(heap: HeapReport | None) -> list[Entry]:
    return [_site(s) for s in heap.sites] if heap and heap.sites is not UNSET else []


def _why_no_sites(heap: HeapReport | None) -> str:
    if heap is None or heap.sampling is UNSET:
        return "this was not saved"
    return heap.sampling.why or "the runtime sampled nothing"


def _site(site: Site) -> Entry:
    frames = [
        plain(f"{f.function}  {words.source(f.file, f.line, f.function)}") for f in site.stack
    ]
    own = frames[min(site.allocator, len(frames) - 1)] if frames else "no stack"
    lines = [*frames, "", *(f"held by {name}" for name in site.held_by)]
    return Entry(
        key="/".join(frames),
        name=own,
        amount=site.inuse_bytes,
        count=site.inuse_objects,
        text=plain("\n".join(lines)).rstrip(),
    )


def _regions(regions: Sequence[Region]) -> list[Entry]:
    kinds: dict[str, list[Region]] = {}
    for region in regions:
        kinds.setdefault(words.KIND_NAMES[region.kind], []).append(region)
    return [_kind(name, same) for name, same in kinds.items()]


def _kind(name: str, regions: list[Region]) -> Entry:
    def below() -> list[Entry]:
        return [
            Entry(
                key=str(r.low),
                name=plain(f"{r.low} {r.perms} {r.label}"),
                amount=_resident(r),
                count=1,
                counts="regions",
                text=plain(f"{r.low} to {r.high}, {words.size(r.size)}\n{r.perms}\n{r.label}"),
            )
            for r in regions
        ]

    resident = sum(map(_resident, regions))
    return Entry(
        key=name, name=name, amount=resident, count=len(regions), counts="regions", below=below
    )


def _resident(region: Region) -> int:
    if region.rss is not UNSET:
        return region.rss
    return region.size if region.stored is UNSET else region.stored


def _groups(report: GoroutinesReport) -> list[Entry]:
    states = {g.id: g for g in report.goroutines}
    return [_group(g, states) for g in report.groups]


def _group(group: GoroutineGroup, states: Mapping[int, GoroutineState]) -> Entry:
    at = stands_at(group)
    state = words.state(group.status, group.wait_reason)
    told = plain(_told_of_group(group, state))

    def below() -> list[Entry]:
        return [_goroutine(states[i], told) for i in group.ids if i in states]

    return Entry(
        key="/".join((state, *(f"{f.function}:{f.line}" for f in group.frames))),
        name=plain(f"{state}  {at.function if at else 'no frames'}"),
        amount=group.count,
        count=group.count,
        unit="",
        below=below,
        text=told,
    )


def _goroutine(g: GoroutineState, told: str) -> Entry:
    """One of a group, of which `told` is told; with what the report has of it alone."""
    frames = () if g.frames is UNSET else g.frames
    own = [line for f in frames for line in _variables(f)]
    waits = [_waits(w) for w in g.waits_on]
    labels = words.labels(g.labels, g.why_no_labels) if g.labels or g.why_no_labels else ""
    return Entry(
        key=f"goroutine {g.id}",
        name=plain(f"goroutine {g.id}  {words.state(g.status, g.wait_reason)}  {labels}".rstrip()),
        amount=0 if g.waiting_us is UNSET else g.waiting_us,
        count=1,
        unit="time",
        goroutine=g.id,
        text="\n".join([told, *map(plain, [*waits, *own])]),
    )


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
        f"{f.function}: {v.name} {v.type} {v.why if v.value is UNSET else v.value.text}"
        for v in (() if f.variables is UNSET else f.variables)
    ]
