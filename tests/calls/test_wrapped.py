"""Methods whose code stands in wrappers of the compiler's have their calls there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import goprobe
from goprobe.binary.pcln.format import plain_name
from tests.support.gdb import gdbs
from tests.support.go import build, matrix

_PROGRAM = Path("testdata/calls/wrapped.go")
_BUILDS = {"optimised": (), "unoptimised": ("-gcflags=all=-N -l",), "stripped": ("-ldflags=-s -w",)}
_DESCRIBES_WRAPPERS = ("1.26", "1.27")


def _plain(name: str) -> str:
    return plain_name(name).replace("[...]", "")


@pytest.mark.parametrize("built", _BUILDS)
@pytest.mark.parametrize("go", matrix())
def test_calls_through_interfaces_are_calls_of_the_methods(go: str, built: str) -> None:
    binary = build(_PROGRAM, go=go, flags=_BUILDS[built])
    asked = [sys.executable, "-m", "goprobe", "calls", str(binary), "main.*", "--args", "--json"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("main.")]
    made = {name: int(count) for name, count in map(str.split, said)}
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    calls = Counter(_plain(r["function"]) for r in records[:-1])
    assert {name: calls[name] for name in made} == made
    assert len(made) == 10
    assert {r["end"] for r in records[:-1]} <= {"return", "tail"}
    report = records[-1]
    assert not [n for n in report["inlined"] if _plain(n) in made]
    if built == "optimised" and go in _DESCRIBES_WRAPPERS:
        _hold_arguments(records[:-1])


def _hold_arguments(calls: list[dict[str, object]]) -> None:
    shown: dict[str, list[str]] = {}
    for call in (c for c in calls if "push" not in str(c["function"])):
        values = call.get("arguments")
        assert isinstance(values, list), call
        text = " ".join(f"{v['name']}={v.get('text') or v['why'][:27]}" for v in values)
        shown.setdefault(_plain(str(call["function"])), []).append(text)
    embedded = "i=the method is called by way"
    assert shown["main.byAge.Less"][:2] == ["b=[5 2 4 1 3] i=1 j=0", "b=[2 5 4 1 3] i=2 j=1"]
    assert shown["main.(*Inner).Bump"] == [
        "i=&{n:1} by=2",
        *[f"{embedded} by=2"] * 3,
        "i=&{n:7} by=7",
    ]
    assert shown["main.Inner.Get"] == [
        "i={n:3} f=0.5 k=3",
        *[f"{embedded} f=0.5 k=3"] * 3,
        "i={n:4} f=2 k=2",
    ]
    assert shown["main.Stack.First"] == ["s={items:[5]}", 's={items:["five"]}']
    assert shown["main.code.Error"] == ["c={n:5}"]


@pytest.mark.parametrize("go", matrix())
def test_a_breakpoint_at_such_a_method_stops_in_its_wrapper(
    go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))
    with goprobe.launch(str(build(_PROGRAM, go=go))) as program:
        stops = [stop.where for stop in program.run(["main.byAge.Len", "main.byAge.Swap"])]
    assert Counter(stops) == {"main.byAge.Len": 1, "main.byAge.Swap": 7}


_EMBEDDED = """\
package main

type speaker interface{ say(n int) int }

type loud struct{ times int }

//go:noinline
func (l *loud) say(n int) int { l.times++; return n * l.times }

type person struct {
	name string
	speaker
}

//go:noinline
func talk(s speaker, n int) int { return s.say(n) }

func main() {
	p := &person{"p", &loud{}}
	for i := 0; i < 6; i++ {
		println("said", talk(p, i))
	}
}
"""


@pytest.mark.parametrize("go", matrix())
def test_a_wrapper_that_jumps_to_the_method_of_an_embedded_interface(
    go: str, tmp_path: Path
) -> None:
    """From Go 1.26 on it ends with a jump to what a register says: six calls were one."""
    (tmp_path / "say.go").write_text(_EMBEDDED)
    binary = build(tmp_path / "say.go", go=go, flags=("-gcflags=all=-N -l",))
    with goprobe.launch(str(binary), stdout=2) as program:
        calls = list(program.calls("main.(*person).say", "main.(*loud).say", "main.talk"))
    assert Counter(c.function for c in calls) == {
        "main.(*person).say": 6, "main.(*loud).say": 6, "main.talk": 6,
    }  # fmt: skip
    ends = {(c.end, c.record.to) for c in calls if c.function == "main.(*person).say"}
    assert ends in ({("return", "")}, {("tail", "main.(*loud).say")})
    results = [c.results[0].py for c in calls if c.function == "main.(*loud).say"]
    assert results == [n * (n + 1) for n in range(6)]
