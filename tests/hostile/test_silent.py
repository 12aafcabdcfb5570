"""What `scripts/fuzz` takes for silent nonsense, and what not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.analysis.heap.heap import HeapQuestions, heap
from goprobe.model.report import Audited
from goprobe.target.live import open_target
from scripts.fuzzing.oracle import SilentError, compare
from tests.support.go import build, running
from tests.support.heap import TESTDATA


def test_a_sum_that_differs_has_to_be_doubted() -> None:
    with running(build(TESTDATA / "zoo.go")) as program:
        target = open_target(program.pid)
        honest, listed = heap(target, HeapQuestions()), goroutines(target)
    compare(honest, honest)
    compare(listed, listed)
    fewer = replace(honest, census=replace(honest.census, objects=honest.census.objects - 1))
    with pytest.raises(SilentError, match=r"^objects: \d+ in place of \d+$") as caught:
        compare(honest, fewer)
    assert caught.value.names == "objects"
    compare(honest, replace(fewer, warnings=(*honest.warnings, "something")))
    compare(honest, replace(fewer, self_check=replace(honest.self_check, unreadable_spans=1)))
    compare(honest, replace(fewer, audit=(Audited(check="sums", holds=False, says="no"),)))
    with pytest.raises(SilentError):
        compare(listed, replace(listed, goroutines=listed.goroutines[1:]))
    compare(listed, replace(listed, goroutines=listed.goroutines[1:], dead=listed.dead + 1))
