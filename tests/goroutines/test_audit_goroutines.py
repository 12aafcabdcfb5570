"""The checks of `goprobe goroutines`, each broken on purpose; and the head of every report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from goprobe.analysis.audit import check, finished, together
from goprobe.analysis.goroutines.audit import audit_goroutines
from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.model.address import Address
from goprobe.model.attached import GoroutinesReport, GoroutineState, StackUse
from goprobe.model.report import Audited, Report, Tool
from goprobe.report import RenderOptions, formats, render
from goprobe.target.live import open_target
from tests.report.pages import PAGES
from tests.report.screen import lines
from tests.support.go import build, matrix, running

TARGETS = Path(__file__).parents[2] / "testdata" / "targets"


@pytest.fixture(scope="module", params=matrix())
def report(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> GoroutinesReport:
    binary = build(TARGETS / "goroutines.go", go=request.param)
    file = tmp_path_factory.mktemp("goroutines") / "file"
    with running(binary, "50", str(file)) as program:
        return goroutines(open_target(program.pid), stacks=True)


def failed(report: GoroutinesReport) -> set[str]:
    return {entry.check for entry in audit_goroutines(report) if not entry.holds}


def with_one(report: GoroutinesReport, changed: GoroutineState, at: int = 0) -> GoroutinesReport:
    every = report.goroutines
    return replace(report, goroutines=(*every[:at], changed, *every[at + 1 :]))


def test_what_is_told_holds(report: GoroutinesReport) -> None:
    assert report.audit and not report.contradictions and report.groups


@pytest.mark.contradictory
def test_stacks_that_cannot_be_are_told(report: GoroutinesReport) -> None:
    first, second = report.goroutines[:2]
    own, other = first.stack, second.stack
    assert failed(with_one(report, replace(first, stack=other))) == {"stacks_apart"}
    low = StackUse(Address(other.high - 8), Address(other.high + 8), 8)
    assert failed(with_one(report, replace(first, stack=low))) == {"stacks_apart"}
    upside = StackUse(own.high, own.low, own.used)
    assert "stacks_apart" in failed(with_one(report, replace(first, stack=upside)))
    for used in (0, own.high - own.low + 1):
        away = replace(first, stack=StackUse(own.low, own.high, used))
        assert failed(with_one(report, away)) == {"stacks_hold_sp"}


@pytest.mark.contradictory
def test_one_goroutine_or_thread_twice_is_told(report: GoroutinesReport) -> None:
    first, second = report.goroutines[:2]
    assert "one_each" in failed(with_one(report, replace(first, id=second.id)))
    threads = with_one(report, replace(first, thread=4711))
    both = with_one(threads, replace(second, thread=4711), at=1)
    assert failed(both) == {"one_each"} and not failed(threads)


@pytest.mark.contradictory
def test_groups_that_leave_some_out_are_told(report: GoroutinesReport) -> None:
    group = report.groups[0]
    fewer = replace(group, ids=group.ids[1:], count=group.count - 1)
    assert failed(replace(report, groups=(fewer, *report.groups[1:]))) == {"groups_add_up"}
    more = replace(group, count=group.count + 1)
    assert failed(replace(report, groups=(more, *report.groups[1:]))) == {"groups_add_up"}


# What all reports share


@pytest.mark.parametrize("name", PAGES)
def test_a_contradiction_is_told_in_every_format(name: str) -> None:
    fault = Audited("sums", holds=False, says="two and two <are> 5")
    fine = Audited("others", holds=True, says="all is well")
    plain = PAGES[name]()
    assert isinstance(plain, Report)
    made = replace(plain, audit=(fine, fault))
    text = "\n".join(lines(render(made, "text", RenderOptions())))
    assert "This report contradicts itself: two and two <are> 5" in text
    assert "all is well" not in text
    page = render(made, "html", RenderOptions()).decode()
    assert "contradicts itself:</b> two and two &lt;are&gt; 5" in page
    assert {"json", "text", "html"} <= set(formats(type(made)))
    quiet = replace(made, audit=(fine,))
    assert b"ontradicts" not in render(quiet, "text", RenderOptions())


def test_a_finished_report_says_who_made_it_when_and_where() -> None:
    made = finished(GoroutinesReport(pid=7, go=Tool("1.27.3"), pause_us=1, goroutines=()), ())
    assert made.goprobe and made.host
    when = datetime.fromisoformat(made.time)
    assert timedelta() <= datetime.now(when.tzinfo) - when < timedelta(seconds=60)
    keys = list(made.__struct_fields__)[:6]
    assert keys == ["schema", "goprobe", "time", "host", "pid", "go"]


@pytest.mark.contradictory
def test_a_check_is_a_claim_and_what_contradicts_it() -> None:
    @check("no number is odd")
    def even(numbers: list[int]) -> Iterator[str]:
        yield from (f"{n} is odd" for n in numbers if n % 2)

    assert even.of([2, 4]) == Audited("even", holds=True, says="no number is odd")
    assert even.of([3]) == Audited("even", holds=False, says="3 is odd")
    told = even.of(list(range(10))).says
    assert told == "1 is odd; 3 is odd; 5 is odd; and 2 more"


@pytest.mark.contradictory
def test_checks_of_several_things_are_one_entry_each() -> None:
    fine = Audited("a", holds=True, says="claim of a")
    bad = [Audited("a", holds=False, says=f"fault {n}") for n in range(6)]
    other = Audited("b", holds=True, says="claim of b")
    assert together([[fine, other], [fine]]) == (fine, other)
    (first, second) = together([[fine, other], [bad[0]], [fine], bad[1:]])
    assert second == other
    assert first.says == "fault 0; fault 1; fault 2; and 3 more" and not first.holds
