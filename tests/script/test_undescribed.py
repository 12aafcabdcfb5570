"""Values in interfaces whose types the debug information leaves out (Go up to 1.24: of which no
variable is declared): told by the runtime's descriptors, and never as empty."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from tests.support.go import build, matrix

_SOURCE = """
package main


type leaf struct{ n, m int }
type onePointer struct{ to *leaf }
type inOne struct{ in onePointer }
type array1 [1]*leaf
type array3 [3]int16
type table map[string][]string
type pipe chan int
type call func() int
type two struct {
	name string
	part array3
	list []leaf
	any  any
	err  error
	m    table
}
type inner struct{ x int8 }
type outer struct {
	inner
	y uint16
}
type num float32
type nothing struct{}

func (t two) Error() string { return t.name }

var values []any

//go:noinline
func see() int { return len(values) }

func main() {
	one, pipe3 := &leaf{7, 8}, make(pipe, 3)
	pipe3 <- 5
	values = []any{
		onePointer{one}, inOne{onePointer{one}}, array1{one}, array3{1, 2, 3},
		table{"a": {"b"}}, pipe3, call(func() int { return 3 }), outer{inner{-3}, 9},
		num(1.5), nothing{},
		two{"t", array3{4, 5, 6}, []leaf{{1, 2}}, array3{7, 8, 9}, two{name: "in"},
			table{"k": nil}},
	}
	println(see())
}
"""


@pytest.mark.parametrize("go", matrix())
def test_values_of_types_that_are_not_described(go: str, tmp_path: Path) -> None:
    source = tmp_path / "main.go"
    source.write_text(_SOURCE)
    with goprobe.launch(str(build(source, go=go)), stdout=2) as program:
        for _ in program.run(breaks=["main.see"]):
            told = [program["main.values"][i].py for i in range(11)]
            text = str(program["main.values"].value)
            break
    leaf = {"n": 7, "m": 8}
    assert told[:6] == [{"to": leaf}, {"in": {"to": leaf}}, [leaf], [1, 2, 3], {"a": ["b"]}, [5]]
    assert str(told[6]) == "main.main.func1"
    assert told[7:10] == [{"inner": {"x": -3}, "y": 9}, 1.5, {}]
    last = told[10]
    assert last["part"] == [4, 5, 6] and last["list"] == [{"n": 1, "m": 2}]
    assert (
        last["any"] == [7, 8, 9]
        and last["err"]["name"] == "in"
        and last["m"] == {"k": None}
        and last["name"] == "t"
    )
    assert "{inner:{x:-3} y:9}" in text
