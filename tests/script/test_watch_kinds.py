"""What is watched is what was named: its size, its place as it moves, each who writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import goprobe
from tests.support import go

WRITES = Path(__file__).parents[2] / "testdata" / "sessions" / "writes.go"


@pytest.fixture(params=go.matrix(), scope="module")
def binary(request: pytest.FixtureRequest) -> str:
    return str(go.build(WRITES, go=request.param, flags=("-gcflags=all=-N -l",)))


def at_first(program: goprobe.Program, where: str) -> tuple[Iterator[goprobe.Stop], goprobe.Stop]:
    stops = program.run([where])
    return stops, next(stops)


def test_an_element_and_not_its_neighbour(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stops, stop = at_first(program, "main.here")
        watch = stop.watch(stop["bytes"][0])
        assert watch.size == 1
        hit = next(stops)
        assert hit.watched in watch.numbers and hit["bytes"].py == [2, 1, *[0] * 6]
        assert next(stops).where == "main.here"


@pytest.mark.parametrize("how", ["value", "name", "report"])
def test_a_field_and_not_its_neighbour(binary: str, how: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stops, stop = at_first(program, "main.here")
        a = stop["p"].A
        ways: dict[str, Any] = {"value": a, "name": "p.A", "report": a.part}
        watch = stop.watch(ways[how])
        assert watch.size == 4
        hit = next(stops)
        assert hit.watched in watch.numbers and hit.frame(0)["p"].A == 6
        assert next(stops).where == "main.here"


def test_a_string(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stops, stop = at_first(program, "main.here")
        stop.watch("p.Name")
        names = []
        for hit in stops:
            if hit.where:
                break
            assert "words of its header" not in hit.reason
            names.append(hit["p"].Name.py)
    assert names == ["other"]  # its length and its pointer, which two instructions write


def test_a_slice_with_its_elements(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stops, stop = at_first(program, "main.here")
        stop.watch("p.List")
        reasons, lists = [], []
        with pytest.warns(goprobe.StopWarning, match="from here on.* compared at each stop"):
            for hit in stops:  # from append on there is more than the processor can watch
                reasons.append(hit.reason)
                if hit.where:
                    break
                lists.append(hit["p"].List.text)  # of a header half written, too
    assert lists[0] == "[1 2 3 9]" and "leads to" in reasons[0]
    assert "[1 2 3 9 5]" in lists
    assert "breakpoint main.here" in reasons  # where the write to List[4] shows at the latest


def test_what_does_not_fit_the_processor_is_said(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        _, stop = at_first(program, "main.here")
        stop.watch(stop["bytes"][0])
        with pytest.warns(goprobe.StopWarning, match="compared at each stop"):
            stop.watch("p.List")


def test_the_address_moves_with_the_stack(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stops, stop = at_first(program, "main.begin")
        local = stop.frame(1)["local"]
        watch = stop.watch(local)
        before = watch.address
        assert before == local.address
        told = []
        for hit in stops:
            if hit.where:
                break
            if hit.watched and "over" not in hit.reason:
                told.append(int.from_bytes(hit.read(watch.address, 8), "little"))
        assert watch.address != before
    assert told[0] == 7 and told[-2:] == [8, 9]


def test_each_of_two_writers_in_one_instant(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stops, _ = at_first(program, "main.begin")
        stop = next(stops)
        program.clear("main.begin")
        watch = stop.watch(program["main.together"])
        writers: dict[int, int] = {}
        for hit in stops:
            assert hit.watched in watch.numbers
            writers[hit.goroutine] = writers.get(hit.goroutine, 0) + 1
        assert program.exit is not None and program.exit.code == 0
    assert sorted(writers.values()) == [12, 12], writers


def test_each_write_of_many_threads_is_told_once() -> None:
    source = WRITES.with_name("writers.go")
    binary = str(go.build(source, go=go.matrix()[-1], flags=("-gcflags=all=-N -l",)))
    with goprobe.launch(binary, stdout=2) as program:
        watch = next(program.run(["main.begin"])).watch(program["main.word"])
        value, writes = 0, Counter[int]()
        for hit in watch:
            assert hit.old == value and hit.writer and hit.writer.function.startswith("main.main.")
            together = hit.stop.reason.endswith("in the same instant")
            assert hit.new >= value if together else hit.new > value, hit
            value = hit.new
            writes[hit.goroutine] += 1
        assert program.exit is not None and program.exit.code == 0
    assert value == 60 and sorted(writes.values()) == [10] * 6
