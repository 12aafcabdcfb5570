"""What a closure captured is told where it is entered: it stands in the closure object, which the
frame has no copy of yet. Up to Go 1.22 the debug information does not say what was captured."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from tests.support.go import build, matrix

_SOURCE = """
package main

type stack struct{ items []string }

func (s *stack) each() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range s.items {
			if !yield(i) {
				return
			}
		}
	}
}

//go:noinline
func counter(by int) func() int {
	n := 0
	return func() int { n += by; return n }
}

//go:noinline
func hidden(v int) func() int {
	return func() int {
		v := v + 1
		return v
	}
}

//go:noinline
func text(s string, list []int, t struct{ a, b int }) func() int {
	return func() int {
		return len(s) + len(list) + t.a
	}
}

//go:noinline
func call(f func() int) int { return f() }

func safe() (err string) {
	defer func() {
		if recover() != nil {
			err = "recovered"
		}
	}()
	err = "begun"
	panic("x")
}

func main() {
	c := counter(2)
	total := call(c) + call(c) + call(c)
	total += call(hidden(5))
	total += call(text("words", []int{1, 2}, struct{ a, b int }{7, 8}))
	s := &stack{[]string{"a", "b"}}
	for i := range each(s) {
		total += i
	}
	println(total, safe())
}

func each(s *stack) []int {
	var made []int
	s.each()(func(i int) bool { made = append(made, i); return true })
	return made
}
"""
_TOLD_SINCE = (1, 23)
_BUILDS = ((), ("-gcflags=all=-N -l",))


def _release(go: str) -> tuple[int, ...]:
    return tuple(int(part) for part in go.removeprefix("go").split(".")[:2])


@pytest.mark.parametrize("flags", _BUILDS, ids=["optimised", "plain"])
@pytest.mark.parametrize("go", matrix())
def test_what_was_captured_is_told_at_the_entry(
    go: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "main.go").write_text(_SOURCE)
    binary = build(tmp_path / "main.go", go=go, flags=flags)
    closures = ["main.counter.func1", "main.hidden.func1", "main.text.func1", "main.safe.func1"]
    seen: dict[str, list[dict[str, str]]] = {}
    with goprobe.launch(str(binary), stdout=2) as program:
        for stop in program.run(closures):
            own = [v for v in stop.variables if v.frame == 0]
            seen.setdefault(stop.function, []).append(
                {v.name: v.value.text if v.value else v.why for v in own}
            )
    if _release(go) < _TOLD_SINCE:
        every = [why for stops in seen.values() for one in stops for why in one.values()]
        assert not any("has not run" in why or "not given it" in why for why in every), seen
        return
    assert [s["n"] for s in seen["main.counter.func1"]] == ["0", "2", "4"]
    (text,) = seen["main.text.func1"]
    for name, value in (("s", "words"), ("list", "[1 2]"), ("t", "{a:7 b:8}")):
        assert text.get(name, value) == value
        assert name in text or not flags
    if flags:  # the optimiser describes no variable that needs no place
        assert [s["by"] for s in seen["main.counter.func1"]] == ["2", "2", "2"]
    (safe,) = seen["main.safe.func1"]
    assert safe["err"] == "begun"
    # The closure's own v is not what it captured.
    (hidden,) = seen["main.hidden.func1"]
    assert hidden.get("v") != "6"


def test_conditions_know_what_was_captured(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_SOURCE)
    binary = build(tmp_path / "main.go", flags=("-gcflags=all=-N -l",))
    with goprobe.launch(str(binary), stdout=2) as program:
        stops = [stop["n"].text for stop in program.run(["main.counter.func1"], when="n == 4")]
    assert stops == ["4"]
