"""Watches of any length and place, with the processor's own watchpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import goprobe
from goprobe.errors import UsageError
from tests.support import go

PROGRAM = """package main

import "unsafe"

var area [64]byte

//go:noinline
func poke(at, value int) { area[at] = byte(value) }

//go:noinline
func here(p *int, b *byte) uintptr { return uintptr(unsafe.Pointer(p)) }

//go:noinline
func deep(n int, p *int) int {
	var pad [1024]int
	pad[n] = n
	if n == 0 {
		*p += 1
		return pad[0]
	}
	return deep(n-1, p) + pad[n]
}

//go:noinline
func short() int {
	var local int
	here(&local, &area[0])
	local = 5
	return local
}

func main() {
	x := 7
	here(&x, &area[0])
	for i := range area {
		poke(i, i+1)
	}
	poke(3, 4)
	deep(12, &x)
	x = 100
	short()
	deep(8, &x)
	println(x)
}
"""


@pytest.fixture(params=go.matrix(), scope="module")
def binary(request: pytest.FixtureRequest) -> str:
    return str(go.build(PROGRAM, go=request.param, flags=("-gcflags=all=-N -l",)))


@contextmanager
def at_first(binary: str) -> Iterator[tuple[goprobe.Program, Iterator[goprobe.Stop], goprobe.Stop]]:
    """The program where it first calls main.here, which is not broken at any more."""
    with goprobe.launch(binary) as program:
        stops = program.run(["main.here"])
        stop = next(stops)
        yield program, stops, stop


def number(stop: goprobe.Stop, name: str) -> int:
    return int(stop[name].value.text, 0)


def test_only_the_bytes_themselves(binary: str) -> None:
    with at_first(binary) as (program, stops, stop):
        program.clear("main.here")
        base = number(stop, "b")
        watch = stop.watch(base + 6, 5)  # over the border of two words, with neighbours in both
        seen = []
        for hit in stops:
            assert hit.watched in watch.numbers
            assert hit.reason == f"a write to {base + 6:#x}"
            assert hit.function == "main.poke"
            seen.append(hit.read(base + 6, 5).hex())
    assert seen == ["0700000000", "0708000000", "0708090000", "0708090a00", "0708090a0b"]


def test_as_much_as_the_hardware_has(binary: str) -> None:
    with at_first(binary) as (program, stops, stop):
        program.clear("main.here")
        base = number(stop, "b") & ~7
        for size in (33, 4096, 1 << 40, -1):
            with pytest.raises(UsageError):
                stop.watch(base, size)
        with pytest.raises(UsageError, match="5 hardware watchpoints; 4 of"):
            stop.watch(base + 1, 32)
        whole = stop.watch(base, 32)
        inside = stop.watch(base + 9, 2)  # shares a word
        with pytest.raises(UsageError, match="1 hardware watchpoint; 0 of"):
            stop.watch(base + 32, 1)
        whole.cancel()
        whole.cancel()
        stop.watch(base + 32, 8)
        watched = [(hit.watched, number(hit, "at")) for hit in stops]
    assert [at for _, at in watched] == [9, 10, *range(32, 40)]
    assert watched[0][0] in inside.numbers


@pytest.mark.parametrize("address", [0, 16, 1 << 46, (1 << 64) - 8, 1 << 70, -8])
def test_where_nothing_is_mapped(binary: str, address: int) -> None:
    with at_first(binary) as (_, _, stop), pytest.raises(UsageError, match="nothing is mapped"):
        stop.watch(address, 8)


def test_a_stack_that_moves_is_followed(binary: str) -> None:
    with at_first(binary) as (program, stops, stop):
        program.clear("main.here")
        x = number(stop, "p")
        watch = stop.watch(x, 8)
        told = []
        for hit in stops:
            assert hit.watched in watch.numbers
            if "moved" in hit.reason:
                assert f"from {x:#x} to " in hit.reason
                x = int(hit.reason.rpartition(" ")[2], 16)
                assert str(hit.locate(x).kind) == "goroutine_stack"
                assert hit.function == "main.deep"
            elif "is over" not in hit.reason:
                assert hit.reason == f"a write to {x:#x}"
            told.append((hit.reason.split()[0], int.from_bytes(hit.read(x, 8), "little")))
        assert program.exit is not None and program.exit.code == 0
    assert told[0] == ("goroutine", 7)
    values = [value for what, value in told if what == "a"]
    assert values == [8, 100, 101]


def test_moves_that_the_script_asks_for_are_told_too(binary: str) -> None:
    with at_first(binary) as (program, _, stop):
        program.clear("main.here")
        both = [stop.watch(number(stop, "p"), 8).numbers[0] for _ in range(2)]
        moves: list[int] = []
        program.on(goprobe.STACK_MOVE)(lambda hit: moves.append(hit.goroutine))
        seen = [(hit.where, hit.watched, hit.news) for hit in program.run() if hit.watched]
        assert program.exit is not None and program.exit.code == 0
    assert len(seen) > 6 and moves
    assert {where for where, _, _ in seen} == {""}
    moved = [watched for _, watched, news in seen if news is goprobe.WatchNews.MOVED]
    assert moved and sorted(moved) == sorted(both * (len(moved) // 2))


def test_a_frame_that_returns_ends_its_watch(binary: str) -> None:
    with at_first(binary) as (program, stops, _):
        stop = next(stops)
        program.clear("main.here")
        watch = stop.watch(number(stop, "p"), 8)
        told = [(hit.watched, hit.reason, hit.function) for hit in stops]
    assert told[0] == (watch.numbers[0], f"a write to {watch.address}", "main.short")
    over = f"the watch at {watch.address} is over: the frame of main.short has returned"
    assert [reason for _, reason, _ in told[1:]] == [over]


def test_stepping_over_a_call_in_which_a_watched_stack_moves(binary: str) -> None:
    with at_first(binary) as (program, _, stop):
        program.clear("main.here")
        x = number(stop, "p")
        line = 1 + PROGRAM.splitlines().index("\tdeep(12, &x)")
        before = stop.until(line) if stop.function == "main.main" else stop.finish()
        assert before is not None
        before = before.until(line)
        assert before is not None and before.line == line
        watch = before.watch(x, 8)
        told, step = [], before
        while step.function != "main.main" or step.line == line:
            following = step.next() if step.function == "main.main" else step.finish()
            assert following is not None
            step = following
            if step.watched:
                told.append(step.reason.split()[0])
                assert step.watched in watch.numbers
        assert step.line == line + 1
    assert told.count("a") == 1
    assert "goroutine" in told
