"""Values in a script's hands: whole, comparable, indexed by what Go indexes them by.

Where a value is known from the source (testdata/sessions/values.go), it is what must be told.
"""

from __future__ import annotations

import pickle
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import goprobe
from goprobe.errors import NoSuchElementError, UsageError
from tests.support import go

VALUES = Path(__file__).parents[2] / "testdata" / "sessions" / "values.go"
TEXT = "".join(string.ascii_lowercase[i % 26] for i in range(5000))


@pytest.fixture(params=go.matrix(), scope="module")
def session(request: pytest.FixtureRequest) -> Iterator[tuple[goprobe.Program, goprobe.Stop]]:
    """The program at the second call of main.here."""
    binary = go.build(VALUES, go=request.param, flags=("-gcflags=all=-N -l",))
    with goprobe.launch(str(binary), stdout=2) as program:
        stops = program.run(["main.here"])
        next(stops)
        yield program, next(stops)


Session = tuple[goprobe.Program, goprobe.Stop]


def test_all_of_a_long_slice(session: Session) -> None:
    big = session[1]["big"]
    assert len(big) == 100_000
    assert big[77_777] == 3 * 77_777 and big[-1] == 3 * 99_999 and big[0] == 0
    assert [int(v) for v in big[50:70]] == [3 * i for i in range(50, 70)]
    assert [int(v) for v in big[10:400:100]] == [30, 330, 630, 930]
    assert sum(1 for _ in big) == 100_000
    with pytest.raises(IndexError, match="its length is 100000"):
        _ = big[100_000]


def test_all_of_a_wide_array(session: Session) -> None:
    wide = session[1]["wide"]
    assert len(wide) == 300 and wide[250] == 0
    assert [int(v) for v in wide] == [0] * 300


def test_a_long_string(session: Session) -> None:
    text = session[1]["text"]
    assert text == TEXT and text != TEXT[:-1] and text != TEXT[:-1] + "!"
    assert text.py == TEXT and len(text) == 5000 and bytes(text) == TEXT.encode()
    assert session[1]["raw"] == b"\xffx" and session[1]["raw"].py == b"\xffx"
    assert [int(v) for v in session[1]["long"][4990:]] == list(TEXT[4990:].encode())


def test_maps_by_keys_of_their_kind(session: Session) -> None:
    stop = session[1]
    assert stop["byInt"][1] == "one" and stop["byInt"][-5] == "minus five"
    assert stop["byText"]["k"][3] == 6 and stop["byText"]['with "quotes"\n'][0] == 1
    assert stop["byText"]["k"] == [3, 4, 5, 6]
    assert stop["large"][3999] == 3999 * 3999 and len(stop["large"]) == 4000
    assert {k: int(v) for k, v in stop["large"].items()} == {i: i * i for i in range(4000)}
    assert stop["byInt"].py == {1: "one", -5: "minus five"}
    assert 1 in stop["byInt"] and 2 not in stop["byInt"] and "1" not in stop["byInt"]
    with pytest.raises(KeyError, match="has no element 2"):
        _ = stop["byInt"][2]


def test_a_list_to_its_end(session: Session) -> None:
    at, seen = session[1]["list"], []
    while not at.is_nil:
        seen.append(int(at.Val))
        at = at.Next
    assert seen == list(range(1, 41)) and at.text == "nil"


def test_fields_whose_names_are_taken(session: Session) -> None:
    first = session[1]["list"]
    assert first["Type"] == "kind" and first["text"] == "hidden" and first["value"][2] == -9
    assert first.Kind == 1 and first.base.Kind == 1  # of the embedded struct
    assert first.type == "*main.node"
    assert {"Val", "Next", "base"} <= set(dir(first))
    with pytest.raises(AttributeError, match="no field nothing; it has base, Val"):
        _ = first.nothing


def test_operators(session: Session) -> None:
    stop = session[1]
    assert stop["m"] == "dev" and stop["m"] != "prod" and stop["m"] != 3
    assert stop["f"] == 2.5 and float(stop["f"]) == 2.5 and 2 < stop["f"] < 3
    assert stop["c"] == complex(1, -2) and stop["yes"] == True  # noqa: E712
    assert stop["x"] == 1 and int(stop["x"]) == 1 and stop["x"] >= 1 and hash(stop["x"]) == hash(1)
    assert stop["x"] == stop["byText"]['with "quotes"\n'][0]
    assert list(range(stop["x"])) == [0]
    assert stop["none"] == None and stop["failed"] == None and stop["list"] != None  # noqa: E711
    assert stop["none"].is_nil and not stop["list"].is_nil
    assert stop["boxed"] == [9, 8, 7] and stop["boxed"][1] == 8 and len(stop["boxed"]) == 3
    assert stop["anyText"] == "boxed text" and stop["anyText"].py == "boxed text"
    assert stop["anyText"].dynamic_type == "string"
    assert f"{stop.pc:#x}" == str(stop.pc)
    assert repr(stop["m"]) == '<main.mode "dev">' and repr(stop["x"]) == "<int 1>"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(stop["x"])
    with pytest.raises(UsageError, match="no number"):
        int(stop["m"])
    for absent in (stop["x"].data, stop["boxed"].register):
        assert absent is None


