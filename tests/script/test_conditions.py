"""Conditions in Go's expression grammar, against functions of Python that say the same."""

from __future__ import annotations

import re
import subprocess
from itertools import islice
from pathlib import Path

import pytest

import goprobe
from goprobe.api.script.goexpr import condition, parse
from goprobe.api.script.sealing import opened
from goprobe.api.script.typerules import is_assignable
from goprobe.errors import NoSuchElementError, UsageError
from tests.support import go

SESSIONS = Path(__file__).parents[2] / "testdata" / "sessions"
UNOPTIMISED = ("-gcflags=all=-N -l",)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-7 / 2", -3), ("-7 % 3", -1), ("7 % -3", 1),
        ("1 < 2 && 2 < 1 || true", True), ("true || 1 / 0 == 1", True), ("!false", True),
        ("0x1F == 31", True), ("1_000 == 1000", True), ("'a' == 97", True), ("2.5 * 2 == 5", True),
        (r'"a\n\x41" == "a' "\\n" r'A"', True), ("`a\\n` == `a`", False), ("a.b.c == 3", True),
        ("a - b - c == -4", True), ("1 == 1 == true", True),
    ],
)  # fmt: skip
def test_the_grammar(text: str, value: object) -> None:
    def scope(name: str) -> object:
        known = {"a": 1, "b": 2, "c": 3}
        if name == "a.b" or name not in known:
            raise NoSuchElementError(name)
        return known[name]

    if text.startswith("a.b"):
        with pytest.raises(UsageError):
            parse(text)(scope)
        return
    assert parse(text)(scope) == value


@pytest.mark.parametrize(
    "text",
    ["", "a ==", "a b", "(a", "a[1", "a.", "a = 1", "a == 'ab", "&a", "#", "a." * 3000, "(" * 500,
     "1 +% 2", '"open', "len(a", "a ==== b"],
)  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(UsageError, match="the condition"):
        parse(text)


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("go.shape.uint64", "uint64", True),  # or of a type that is one
        ("go.shape.uint64", "uint", False), ("int", "go.shape.uint64", False),
        ("go.shape.int", "main.Code", True), ("go.shape.string", "main.Code", False),
        ("go.shape.*uint8", "*main.T", True), ("go.shape.[]int", "*main.T", False),
        ("[]go.shape.int", "[]int", True), ("go.shape.7ef79b81", "int", True),
    ],
)  # fmt: skip
def test_what_a_generic_functions_type_may_be(one: str, other: str, may: bool) -> None:
    assert is_assignable(one, other, lambda name: {"main.Code": "int"}.get(name, "")) is may


@pytest.fixture(params=go.matrix(), scope="module")
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("flags", [UNOPTIMISED, ()])
def test_stops_for_which_it_is_true(release: str, flags: tuple[str, ...]) -> None:
    binary = str(go.build(SESSIONS / "steps.go", go=release, flags=flags))

    def seen(when: goprobe.Condition) -> list[tuple[int, int]]:
        with goprobe.launch(binary, stdout=2) as program:
            stops = program.run(["main.fib"], when=when)
            return [(int(stop["n"]), len(stop.frames)) for stop in stops]

    told = seen("n*2 == 10 && n < 6")
    assert told == seen(lambda stop: stop["n"] == 5)
    assert len(told) == 21  # fib(12) calls fib(5) as often as fib(8) is large


def test_of_what_a_condition_may_name(release: str) -> None:
    binary = str(go.build(SESSIONS / "values.go", go=release, flags=UNOPTIMISED))

    def lines(where: str, when: str) -> int:
        with goprobe.launch(binary, stdout=2) as program:
            return sum(1 for _ in program.run([where], when=when))

    assert lines("main.here", "step == 1") == 1
    assert lines("main.here", "counter == 42") == 3  # of the stop's own package
    assert lines("main.here", 'main.counter > 41 && main.table["a"].Y == 2') == 3
    assert lines("main.inner", "n == 21") == 1
    with pytest.raises(KeyError, match="no variable stepp in scope"):
        lines("main.here", "stepp == 1")
    with pytest.raises(UsageError, match="is no truth value"):
        lines("main.here", "step")


