"""What `scripts/fuzz` takes for silent nonsense, and what not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.model.location import Kind
from goprobe.model.report import Audited
from goprobe.target.live import open_target
from scripts.fuzzing.oracle import SilentError, compare, said_of_files, said_of_memory
from tests.support.go import build, running
from tests.support.heap import TESTDATA


def _of_memory(honest: object, found: object) -> None:
    compare(said_of_memory(honest, symbols=True), said_of_memory(found, symbols=True))


def _of_files(honest: object, found: object, *, symbols: bool = True) -> None:
    compare(said_of_files(honest, symbols=symbols), said_of_files(found, symbols=symbols))


def test_a_sum_that_differs_has_to_be_doubted() -> None:
    with running(build(TESTDATA / "zoo.go")) as program:
        target = open_target(program.pid)
        honest, listed = heap(target, HeapQuestions()), goroutines(target)
    _of_memory(honest, honest)
    _of_memory(listed, listed)
    fewer = replace(honest, census=replace(honest.census, objects=honest.census.objects - 1))
    with pytest.raises(SilentError, match=r"^census: objects: \d+ in place of \d+$") as caught:
        _of_memory(honest, fewer)
    assert caught.value.names == "census"
    _of_memory(honest, replace(fewer, warnings=(*honest.warnings, "something")))
    _of_memory(honest, replace(fewer, self_check=replace(honest.self_check, unreadable_spans=1)))
    _of_memory(honest, replace(fewer, audit=(Audited(check="sums", holds=False, says="no"),)))
    with pytest.raises(SilentError):
        _of_memory(listed, replace(listed, goroutines=listed.goroutines[1:]))
    _of_memory(listed, replace(listed, goroutines=listed.goroutines[1:], dead=listed.dead + 1))


def test_of_a_damaged_file_more_can_be_known() -> None:
    with running(build(TESTDATA / "zoo.go")) as program:
        target = open_target(program.pid)
        listed, mapped = goroutines(target), maps(target)
        located = where(target, [0x401000])
    first, *rest = listed.goroutines
    renamed = replace(listed, goroutines=(replace(first, function="nobody"), *rest))
    with pytest.raises(SilentError, match="functions: 1: nobody in place of"):
        _of_files(listed, renamed)
    _of_files(listed, renamed, symbols=False)  # a byte of a name stands nowhere else
    _of_files(listed, replace(listed, goroutines=(replace(first, function=""), *rest)))
    waiting = [g for g in listed.goroutines if g.wait_reason]
    others = tuple(g for g in listed.goroutines if not g.wait_reason)
    reasons = sorted({g.wait_reason for g in waiting})
    assert len(reasons) > 2
    called = dict(zip(reasons, "XYZABCDEFGH", strict=False))
    words = tuple(replace(g, wait_reason=called[g.wait_reason]) for g in waiting)
    _of_files(listed, replace(listed, goroutines=others + words))  # nor do those stand elsewhere
    wrong = next(reason for reason in reasons if reason != waiting[0].wait_reason)
    mixed = replace(waiting[0], wait_reason=wrong)
    with pytest.raises(SilentError, match="waits"):
        _of_files(listed, replace(listed, goroutines=(*others, mixed, *waiting[1:])))
    elsewhere = replace(first, status="dead")
    with pytest.raises(SilentError, match="states"):
        _of_files(listed, replace(listed, goroutines=(elsewhere, *rest)))
    with pytest.raises(SilentError, match="kinds of memory"):
        moved = tuple(replace(place, kind=Kind.HEAP) for place in located.locations)
        _of_files(located, replace(located, locations=moved))
    with pytest.raises(SilentError, match="map"):
        _of_files(mapped, replace(mapped, map=mapped.map[1:]))
