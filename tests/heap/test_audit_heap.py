"""The checks of `goprobe heap`, broken on purpose: in the target's memory, or in the report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from goprobe.analysis.heap.audit import HeapFacts, audit_heap
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.model.heap import HeapReport
from goprobe.runtime.heap.bookkeeping import Bookkeeping, disagreements
from goprobe.runtime.heap.census import Census
from goprobe.runtime.heap.heap import Heap, Span
from goprobe.target.live import Target, open_target, stopped_target
from tests.support.cli import goprobe
from tests.support.go import Running, build, matrix, running
from tests.support.heap import TESTDATA

STRIPPED = "-ldflags=-s -w"
BUILDS = [(go, flags) for go in matrix() for flags in ((), (STRIPPED,))]


@pytest.fixture(scope="module", params=BUILDS, ids=lambda p: f"{p[0]} {'stripped' * bool(p[1])}")
def standing(request: pytest.FixtureRequest) -> Iterator[tuple[Running, Target]]:
    go, flags = request.param
    with running(build(TESTDATA / "standing.go", go=go, flags=flags)) as program:
        yield program, open_target(program.pid)


@contextmanager
def scribbled(pid: int, address: int, value: int, size: int = 8) -> Iterator[None]:
    """Other bytes in the memory of a program that stands still, for a while."""
    file = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    try:
        before = os.pread(file, size, address)
        os.pwrite(file, value.to_bytes(size, "little"), address)
        try:
            yield
        finally:
            os.pwrite(file, before, address)
    finally:
        os.close(file)


def census_of(target: Target) -> Census:
    books = Bookkeeping.of(target.layout, target.program.facts.roots, target.bias)
    with stopped_target(target) as stopped:
        return books.count(books.copy(stopped.memory))


def failed(report: HeapReport) -> set[str]:
    return {entry.check for entry in report.contradictions}


def spans_of(target: Target) -> list[Span]:
    heap_ = Heap(target.reader(), target.layout, target.root("mheap_"))
    return [s for s in heap_.all_spans() if heap_.in_use(s)]


def test_the_runtime_own_sums_are_those_of_the_census(standing: tuple[Running, Target]) -> None:
    program, target = standing
    census = census_of(target)
    assert census.totals.span_bytes == census.span_bytes == int(program["inuse"])
    if not target.program.stripped:
        assert census.totals.manual_bytes == census.manual_bytes >= int(program["stacks"])
        # The program's threads hold spans of which they have not told yet.
        assert 0 < census.totals.objects <= census.objects == int(program["objects"])
    assert not list(disagreements(census))


@pytest.mark.contradictory
def test_a_list_of_no_spans_is_no_empty_heap(standing: tuple[Running, Target]) -> None:
    program, target = standing
    at = target.root("mheap_") + target.layout.offset("mheap", "allspans") + 8
    with scribbled(program.pid, at, 0):
        ran = goprobe("heap", str(program.pid), contradictory=True)
        report = heap(target, HeapQuestions())
    assert report.census.objects == 0 and failed(report) == {"totals_agree"}
    assert not heap(target, HeapQuestions()).contradictions
    if target.program.stripped:  # the heap is found by its spans
        assert "runtime.mheap_ was not found" in ran.err
        return
    assert ran.code == 0
    assert "This report contradicts itself: 0 bytes of spans in use were found" in ran.text
    assert "✓" not in ran.text


@pytest.mark.contradictory
@pytest.mark.parametrize("pages", [1 << 10, 1 << 20, 1 << 31])
def test_a_span_of_absurd_length_takes_no_others_away(
    standing: tuple[Running, Target], pages: int
) -> None:
    program, target = standing
    whole = census_of(target)
    span = next(s for s in spans_of(target) if s.size_class)
    with scribbled(program.pid, span.address + target.layout.offset("mspan", "npages"), pages):
        census = census_of(target)
        report = heap(target, HeapQuestions())
    assert census.unreadable == (span.address,)
    assert whole.objects - span.nelems <= census.objects < whole.objects
    assert census.span_bytes == whole.span_bytes - span.size
    assert failed(report) == {"spans_agree", "totals_agree"}


@pytest.mark.contradictory
def test_a_stack_of_absurd_length_takes_no_objects_away(standing: tuple[Running, Target]) -> None:
    program, target = standing
    whole = census_of(target)
    books = Heap(target.reader(), target.layout, target.root("mheap_"))
    stack = next(s for s in books.all_spans() if books.is_manual(s))
    offset = target.layout.offset("mspan", "npages")
    with scribbled(program.pid, stack.address + offset, 1 << 31):
        census = census_of(target)
    assert (census.objects, census.span_bytes) == (whole.objects, whole.span_bytes)
    assert census.manual_bytes < whole.manual_bytes
    if not target.program.stripped:
        assert any("stacks and such" in told for told in disagreements(census))


@pytest.mark.contradictory
def test_one_object_more_than_counted_is_told(standing: tuple[Running, Target]) -> None:
    program, target = standing
    span = next(s for s in spans_of(target) if s.size_class and s.alloc_count < s.nelems - 8)
    at = span.address + target.layout.offset("mspan", "allocCount")
    with scribbled(program.pid, at, span.alloc_count + 8, 2):
        report = heap(target, HeapQuestions())
    assert "spans_agree" in failed(report)


# Reports altered by hand


@pytest.fixture(scope="module")
def whole() -> tuple[HeapReport, Census]:
    with running(build(TESTDATA / "zoo.go")) as program:
        target = open_target(program.pid)
        questions = HeapQuestions(types=True, retained=True, unreachable=True)
        return heap(target, questions, profile=True), census_of(target)


def altered(report: HeapReport, path: str, more: int) -> HeapReport:
    """The report with a number in it changed: "census.classes.0.objects"."""

    def change(value: Any, steps: list[str]) -> Any:
        if not steps:
            return value + more
        name, rest = steps[0], steps[1:]
        if isinstance(value, tuple):
            i = int(name)
            return (*value[:i], change(value[i], rest), *value[i + 1 :])
        return replace(value, **{name: change(getattr(value, name), rest)})

    changed = change(report, path.split("."))
    assert isinstance(changed, HeapReport)
    return changed


@pytest.mark.contradictory
@pytest.mark.parametrize(
    ("path", "more", "check"),
    [
        ("census.objects", 1, "classes_add_up"),
        ("census.bytes", -8, "classes_add_up"),
        ("census.free_bytes", 8, "classes_add_up"),
        ("census.span_bytes", 8192, "classes_add_up"),
        ("census.spans.in_use", 1, "classes_add_up"),
        ("census.classes.0.objects", 1, "classes_add_up"),
        ("census.classes.0.objects", 1 << 40, "classes_have_room"),
        ("census.classes.0.bytes", 8, "classes_have_room"),
        ("graph.reachable", 1, "every_object_once"),
        ("graph.unreachable_bytes", 16, "every_object_once"),
        ("types.0.objects", 1, "every_object_typed_once"),
        ("types.0.bytes", 16, "every_object_typed_once"),
        ("untyped.0.objects", -1, "every_object_typed_once"),
        ("types.0.retained_bytes", 1 << 40, "retained_fits"),
        ("types.0.retained_bytes", -(1 << 40), "retained_fits"),
        ("roots.0.retained_bytes", 1 << 40, "retained_fits"),
        ("graph.unreachable", 1, "garbage_adds_up"),
        ("samples.0.bytes", 8, "samples_add_up"),
    ],
)
def test_a_number_that_is_off_is_told(
    whole: tuple[HeapReport, Census], path: str, more: int, check: str
) -> None:
    report, census = whole
    assert all(entry.holds for entry in audit_heap(HeapFacts(report, census)))
    bad = audit_heap(HeapFacts(altered(report, path, more), census))
    assert check in {entry.check for entry in bad if not entry.holds}


def test_every_question_is_held_to_account(whole: tuple[HeapReport, Census]) -> None:
    report, _ = whole
    assert report.audit and all(entry.holds for entry in report.audit)
    assert {entry.check for entry in report.audit} >= {"totals_agree", "retained_fits"}


def test_a_part_of_the_heap_is_not_held_against_all_of_it(tmp_path: Path) -> None:
    with running(build(TESTDATA / "zoo.go")) as program:
        report = heap(open_target(program.pid), HeapQuestions(types=True, sample=True))
    assert report.audit and not report.contradictions