def test_stops_of_one_goroutine(release: str) -> None:
    binary = str(go.build(SESSIONS / "writes.go", go=release, flags=UNOPTIMISED))
    with goprobe.launch(binary, stdout=2) as program:
        assert [s.goroutine for s in program.run(["main.begin"], goroutine=1)] == [1, 1]
    with goprobe.launch(binary, stdout=2) as program:
        assert [s.goroutine for s in program.run(["main.begin"], goroutine=99)] == []


def test_a_line_that_the_compiler_has_in_a_function_of_its_own_too(release: str) -> None:
    binary = str(go.build(SESSIONS / "steps.go", go=release, flags=UNOPTIMISED))
    lines = (SESSIONS / "steps.go").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.endswith("main-go"))
    for when in ("a == 7", lambda stop: stop["a"] == 7):
        with goprobe.launch(binary, ["short"], stdout=2) as program:
            with pytest.warns(goprobe.StopWarning, match="the compiler has made: not stopped"):
                told = [s.function for s in program.run([f"steps.go:{line}"], when=when)]
            assert told == ["main.main"] and program.exit is not None


def test_early_recordings_know_no_kinds(tmp_path: Path) -> None:
    """Nor the bytes of strings that were told whole, or of which only the length is asked."""
    binary, recording = str(go.build(SESSIONS / "conditions.go", flags=UNOPTIMISED)), tmp_path / "r"
    when = 'my > 32766 && e.s == "é" && len(s) == 4'
    with goprobe.launch(binary, ["quietly"], record=recording) as program:
        stops = program.run(["main.f"], when=when)
        told = [str(stop["my"]) for stop in islice(stops, 3)]
    lines = [opened(line) or b"" for line in recording.read_bytes().splitlines()]
    asks = re.compile(rb'"ask":"(kind|read)"')
    early = [lines[0].replace(b"recording/3", b"recording/2")]
    early += [re.sub(rb'"number":\d+,', b"", x) for x in lines[1:-1] if not asks.search(x)]
    assert len(early) < len(lines) - 1
    recording.write_bytes(b"\n".join(early) + b"\n")
    with goprobe.replay(recording) as program:
        stops = program.run(["main.f"], when=when)
        assert [str(stop["my"]) for stop in islice(stops, len(told))] == told
    assert told


_REFUSED = {
    's[1:] > "z"', "arr == [3]int8{1, -2, 3}", "c == 1+2i", 'string(bs) == "hi"',
    'as.(string) == "str"', "a.(int8) == 5", "min(n, 3) == -7",
    "len([]rune(s)) == 3", "0x1p-2 == 0.25",
}  # fmt: skip
"""What is Go, and not of this grammar: an error, and no answer."""
_NO_GO = """
sl[n+6] == 6; sl[-1] == 6; arr[n+6] == 3; bs[-2] == 104; s[n] == 0; sl[1.5] == 6; sl["1"] == 6
sl[b] == 6; sl[fl] == 6; sl[1e400] == 6; sl[2] == 0; n == 1e400; fl < 1e400; fl*1e400 > 0
f32 == 1e39; n == 1e309; float32(1e39) > 0; uint8(200)+100 == 44; int8(uint8(200)) == -56
len(arr)-4 < uint8(0); 5 % 2.0 == 1; ^1.0 == -2; 1<<600 > 0; 1__0 == 10
n<<18446744073709551616 == 0; fl == 1<<(n+8); m[1] == 0; m[nil] == 0; m[bs] == 0; m[fb] == 0
mi["x"] == ""; mi[128] == ""; mi[u8] == ""; mi[true] == ""; mk["x"] == 0; mk[p] == 0; m.k == 3
np.a == 0; np.nope == 0; (*np).a == 0; *sl == 5; p["a"] == 0; err == "eof"; err == 5.5; err == n
err == b; arr == sl; p == pp; e == la; e == arr; ch == sl; i8 == u8; n == i64; my == i8; fl == f32
c == c64; c == fl; fb == b; nil == nil; s == nil; n == nil; e == nil; arr == nil; m == m; sl == sl
fn == fn; bs == "hi"; p < p; np == "x"; np == 5; pp == b; b < true; a < 5; as + "x" == "y"
len(np) == 0; len(fn) == 0; len(a) == 0; len(p) == 3; cap(m) == 2; cap(s) == 4; len(e) == 3
len(gi) == 0
"""
"""What Go does not compile, or panics at."""
_IN_PLACE = (
    "u8+100 == 44 && i8-1 == 127 && -i8 == i8 && my+1 < 0 && f32*3 == 0.3 && u64+1 == 0",
    's + "x" == "a\\xfféx" && len(s) == 4 && s[1] == 0xff && e.a/e.b == -3 && ^u8 == 55',
)


