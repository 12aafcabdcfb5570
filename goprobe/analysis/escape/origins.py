"""Places of the source, each with all its inlined copies: what two reports have in common.

Lines move and inlining changes from build to build. What stays is the function in which a thing is
written, what is written there, and the order of both; so a copy counts for where its source stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from goprobe.analysis.escape.score import described
from goprobe.model.escape import NOTHING, Call, EscapeReport, Site, Verdict
from goprobe.runtime.allocatorcalls import Family

_TYPE_ARGUMENTS = re.compile(r"\[(?:\.\.\.|go\.shape\.).*?\](?=\.|\)|$)")
_LITERAL = re.compile(r"\.(?:func|gowrap|deferwrap)\d+.*|-range\d+.*", re.DOTALL)
_WORD = re.compile(r"make\b|new\b|append\b|&|func literal|map\[|\[\]|assignment|go\b|record\b")

OF_WHO_WAITS = described(Family.BOOKKEEPING, "")
_BY_CHANCE = (described(Family.ASSIGN, ""), OF_WHO_WAITS)
_NODE = re.compile(r"internal/(?:sync|concurrent)\.newIndirectNode\b")

WEIGHT = {v: n for n, v in enumerate((
    Verdict.DEAD, Verdict.NOT_REACHED, Verdict.UNOBSERVED, Verdict.ELIDED, Verdict.NO_COPY,
    Verdict.STATIC, Verdict.SHARED, Verdict.CONFIRMED_STACK, Verdict.DEFERRED_HEAP,
    Verdict.UNPREDICTED, Verdict.CONFIRMED_HEAP, Verdict.SPILLED_TO_HEAP, Verdict.CONTRADICTED,
))}  # fmt: skip
_ON_HEAP = frozenset((Verdict.CONFIRMED_HEAP, Verdict.SPILLED_TO_HEAP, Verdict.UNPREDICTED))
_MAY_RUN = frozenset((Verdict.UNOBSERVED, Verdict.NOT_REACHED))


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the source. `least` and `most` are objects of one run, equal where there was one
    run only; -1 where nothing was run. `heap`: it allocates, or was not run and is said to.
    `chance`: how often it does is not the code's doing alone.
    """

    file: str
    line: int
    function: str
    expression: str
    verdict: Verdict
    allocations: int
    least: int
    most: int
    bytes: int
    heap: bool
    stack: bool
    chance: bool
    flow: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        return plain(self.function), self.expression


def plain(function: str) -> str:
    """A function's name without what a build may number or choose otherwise, that of a literal
    the one of the function around it: up to Go 1.24 nothing tells of the literal."""
    return _LITERAL.sub("", _TYPE_ARGUMENTS.sub("[]", function))


def origins(report: EscapeReport) -> list[Origin]:
    """In the order of the source, function by function."""
    own: dict[tuple[str, int], list[Site]] = {}
    copies: dict[tuple[str, int], list[tuple[str, Site]]] = {}
    for site in report.sites:
        for part in () if site.parameter else _parts(site):
            file, line, function = _stands(part)
            if (file, line) == (site.file, site.line):
                own.setdefault((file, line), []).append(part)
            else:
                copies.setdefault((file, line), []).append((function, part))
    made: list[Origin] = []
    for place in sorted({*own, *copies}):
        made += _of_line(own.get(place, []), copies.get(place, []), place, report.ran)
    return made


_Place = tuple[str, int, str]


def _parts(site: Site) -> Iterable[Site]:
    """A site for each place in which the source of its calls stands: what a function that was
    inlined makes in the same words is one site where it was called. How much a part of it varied
    (--repeat) nobody counted: at most as much as the whole."""
    calls: dict[_Place, list[Call]] = {}
    for call in site.calls:
        calls.setdefault(_place(call), []).append(call)
    if len(calls) < 2:
        return [site]
    return [_part(site, own) for own in calls.values()]


def _part(site: Site, calls: Sequence[Call]) -> Site:
    made = sum(max(call.allocations, 0) for call in calls)
    return replace(
        site,
        calls=tuple(calls),
        allocations=made if site.allocations >= 0 else -1,
        bytes=sum(max(call.bytes, 0) for call in calls) if site.bytes >= 0 else -1,
        least=max(made - (site.allocations - site.least), 0) if site.least >= 0 else -1,
        most=made + site.most - site.allocations if site.most >= 0 else -1,
    )


