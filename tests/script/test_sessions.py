"""Scripted sessions with real programs under a real GDB."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import goprobe
from goprobe.api.script.live import LiveDriver
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import TargetTimeoutError, UsageError
from goprobe.model.location import Kind
from tests.support.go import build

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "testdata" / "hello.go"
UNOPTIMISED = ("-gcflags=all=-N -l",)

WALK = """package main

type node struct {
	val  int
	next *node
	tag  string
}

var counter int

//go:noinline
func grow(depth int, here *int) int {
	var pad [128]int
	pad[depth%128] = *here
	if depth == 0 {
		return leaf(here)
	}
	return grow(depth-1, here) + pad[depth%128]
}

//go:noinline
func leaf(here *int) int { return *here }

func step(n int) int {
	n += 1
	n += 2
	counter = n
	return n
}

func fail() {
	defer func() { recover() }()
	panic("on purpose")
}

func main() {
	here := 42
	list := &node{1, &node{2, nil, "second"}, "first"}
	leaf(&here)
	grow(100, &here)
	leaf(&here)
	done := make(chan bool)
	go func() { done <- true }()
	<-done
	got := step(list.val)
	fail()
	println(got, list.tag)
}
"""


def binary() -> str:
    return str(build(WALK, flags=UNOPTIMISED))


def hello() -> str:
    return str(build(HELLO, flags=UNOPTIMISED))


def test_the_issue_s_own_example() -> None:
    with goprobe.launch(hello()) as program:
        seen = []
        for stop in program.run(breaks=["main.main", "fmt.Println"]):
            seen.append(stop.where)
            if stop.where == "fmt.Println":
                msg = stop["msg"]
                assert str(msg.location.kind) == "goroutine_stack"
                assert msg.data.location.kind == Kind.RODATA
                assert msg.data.text == "Hello, Go!"
        assert seen == ["main.main", "fmt.Println"]
        assert program.exit is not None
        assert program.exit.code == 0


def test_callbacks_and_conditions() -> None:
    depths: list[str] = []
    with goprobe.launch(binary()) as program:

        @program.on("main.grow", when=lambda s: s["depth"].value.text in ("100", "50", "0"))
        def _(stop: goprobe.Stop) -> None:
            depths.append(stop["depth"].value.text)

        program.run_to_end()
    assert depths == ["100", "50", "0"]


def test_stepping() -> None:
    with goprobe.launch(binary()) as program:
        stop = next(program.run(["main.step"]))
        first = stop.line
        lines = []
        for _ in range(3):
            after = stop.next()
            assert after is not None
            stop = after
            lines.append(stop.line - first)
        assert lines == [1, 2, 3]
        returned = stop.finish()
        assert returned is not None
        assert returned.function == "main.main"


def test_until_a_line() -> None:
    with goprobe.launch(binary()) as program:
        stop = next(program.run(["main.step"]))
        there = stop.until(stop.line + 3)
        assert there is not None
        assert there["n"].value.text == "4"


def test_what_cannot_be_done_leaves_the_stop_as_it_is() -> None:
    with goprobe.launch(binary()) as program:
        stop = next(program.run(["main.step"]))
        with pytest.raises(UsageError, match=r"nothing in the program matches .*main\.go:99999"):
            stop.until(99_999)
        with pytest.raises(UsageError, match="'nowhere' is no address"):
            stop.locate("nowhere")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="None is no address"):
            stop.read(None, 8)  # type: ignore[arg-type]
        assert stop.function == "main.step"
        there = stop.until(stop.line + 3)
        assert there is not None
        assert there["n"].value.text == "4"


def test_events_of_the_runtime() -> None:
    wheres = [goprobe.PANIC, goprobe.STACK_MOVE, goprobe.GOROUTINE]
    with goprobe.launch(binary()) as program:
        seen = [stop.where for stop in program.run(["main.main", *wheres])]
    own = seen[seen.index("main.main") :]
    assert goprobe.STACK_MOVE in own
    assert goprobe.GOROUTINE in own
    assert goprobe.PANIC in own


def test_a_stack_that_moved_is_told_by_diff() -> None:
    with goprobe.launch(binary()) as program:
        stops = program.run(["main.leaf"])
        first = next(stops)
        _ = next(stops)
        last = next(stops)
        moved = {m.name: m for m in last.diff(first).moved if m.function == "main.main"}
    assert moved["here"].stack_moved
    assert moved["list"].stack_moved
    assert moved["list"].before != moved["list"].after


def test_watching_a_global() -> None:
    with goprobe.launch(binary()) as program:
        stops = program.run(["main.step"])
        stop = next(stops)
        address = DebugInfo(ElfFile(program.info.binary)).globals["main.counter"].address
        watch = stop.watch(address, 8)
        hit = next(stops)
        assert hit.watched in watch.numbers
        assert hit.function == "main.step"
        assert int.from_bytes(hit.read(address, 8), "little") == 4
        watch.cancel()
        assert list(stops) == []


def test_typed_reads() -> None:
    with goprobe.launch(binary()) as program:
        stop = next(program.run(["main.step"]))
        pointer = int(stop["list"].value.text, 16)
        first = program.type("main.node").at(pointer)
        assert (int(first.val), str(first.tag)) == (1, "first")
        assert (int(first.next.val), str(first.next.tag)) == (2, "second")
        assert first.next.next.text == "nil"
        with pytest.raises(AttributeError, match="no field nothing"):
            _ = first.nothing
        with pytest.raises(UsageError, match="no type"):
            program.type("main.absent").at(pointer)
        with pytest.raises(UsageError):
            program.type("main.node").at(8)


def test_asking_a_stop() -> None:
    with goprobe.launch(binary()) as program:
        stop = next(program.run(["main.step"]))
        here = stop["here"]
        assert stop.locate(int(here.address)).kind == Kind.GOROUTINE_STACK
        assert stop.read(int(here.address), 8) == (42).to_bytes(8, "little")
        assert any(g.id == stop.goroutine for g in stop.goroutines())
        census = stop.heap()
        assert census.census.objects > 0
        assert not census.self_check.popcount_mismatches
        with pytest.raises(UsageError, match="cannot read"):
            stop.read(16, 8)
        with pytest.raises(UsageError, match="no variable hear"):
            _ = stop["hear"]


def test_a_stop_that_is_over_answers_nothing() -> None:
    with goprobe.launch(hello()) as program:
        stops = program.run(["main.main", "fmt.Println"])
        old = next(stops)
        next(stops)
        for question in (lambda: old["msg"], lambda: old.frames, lambda: old.read(0x400000, 4)):
            with pytest.raises(UsageError, match="is over"):
                question()


def test_watches_are_bounded() -> None:
    with goprobe.launch(binary()) as program:
        stop = next(program.run(["main.step"]))
        with pytest.raises(UsageError, match="hardware"):
            stop.watch(0x400000, 4096)
        with pytest.raises(UsageError):
            stop.watch(16, 8)


def test_time_is_bounded() -> None:
    endless = build("package main\n\nfunc main() {\n\tfor {\n\t}\n}\n", flags=UNOPTIMISED)
    with goprobe.launch(str(endless), timeout=3) as program, pytest.raises(TargetTimeoutError):
        for _ in program.run(["main.main"]):
            pass


def _session(program: goprobe.Program) -> list[str]:
    told = []
    for stop in program.run(["main.main", "fmt.Println"]):
        told.append(f"{stop.where} {stop.line} {stop.goroutine}")
        if "msg" in stop and stop["msg"].address:
            told.append(str(stop.locate(int(stop["msg"].address))))
            told.append(stop.read(int(stop["msg"].address), 16).hex())
            with pytest.raises(UsageError):
                stop.read(16, 1)
    told.append(str(program.exit))
    return told


def test_a_recording_plays_without_go_or_gdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "session.goprobe"
    with goprobe.launch(hello(), record=recording) as program:
        live = _session(program)
    monkeypatch.setenv("PATH", "")
    with goprobe.replay(recording) as program:
        assert _session(program) == live


def test_damaged_recordings(tmp_path: Path) -> None:
    recording = tmp_path / "session.goprobe"
    with goprobe.launch(hello(), record=recording) as program:
        _session(program)
    lines = recording.read_bytes().splitlines(keepends=True)
    for name, content, told in (
        ("gap", b"".join(lines[:2] + lines[3:]), "damaged"),
        (
            "other",
            lines[0].replace(b"recording/3", b"recording/9") + b"".join(lines[1:]),
            "another version",
        ),
        ("none", b"hello\n", "no recording"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UsageError, match=told):
            goprobe.replay(path)
    with goprobe.replay(recording) as program, pytest.raises(UsageError, match="the script asks"):
        program.break_at("main.other")


def _played(path: Path) -> tuple[list[str], str, str]:
    """What a replay of `_session` tells until it fails, how it fails, and what is incomplete."""
    told: list[str] = []
    with goprobe.replay(path) as program:
        try:
            for stop in program.run(["main.main", "fmt.Println"]):
                told.append(f"{stop.where} {stop.line} {stop.goroutine}")  # noqa: PERF401
            failed = ""
        except UsageError as error:
            failed = error.message
        return told, failed, program.incomplete


def test_what_was_whole_stays_whole(tmp_path: Path) -> None:
    recording = tmp_path / "session.goprobe"
    with goprobe.launch(hello(), record=recording) as program:
        stops = program.run(["main.main", "fmt.Println"])
        live = [f"{stop.where} {stop.line} {stop.goroutine}" for stop in stops]
    data = recording.read_bytes()
    lines = data.splitlines(keepends=True)
    assert _played(recording) == (live, "", "")
    cut = tmp_path / "cut"
    reached = set()
    for size in range(len(lines[0]), len(data) - 1, 499):
        cut.write_bytes(data[:size])
        told, failed, incomplete = _played(cut)
        assert told == live[: len(told)] and "cut short" in incomplete
        whole = data[:size].count(b"\n") - 1
        assert bool(failed) == (whole < len(lines) - 2)
        assert not failed or "asks more than" in failed
        reached.add(len(told))
    assert reached == {0, 1, 2}
    missing = tmp_path / "missing"
    missing.write_bytes(b"".join(lines[:2] + lines[3:-1]))
    told, failed, _ = _played(missing)
    assert told == [] and "damaged at line 3" in failed
    nothing, other = lines[3].replace(b'"answer":', b'"answfr":'), lines[3].replace(b"0x4", b"0x5")
    none = b'{"ask":"resume","number":3,"answer":7}\n'
    for at, bad in ((3, b"{}\n"), (3, lines[1]), (3, none), (3, nothing), (3, other)):
        missing.write_bytes(b"".join([*lines[:at], bad, *lines[at + 1 :]]))
        told, failed, _ = _played(missing)
        assert told == [] and "damaged at line 4" in failed


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_interrupted_session_is_recorded_to_where_it_came(
    tmp_path: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "session.goprobe"
    with pytest.raises(error), goprobe.launch(hello(), record=recording) as program:
        stops = program.run(["main.main", "fmt.Println"])
        live = [f"{(stop := next(stops)).where} {stop.line} {stop.goroutine}"]
        monkeypatch.setattr(LiveDriver, "resume", lambda driver: (_ for _ in ()).throw(error))
        next(stops)
    told, failed, incomplete = _played(recording)
    assert told == live
    assert "asks more than" in failed and "ended while it asked resume()" in incomplete


def test_an_error_s_class_is_one_of_ours(tmp_path: Path) -> None:
    recording = tmp_path / "session.goprobe"
    wrong = pytest.raises(UsageError, match="nothing in the program")
    with goprobe.launch(hello(), record=recording) as program, wrong:
        program.break_at("main.nosuch")
    data = re.sub(rb',"sum":\d+}', b"}", recording.read_bytes())  # as if it had been written so
    for kind in (b"annotations", b"ClassVar", b"__name__", b"KeyboardInterrupt"):
        recording.write_bytes(data.replace(b'"UsageError"', b'"' + kind + b'"'))
        with goprobe.replay(recording) as program, wrong:
            program.break_at("main.nosuch")