def test_each_is_what_go_makes_of_it(release: str) -> None:
    binary = str(go.build(SESSIONS / "conditions.go", go=release, flags=UNOPTIMISED))
    ran = subprocess.run([binary], capture_output=True, check=True)
    lines = ran.stdout.decode("utf-8", "surrogateescape").splitlines()
    truth = {text: said == "true" for text, said in (line[2:].rsplit("|", 1) for line in lines)}
    told: dict[str, bool] = {}
    with goprobe.launch(binary, ["quietly"]) as program:
        stop = next(program.run("main.f"))
        for text in truth:
            try:
                told[text] = condition(text)(lambda name: program._named(stop, name))
            except (UsageError, KeyError):
                assert text in _REFUSED
        holds, inside = program["main.gs"], program["main.gk"]
        assert holds.holds_nil and not holds.is_nil and holds and holds.py is None
        assert holds != None and holds == inside[0] and holds != program["main.gi"]  # noqa: E711
        assert repr(holds) == "<interface {} *main.E(nil)>"
        assert inside.text.startswith("[*main.E(nil) nil *fs.PathError(nil) []int(nil) ")
        keys = dict(program["main.gt"].items())
        assert {repr(key): str(text) for key, text in keys.items()} == {
            "None": "none", "TypedNil(type='*io/fs.PathError')": "typed",
        }  # fmt: skip
        no_go = [text.strip() for text in re.split("[;\n]", _NO_GO.strip())]
        for text in ("u8 == 300", "i8 == 1.5", "u8 == i8 + u8", "s == 3", "b == 1", "a + 1", "08",
                     *no_go):  # fmt: skip
            with pytest.raises((UsageError, KeyError)):
                assert condition(text)(lambda name: program._named(stop, name)) is None, text
        with pytest.raises(KeyError, match="np is nil: it leads to no field a"):
            condition("np.a == 0")(lambda name: program._named(stop, name))
    assert told == {text: said for text, said in truth.items() if text not in _REFUSED}
    for text in _IN_PLACE if release == go.matrix()[-1] else ():
        with goprobe.launch(binary, ["quietly"]) as program:
            assert sum(1 for _ in program.run("main.f", when=f"{text} && n == -7")) == 200
        with goprobe.launch(binary, ["quietly"]) as program:
            assert not list(program.run("main.f", when=f"!({text})"))


_CONSTANTS = """\
package main

import "time"

type state int8

const (
	idle state = iota
	running
)
const limit, big = 3, uint64(1 << 63)

//go:noinline
func step(s state, n int, d time.Duration, b uint64) state { return s }

func main() {
	println(step(running, limit, 3*time.Millisecond, big), idle)
}
"""


@pytest.mark.parametrize("release", go.matrix())
def test_constants_of_packages(release: str, tmp_path: Path) -> None:
    (tmp_path / "constants.go").write_text(_CONSTANTS)
    binary = str(go.build(tmp_path / "constants.go", go=release, flags=UNOPTIMISED))
    wanted = {
        "s == running": 1, "s == main.idle": 0, "n == limit && s < limit": 1, "b == big": 1,
        "d == 3*time.Millisecond && d > limit": 1,
    }  # fmt: skip
    for when, stops in wanted.items():
        with goprobe.launch(binary, stdout=2) as program:
            assert len(list(program.run(["main.step"], when=when))) == stops, when
    with goprobe.launch(binary, stdout=2) as program:
        next(program.run(["main.step"]))
        assert program["main.running"] == 1 and program["main.running"].type == "main.state"
        assert program["main.big"] == 1 << 63
    with (
        goprobe.launch(binary, stdout=2) as program,
        pytest.raises(UsageError, match=r"compares a main\.state with a uint64"),
    ):
        next(program.run(["main.step"], when="s == big"))