def _place(call: Call) -> _Place:
    return call.file, call.line, call.function


def _stands(site: Site) -> _Place:
    """Where the source of a site's calls stands, which is one place; its own where it has none."""
    for call in site.calls:
        if call.file and call.line:
            return _place(call)
    return site.file, site.line, site.function


def _of_line(
    own: Sequence[Site], copies: Sequence[tuple[str, Site]], place: tuple[str, int], ran: bool
) -> Iterable[Origin]:
    # What is told at one place in the same words is one thing: a literal of a function that was
    # inlined has code of its own for each copy (main.f.g.func1 is that of main.g.func1).
    one: dict[object, list[Site]] = {}
    for site in own:
        one.setdefault((site.col, site.expression) if site.col else id(site), []).append(site)
    groups = list(one.values())
    names = [min((site.function for site in group), key=len) for group in groups]
    for function, copy in copies:
        at = _same(copy, groups, names, function)
        if at is None:
            groups.append([copy])
            names.append(function)
        else:
            groups[at].append(copy)
            if not _is_copy(names[at], function):
                names[at] = max(names[at], function, key=len)
    for name, sites in zip(names, groups, strict=True):
        yield _folded(name, sites, place, ran)


def _same(
    copy: Site, groups: Sequence[Sequence[Site]], names: Sequence[str], function: str
) -> int | None:
    """The group of the place that a copy is of: of the same words, else of the same kind where
    only one is; constants and the caller's names may stand in a copy's own words."""
    mine = [i for i, name in enumerate(names) if _one(name, function)]
    exact = [i for i in mine if groups[i][0].expression == copy.expression]
    alike = [i for i in mine if _kind(groups[i][0]) == _kind(copy)]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None


def _one(name: str, function: str) -> bool:
    """Of a function without code of its own only the compiler's name is known: the linker's has
    the package before it. A literal of a function that was inlined is called after both."""
    short, full = plain(name), plain(function)
    if short == full or full.endswith(f".{short}"):
        return True
    return _is_copy(name, function)


def _is_copy(name: str, function: str) -> bool:
    """Whether a literal's code is that of a function of this name which was inlined around it:
    main.f.g.func1 of main.g.func1 (closureName, cmd/compile/internal/ir/func.go)."""
    own = plain(name).rpartition("/")[2].partition(".")[2]
    return ".func" in function and bool(own) and plain(function).endswith(f".{own}")


def _kind(site: Site) -> str:
    match = _WORD.match(site.expression)
    return match[0] if match else " + " if " + " in site.expression else ""


def _folded(function: str, sites: Sequence[Site], place: tuple[str, int], ran: bool) -> Origin:
    heaviest = max(sites, key=lambda s: WEIGHT[s.verdict])
    allocations = sum(max(s.allocations, 0) for s in sites) if ran else -1
    said = [s for s in sites if s.prediction == "heap" and s.verdict in _MAY_RUN]
    return Origin(
        file=place[0],
        line=place[1],
        function=function,
        expression=sites[0].expression,
        verdict=heaviest.verdict,
        allocations=allocations,
        least=sum(s.least if s.least >= 0 else max(s.allocations, 0) for s in sites),
        most=sum(s.most if s.most >= 0 else max(s.allocations, 0) for s in sites),
        bytes=sum(max(s.bytes, 0) for s in sites) if ran else -1,
        heap=allocations > 0 if ran else bool(said) or heaviest.verdict in _ON_HEAP,
        stack=any(_on_stack(s) for s in sites if not (ran and s.verdict in _MAY_RUN)),
        chance=all(_by_chance(s) for s in sites),
        flow=heaviest.flow,
    )


def _by_chance(site: Site) -> bool:
    """Whether it is the runtime that allocates, for a map or for who waits (see score.py), or a map
    of hashes does for what has the same bits (newIndirectNode, internal/sync/hashtriemap.go, Go
    1.24 to 1.27, internal/concurrent in 1.23)."""
    made_by = (site.function, *(call.function for call in site.calls))
    return site.expression.startswith(_BY_CHANCE) or any(map(_NODE.match, made_by))


def _on_stack(site: Site) -> bool:
    if site.verdict is Verdict.CONFIRMED_STACK:
        return True
    return site.prediction == "stack" and all(o.kind in (NOTHING, "goroutine_stack")
                                              for o in site.outcomes)  # fmt: skip
