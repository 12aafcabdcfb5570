"""What two reports have in common, and what fails: reports of our own, apart from any run."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from goprobe.analysis.escape.changes import compared
from goprobe.analysis.escape.policy import policy
from goprobe.analysis.escape.repeated import together
from goprobe.errors import UsageError
from goprobe.model.escape import Change, ChangeKind, EscapeReport, Verdict
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


def test_reports_that_are_not_of_one_kind() -> None:
    with pytest.raises(UsageError, match="--static"):
        changes(replace(counted(1), ran=False), counted(1))
