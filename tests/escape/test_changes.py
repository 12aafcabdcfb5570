"""What two reports have in common, and what fails: reports of our own, apart from any run."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from goprobe.analysis.escape.changes import compared
from goprobe.analysis.escape.policy import policy
from goprobe.analysis.escape.repeated import together
from goprobe.errors import UsageError
from goprobe.model.escape import BenchmarkRun, Change, ChangeKind, EscapeReport, Verdict
from goprobe.report.changewords import told
from tests.report.escapes import escapes, site

RULES = policy("new-heap,more-allocations=5%")


def changes(old: EscapeReport, new: EscapeReport) -> dict[str, Change]:
    made = compared(old, new, "old.json", RULES).changes
    return {change.expression: change for change in made}


def counted(objects: int, expression: str = "x", line: int = 1) -> EscapeReport:
    verdict = Verdict.CONFIRMED_HEAP if objects else Verdict.NOT_REACHED
    bare = site(verdict, expression=expression, line=line)
    return escapes(replace(bare, calls=(), allocations=objects, bytes=8 * objects))


@pytest.mark.parametrize(
    ("before", "after", "kind", "fails"),
    [
        (100, 104, ChangeKind.MORE, False),
        (100, 106, ChangeKind.MORE, True),
        (100, 90, ChangeKind.FEWER, False),
        (0, 1, ChangeKind.MORE, True),
        (1, 0, ChangeKind.FEWER, False),
    ],
)
def test_a_place_that_allocates_more_or_less(
    before: int, after: int, kind: ChangeKind, fails: bool
) -> None:
    change = changes(counted(before), counted(after, line=50))["x"]
    assert (change.kind, change.fails) == (kind, fails)
    assert not changes(counted(before), counted(before, line=7))


def test_one_less_of_several_alike_is_gone_and_none_has_grown() -> None:
    two = replace(counted(5), sites=(*counted(5).sites, *counted(1, line=9).sites))
    made = compared(two, counted(5, line=9), "old.json", RULES).changes
    assert [(c.kind, c.fails) for c in made] == [(ChangeKind.GONE, False)]
    made = compared(counted(5), two, "old.json", RULES).changes
    assert [(c.kind, c.line) for c in made] == [(ChangeKind.NEW, 9)]


@pytest.mark.parametrize(
    ("place", "expression", "objects", "kinds"),
    [
        ("p/file.go p.Renamed", "x", 5, []),  # or taken out of it
        ("p/file.go p.F", "y", 5, []),  # written otherwise
        ("q/file.go q.F", "x", 5, [ChangeKind.NEW]),
        ("p/file.go p.Renamed", "y", 5, [ChangeKind.NEW, ChangeKind.GONE]),
        ("p/file.go p.Renamed", "x", 6, [ChangeKind.NEW, ChangeKind.GONE]),
    ],
)
def test_what_makes_the_same_elsewhere_in_its_package_is_the_same(
    place: str, expression: str, objects: int, kinds: list[ChangeKind]
) -> None:
    def at(place: str, report: EscapeReport) -> EscapeReport:
        file, function = place.split()
        return replace(report, sites=(replace(report.sites[0], file=file, function=function),))

    before, after = at("p/f.go p.F", counted(5)), at(place, counted(objects, expression))
    made = compared(before, after, "old.json", RULES)
    assert [c.kind for c in made.changes] == kinds
    # What was not looked at this time is not gone.
    assert [d.split()[0] for d in made.doubts] == (["p"] if place.startswith("q") else [])


def test_what_had_not_run_was_not_on_the_stack() -> None:
    bare = counted(0).sites[0]
    before = escapes(replace(bare, prediction="stack", outcomes=()))
    assert changes(before, counted(5))["x"].kind is ChangeKind.MORE


def test_what_varies_from_run_to_run_is_no_change() -> None:
    many = together([counted(90), counted(110), counted(100)])
    assert (many.sites[0].least, many.sites[0].most, many.runs) == (90, 110, 3)
    assert not changes(many, together([counted(105), counted(112)]))
    assert changes(many, together([counted(120), counted(125)]))["x"].kind is ChangeKind.MORE


@pytest.mark.parametrize("expression", ["assignment to map[int]int", "record of the runtime's own"])
def test_what_chance_has_a_part_in_fails_only_where_several_runs_tell(expression: str) -> None:
    grown = changes(counted(10, expression), counted(20, expression))[expression]
    assert (grown.by_chance, grown.fails) == (True, False)
    several = [together([counted(n, expression)] * 2) for n in (10, 20)]
    grown = changes(*several)[expression]
    assert (grown.by_chance, grown.fails) == (False, True)


@pytest.mark.parametrize(
    ("expression", "before", "after", "by_chance"),
    [
        ("assignment to map[int]int", 0, 2000, False),  # a lost size hint
        ("assignment to map[int]int", 0, 5, True),
        ("assignment to map[int]int", 1000, 1900, True),
        ("record of the runtime's own", 0, 2000, True),
    ],
)
def test_what_chance_cannot_make_is_none(
    expression: str, before: int, after: int, by_chance: bool
) -> None:
    change = changes(counted(before, expression), counted(after, expression))[expression]
    assert (change.by_chance, change.fails) == (by_chance, not by_chance)


@pytest.mark.parametrize("function", ["newIndirectNode[...]", "newEntryNode[...]"])
def test_nodes_of_maps_of_hashes_come_by_chance(function: str) -> None:
    def nodes(objects: int) -> EscapeReport:
        report = counted(objects)
        own = replace(report.sites[0], function=f"internal/sync.{function}")
        return replace(report, sites=(own,))

    change = changes(nodes(5), nodes(8))["x"]
    assert change.by_chance is function.startswith("newIndirect")


def test_counts_are_told_by_the_operation_where_one_benchmark_ran() -> None:
    def done(report: EscapeReport, *operations: int) -> EscapeReport:
        runs = tuple(BenchmarkRun(f"BenchmarkB{n}", many) for n, many in enumerate(operations))
        return replace(report, benchmarks=runs)

    old, new = counted(1010), counted(101_040)
    change = changes(done(old, 101), done(new, 101))["x"]
    assert told(change).startswith("101,040 allocations (789 KiB; 1,000 a benchmark operation), ")
    assert "1,010 (10 an operation) before" in told(change)
    several = changes(done(old, 101), done(new, 101, 101))["x"]
    assert "benchmark" not in told(several) and "(10 an operation)" in told(several)
    other = compared(done(old, 50), done(new, 101), "old.json", RULES)
    assert other.doubts == ("the benchmark did 50 operations in the older run, 101 in the newer",)


def test_what_is_inlined_in_the_same_words_counts_where_it_stands() -> None:
    """Two allocations of a function, told as one site where it was inlined."""
    whole = counted(30).sites[0]
    (call,) = site().calls
    calls = tuple(
        replace(call, file="b.go", line=line, function="m.make", allocations=n, bytes=8 * n)
        for line, n in ((8, 10), (9, 20))
    )
    old = escapes(replace(whole, calls=calls[:1], allocations=10, bytes=80))
    ((kind, line, objects),) = {
        (c.kind, c.line, c.allocations)
        for c in compared(old, escapes(replace(whole, calls=calls)), "", RULES).changes
    }
    assert (kind, line, objects) == (ChangeKind.NEW, 9, 20)


def test_reports_that_are_not_of_one_kind() -> None:
    with pytest.raises(UsageError, match="--static"):
        changes(replace(counted(1), ran=False), counted(1))
