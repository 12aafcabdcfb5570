"""Who allocated what, in text: a paragraph for each site."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.model.heap import HeapCensus
from goprobe.model.sites import Allocation, Sampling, Site, SiteFrame
from goprobe.report import words
from goprobe.report.text.page import Page

_MOST = 15
_SHOWN_FRAMES = 3
_MOST_TYPES = 3
_INDENT, _HANGING = 2, 4


def write(page: Page, census: HeapCensus, sampling: Sampling, sites: Sequence[Site]) -> None:
    """The sites, with the profile's sums beside those of the census: those of which most is in use
    first, of a time for which it was sampled those that allocated most in it."""
    timed = bool(sampling.for_seconds)
    if timed:
        sites = sorted(sites, key=lambda s: -s.alloc_bytes)
    in_use = [s for s in sites if s.inuse_bytes or s.now_bytes or timed or page.options.verbose]
    shown = in_use if page.options.verbose else in_use[:_MOST]
    rest = f", {len(shown)} of {len(sites)}: -v shows all" if len(shown) < len(sites) else ""
    page.heading("By allocation site", (rest, "dim"))
    page.blank()
    if not sites:
        told = "no site can be told" if sampling.why else "the runtime has sampled no allocation"
        page.paragraph(told, indent=_INDENT)
        return
    _sums(page, census, sampling)
    page.blank()
    for site in shown:
        _site(page, site, timed=timed)
    if gone := [s for s in sites if s not in in_use]:
        _of_what_is_gone(page, gone)


def _of_what_is_gone(page: Page, sites: Sequence[Site]) -> None:
    amount, objects = sum(s.alloc_bytes for s in sites), sum(s.alloc_objects for s in sites)
    told = (
        f"{words.size(amount)} in {words.counted(objects, 'object')}, of which nothing is in use, "
        f"allocated at {words.counted(len(sites), 'more site')}: -v shows them"
    )
    page.paragraph((told, "dim"), indent=_INDENT, hanging=_HANGING)


def _sums(page: Page, census: HeapCensus, sampling: Sampling) -> None:
    how = f"one object sampled for each {words.size(sampling.rate)} allocated"
    if sampling.rate == 1:
        how = "every allocation sampled"
    elif sampling.rate < 0:
        how = "how often the runtime samples is not known"
    elif not sampling.rate:
        how = "sampled before sampling was turned off"
    scale = "scaled to all" if sampling.scaled else "as sampled, not scaled"
    page.paragraph((f"{how}; {scale}", "dim"), indent=_INDENT)
    always = sampling.rate > 0 and not sampling.for_seconds
    span = "since the start" if always else "while it was sampled"
    now = sampling.now_objects, sampling.now_bytes
    lines = [
        ("in use by the last collection", sampling.inuse_objects, sampling.inuse_bytes),
        ("in use by now", *now),
        ("counted by goprobe", census.objects, census.bytes),
        (f"allocated {span}", sampling.alloc_objects, sampling.alloc_bytes),
    ]
    if sampling.for_seconds:  # all figures are of that time, up to now
        lines = [lines[-1], ("of that in use by now", *now), lines[2]]
    for what, objects, amount in lines:
        page.paragraph(
            f"{what}: {words.counted(objects, 'object')}, {words.size(amount)}", indent=_INDENT
        )


def _site(page: Page, site: Site, *, timed: bool) -> None:
    """`timed`: by what was allocated in the time for which it was sampled, and what of it is in use
    at this moment, as no collection had the time to publish that."""
    amount = site.alloc_bytes if timed else max(site.inuse_bytes, 0)
    objects = site.alloc_objects if timed else site.inuse_objects
    told = f" in {words.counted(objects, 'object')}"
    if timed:
        told += f", {words.size(max(site.now_bytes, 0))} of it in use"
    elif site.now_bytes != site.inuse_bytes:
        told += f" ({words.size(site.now_bytes)} by now)"
    if site.types:
        told += f" of {page.named(_types(site))}"
    if site.alloc_bytes != site.inuse_bytes and not timed:
        told += f", {words.size(site.alloc_bytes)} allocated"
    told += f", from {stack_of(page, site.stack, site.allocator)}"
    if site.held_by:
        told += f", held by {page.named(_held(site))}"
    if isinstance(site.retained_bytes, int) and isinstance(site.sampled_objects, int):
        sampled = words.counted(site.sampled_objects, "sampled object")
        told += f"; {words.size(site.retained_bytes)} kept by its {sampled}"
    page.paragraph((words.size(amount), "bold"), told, indent=_INDENT, hanging=_HANGING)


def _types(site: Site) -> str:
    names = ["unknown type" if name == "?" else name for name in site.types]
    more = (
        [words.counted(len(names) - _MOST_TYPES, "more type")] if len(names) > _MOST_TYPES else []
    )
    return words.listed([*names[:_MOST_TYPES], *more])


def _held(site: Site) -> str:
    names = list(site.held_by)
    return words.listed([*names[:_MOST_TYPES], *(["others"] if len(names) > _MOST_TYPES else [])])


def stack_of(page: Page, stack: Sequence[SiteFrame], allocator: int) -> str:
    """The innermost functions, and the first of the program's own with its place."""
    return page.named(_stack_of(page, stack, allocator))


def _stack_of(page: Page, stack: Sequence[SiteFrame], allocator: int) -> str:
    frames = [f for f in stack[allocator:] if f.function != "runtime.goexit"] or list(stack)
    if page.options.verbose:
        return " < ".join(map(_named, frames))
    own = next((i for i, f in enumerate(frames) if f.function.startswith("main.")), 0)
    if own < _SHOWN_FRAMES:
        names = [_named(f) if i == own else f.function for i, f in enumerate(frames)]
        last = max(own + 1, min(_SHOWN_FRAMES, len(frames)))
        more = [page.glyphs.cut] if last < len(frames) else []
        return " < ".join([*names[:last], *more])
    return " < ".join([frames[0].function, page.glyphs.cut, _named(frames[own])])


def _named(frame: SiteFrame) -> str:
    if not frame.file:
        return frame.function
    return f"{frame.function} {words.source(frame.file, frame.line, frame.function)}"


def allocation(page: Page, where: Allocation) -> None:
    """Where one object was allocated."""
    if where.why:
        page.paragraph((f"allocated by: not known, {where.why}", "dim"), indent=_INDENT)
        return
    page.paragraph(
        f"allocated by {stack_of(page, where.stack, where.allocator)}",
        indent=_INDENT,
        hanging=_HANGING,
    )
