"""What can be walked through: reports as lists of entries, each with what is below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import UNSET

from goprobe.model.attached import CallSite, GoroutineGroup, GoroutinesReport, MapsReport
from goprobe.model.heap import HeapReport, TreeNode, TypeCount
from goprobe.model.location import Region
from goprobe.model.sites import Site
from goprobe.report import words
from goprobe.report.escaping import escape
from goprobe.report.text.heapgraph import folded

_BAR_CELLS = 10
_MANY_IDS = 12


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `amount` is what its bar shows and the list is sorted by, `count` how many there are;
    `below` makes what one comes to by entering it. `key` is the same from one look to the next.
    `address` is an object's, 0 where there is none; `text` is what is told of it by itself."""

    key: str
    name: str
    amount: int
    count: int
    unit: str = "bytes"
    address: int = 0
    below: Callable[[], list[Entry]] | None = None
    text: str = ""

    @property
    def size(self) -> str:
        return words.size(self.amount) if self.unit == "bytes" else words.number(self.amount)


class View(msgspec.Struct, frozen=True):
    """A list to begin with. `why` is told where there is nothing to show."""

    title: str
    entries: list[Entry]
    why: str = ""


def bar(amount: int, whole: int) -> str:
    cells = round(_BAR_CELLS * min(max(amount, 0) / max(whole, 1), 1))
    return "█" * (cells or (amount > 0)) + "░" * (_BAR_CELLS - (cells or (amount > 0)))


def growth(entries: Iterable[Entry], before: Mapping[str, int]) -> dict[str, int]:
    """By how much each entry of a list has grown since; those that were not there count whole."""
    return {e.key: e.amount - before.get(e.key, 0) for e in entries}


def chosen(
    entries: Sequence[Entry], needle: str, order: str, grown: Mapping[str, int]
) -> list[Entry]:
    """Those that a search leaves, sorted by "size", "count", "name" or "growth"."""
    left = [e for e in entries if needle.lower() in e.name.lower()]
    match order:
        case "name":
            return sorted(left, key=lambda e: e.name)
        case "count":
            return sorted(left, key=lambda e: -e.count)
        case "growth":
            return sorted(left, key=lambda e: -abs(grown.get(e.key, 0)))
    return sorted(left, key=lambda e: -e.amount)


def views(
    heap: HeapReport | None, goroutines: GoroutinesReport | None, maps: MapsReport | None
) -> list[View]:
    """Everything that the reports at hand tell."""
    missing = "this was not saved"
    tree = heap.tree if heap else UNSET
    return [
        View("Held by", [_kept(row, "") for row in tree] if tree is not UNSET else [], missing),
        View("Types", [_type(t) for t in folded(heap.types)] if heap else [], missing),
        View("Goroutines", _groups(goroutines.groups) if goroutines else [], missing),
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
        name=_plain(row.what),
        amount=row.retained_bytes,
        count=row.retained_objects,
        address=int(row.address),
        below=below if row.children else None,
        text=f"{_plain(row.what)}\n{_plain(holders)}" if holders else "",
    )


def _type(t: TypeCount) -> Entry:
    return Entry(
        key=t.type,
        name=_plain(t.type),
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
        _plain(f"{f.function}  {words.source(f.file, f.line, f.function)}") for f in site.stack
    ]
    own = frames[min(site.allocator, len(frames) - 1)] if frames else "no stack"
    lines = [*frames, "", *(f"held by {name}" for name in site.held_by)]
    return Entry(
        key="/".join(frames),
        name=own,
        amount=site.inuse_bytes,
        count=site.inuse_objects,
        text=_plain("\n".join(lines)).rstrip(),
    )


def _groups(groups: Sequence[GoroutineGroup]) -> list[Entry]:
    return [_group(g) for g in groups]


def _group(group: GoroutineGroup) -> Entry:
    at = next((f for f in group.frames if f.own), group.frames[0] if group.frames else None)
    state = words.state(group.status, group.wait_reason)
    name = f"{state}  {at.function if at else 'no frames'}"
    frames = [_frame(f) for f in group.frames]

    def below() -> list[Entry]:
        return [
            Entry(key=str(i), name=frame, amount=group.count, count=group.count, unit="")
            for i, frame in enumerate(frames)
        ]

    return Entry(
        key="/".join((state, *(f"{f.function}:{f.line}" for f in group.frames))),
        name=_plain(name),
        amount=group.count,
        count=group.count,
        unit="",
        below=below if frames else None,
        text=_plain(_told_of_group(group, state, frames)),
    )


def _told_of_group(group: GoroutineGroup, state: str, frames: Sequence[str]) -> str:
    ids = ", ".join(map(str, group.ids[:_MANY_IDS]))
    more = ", …" if len(group.ids) > _MANY_IDS else ""
    lines = [f"{words.counted(group.count, 'goroutine')}: {ids}{more}", state, "", *frames]
    for made in group.created:
        place = words.source(made.file, made.line, made.function)
        lines.append(f"created by {made.function} at {place}: {made.count}")
    lines += [f"waits on: {w.kind} {w.type} {w.name}".rstrip() for w in group.waits_on]
    return "\n".join(lines)


def _frame(f: CallSite) -> str:
    inlined = " (inlined)" if f.inlined else ""
    return _plain(f"{f.function}  {words.source(f.file, f.line, f.function)}{inlined}")


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
                name=_plain(f"{r.low} {r.perms} {r.label}"),
                amount=_resident(r),
                count=1,
                text=_plain(f"{r.low} to {r.high}, {words.size(r.size)}\n{r.perms}\n{r.label}"),
            )
            for r in regions
        ]

    resident = sum(map(_resident, regions))
    return Entry(key=name, name=name, amount=resident, count=len(regions), below=below)


def _resident(region: Region) -> int:
    if region.rss is not UNSET:
        return region.rss
    return region.size if region.stored is UNSET else region.stored


def _plain(text: str) -> str:
    """What the target calls its own may hold what a terminal would obey."""
    return escape(text, keep="\n")