def test_frames_globals_and_names_that_are_not_there(session: Session) -> None:
    program, stop = session
    assert program["main.counter"] == 42 and program["main.table"]["a"].Y == 2
    assert stop.frame(0)["step"] == 0 and stop.frame(1)["x"] == 1
    with pytest.raises(KeyError, match=r"no variable bigg in scope at main\.here") as told:
        _ = stop["bigg"]
    assert isinstance(told.value, NoSuchElementError)
    assert "nearest: big" in told.value.hint and "in scope: step" in told.value.hint
    with pytest.raises(KeyError, match=r"no variable main\.count of a package"):
        _ = program["main.count"]
    with pytest.raises(IndexError, match="no frame 99"):
        stop.frame(99)


def test_what_changed_though_its_text_did_not(session: Session) -> None:
    program, stop = session
    later = next(program.run(["main.here"]))
    changed = {c.name: c for c in later.diff(stop).changed if c.function == "main.main"}
    assert {"wide", "text", "big", "x"} <= set(changed)
    assert changed["x"].before == "1" and changed["x"].after == "2"
    assert "long" not in changed and "byInt" not in changed and "list" not in changed


def test_variables_of_one_name_are_not_taken_for_each_other(session: Session) -> None:
    go_binary = session[0].info.binary
    with goprobe.launch(go_binary, stdout=2) as program:
        stops = program.run(["main.here"])
        inside, outside = next(stops), next(stops)
        told = outside.diff(inside)
    assert "x" not in {c.name for c in told.changed if c.function == "main.main"}
    assert "x" in told.vanished


_LARGE = """package main

import "strings"

var s = strings.Repeat("x", 8<<20)
var none = make([]struct{}, 1<<40)
var m = map[int]int{}
var t = [][]byte{[]byte(s[:9])}

//go:noinline
func here() { println(len(s), len(none), len(t), len(m)) }

func main() {
	for i := 0; i < 2000; i++ {
		m[i] = -i
	}
	here()
}
"""


def test_much_that_is_read_at_one_stop(tmp_path: Path) -> None:
    """Each question may cost as much as the one before; what has no end is refused as that."""
    (tmp_path / "large.go").write_text(_LARGE)
    with goprobe.launch(str(go.build(tmp_path / "large.go")), stdout=2) as program:
        next(program.run(["main.here"]))
        for _ in range(24):
            assert len(program["main.s"].py) == 8 << 20
        assert program["main.t"].py == [[ord("x")] * 9]
        with pytest.raises(UsageError, match="has more parts than"):
            program["main.none"].py  # noqa: B018
        keys = [key for key, _ in program["main.m"].items()]
        assert sorted(keys) == list(range(2000)) and program["main.m"].py == {i: -i for i in keys}


_PANICS = """package main

import "fmt"

type holds struct {
	f func()
	n int
}

var h holds

//go:noinline
func try(n int, s []int, a any) {
	defer func() { recover() }()
	switch n {
	case 0:
		fmt.Println(s[5])
	case 1:
		fmt.Println(s[n-2])
	case 2:
		fmt.Println(s[3 : n-1])
	case 3:
		fmt.Println(s[:n*2])
	case 4:
		fmt.Println(a.(string))
	case 5:
		fmt.Println(a.(fmt.Stringer))
	}
}

func main() {
	h = holds{func() {}, 3}
	for i := 0; i < 6; i++ {
		try(i, []int{1}, 5)
	}
	fmt.Println(h.n)
}
"""


def test_what_the_runtime_panics_with_is_told_as_it_prints_it(tmp_path: Path) -> None:
    (tmp_path / "panics.go").write_text(_PANICS)
    with goprobe.launch(str(go.build(tmp_path / "panics.go")), stdout=2) as program:
        panics = [s.panic for s in program.run([goprobe.PANIC]) if program["main.h"].py["n"] == 3]
        assert [panic and panic.message for panic in panics] == [
            "runtime error: index out of range [5] with length 1",
            "runtime error: index out of range [-1]",
            "runtime error: slice bounds out of range [3:1]",
            "runtime error: slice bounds out of range [:6] with capacity 1",
            "interface conversion",
            "interface conversion: missing method String",
        ]


_FLOATS = """
package main

type celsius float64
type count int

var one, half, temp, n = 1.0, 0.5, celsius(20), count(3)
var boxed any = 4.0
var list = []float64{1, 2.5}
var pair = struct {
	x float32
	n int
}{3, 3}

//go:noinline
func here() bool {
	return one+half+float64(temp)+list[0] > float64(n) && boxed != nil && pair.n > 0
}
func main()      { println(here()) }
"""


@pytest.mark.parametrize("go_release", go.matrix())
def test_a_float_is_a_float_without_a_fraction_too(go_release: str, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_FLOATS)
    binary = go.build(tmp_path / "main.go", go=go_release)
    with goprobe.launch(str(binary), stdout=2) as program:
        next(program.run(["main.here"]))
        told = {n: program[f"main.{n}"].py for n in ("one", "half", "temp", "n", "boxed")}
        assert {name: type(value) for name, value in told.items()} == {
            "one": float,
            "half": float,
            "temp": float,
            "n": int,
            "boxed": float,
        }
        assert [type(each) for each in program["main.list"].py] == [float, float]
        pair = program["main.pair"].py
        assert (type(pair["x"]), type(pair["n"])) == (float, int)
        assert program["main.temp"] / 8 == 2.5
