"""A statement is one hit, however many instructions it takes; one that changes nothing is none."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

import goprobe
from goprobe import WatchNews
from tests.support import go

WRITES = Path(__file__).parents[2] / "testdata" / "sessions" / "wholewrites.go"


@pytest.fixture(params=go.matrix(), scope="module")
def binary(request: pytest.FixtureRequest) -> str:
    return str(go.build(WRITES, go=request.param, flags=("-gcflags=all=-N -l",)))


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("Name", [("one", "three"), ("three", "seven")]),  # of one length: one word is the same
        ("Err", [(None, {"s": "wrong"})]),
        ("Z", [(0j, 1 + 2j)]),
        ("List", [(None, [1, 2]), ([1, 2], [1])]),
    ],
)
def test_all_words_of_a_header_are_one_hit(binary: str, field: str, told: list[Any]) -> None:
    beyond = pytest.warns(goprobe.StopWarning, match="from here on")
    with goprobe.launch(binary, stdout=2) as program, beyond if field == "List" else nullcontext():
        stop = next(program.run("main.here"))
        watch = stop.watch(f"t.{field}")
        hits = []
        for hit in watch:
            hits.append((hit.old, hit.new))
            assert hit.writer is not None and hit.writer.function == "main.main"
            assert hit.stop.watched in watch.numbers
    assert hits == told


def test_one_write_to_what_two_watches_watch(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stop = next(program.run("main.here"))
        program.clear("main.here")
        one, whole = stop.watch("t.Name"), stop.watch(stop["t"].Name)
        told = [hit.watched for hit in program.run() if hit.news is WatchNews.WRITE]
    assert told == [*whole.numbers, *one.numbers] * 2


def test_a_watch_ends_with_the_frame(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stop = list(islice(program.run("main.here"), 3))[-1].finish()
        assert stop is not None and stop.function == "main.framed"
        hits = [(int(hit.old), int(hit.new)) for hit in stop.watch("local")]
        assert program.exit is None and hits == [(1, 11)]  # the next call's is another one
        assert program.stop is not None and "main.framed has returned" in program.stop.reason


def test_a_write_that_changes_nothing_is_no_hit(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stop = next(program.run("main.keys"))
        hits = [(int(hit.old), int(hit.new)) for hit in stop.watch(program["main.given"])]
    assert hits == [(i, i + 1) for i in range(19)]


def test_an_instruction_that_writes_to_several_watchpoints(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        next(program.run("main.main"))
        told = []
        for hit in program.stop.watch(program["main.whole"].Arr) if program.stop else ():
            assert hit.writer is not None
            told.append((hit.writer.function, hit.old[0], hit.new[0]))
    changes = [each for each in told if each[1] != each[2]]  # a zeroing may take several
    assert changes == [c for n in (1, 2, 3) for c in (("main.set", 0, n), ("main.zero", n, 0))]


def test_numbers_compute_as_in_python(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stop = list(islice(program.run("main.here"), 3))[-1].finish()
        assert stop is not None
        for local in (stop["local"], stop.frame(0)["local"]):
            assert local + 1 == 2 and 3 - local == 2 and local / 2 == 0.5 and -local == -1
            assert local + local == 2 and f"{local:03d}|{local}" == "001|1"
            for wrong in (lambda it: it + "x", lambda it: it + None, len, list):
                with pytest.raises(TypeError):
                    wrong(local)


def test_a_stack_that_is_not_told_whole_says_so(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stop = next(program.run("main.spin"))
        assert stop.report.frames_end is UNSET and stop.frames[1].function == "main.main"
        stop = next(program.run("main.spin", when="n == 0"))
        assert len(stop.frames) == 256 and "there are more" in str(stop.report.frames_end)
        with pytest.raises(goprobe.NoSuchElementError, match="there are more"):
            stop.frame(256)


def test_keys_of_several_parts_and_truth_as_python_has_it(binary: str) -> None:
    with goprobe.launch(binary, stdout=2) as program:
        stop = next(program.run("main.keys"))
        points, pairs = stop["byPoint"], stop["byPair"]
        assert points.py == {(1, 2): "a", (3, 4): "b"} and pairs.py == {(5, 6): True}
        assert {key.X + key.Y for key in points} == {3, 7}
        assert points[3, 4] == "b" and pairs[[5, 6]] and (6, 5) not in pairs
        assert stop["raw"] == b"raw" and stop["raw"] != b"war"
        addresses = stop["byAddress"]
        assert sorted(addresses.py.values()) == ["a", "b"]  # they point at equal numbers
        assert {addresses[at].py for at in addresses} == {"a", "b"}
        assert stop["mixed"]["1"] == 3 and stop["mixed"][None] == 4
        for ask in (lambda: stop["mixed"].py, lambda: stop["mixed"][1]):
            with pytest.raises(goprobe.UsageError, match="go through"):
                ask()
        assert points and not stop["none"] and not program["main.given"]
