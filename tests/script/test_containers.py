"""Lists, maps and strings in a script's hands, behind pointers and in interfaces, too."""

from __future__ import annotations

from pathlib import Path

import goprobe
from tests.support.go import build

_SOURCE = """
package main

type words map[string]int

func (w words) Error() string { return "words" }

type holder struct {
	slice    *[]int
	twice    **[]int
	table    *map[string]int
	text     *string
	array    *[3]int
	nothing  map[string]struct{}
	channel  any
	boxed    any
	led      any
	nested   any
	err      error
	none     any
	byPoint  map[[2]int]string
}

//go:noinline
func see(h *holder) int { return len(h.nothing) }

func main() {
	slice, table, text := make([]int, 100), map[string]int{"k": 1}, "text"
	channel := make(chan int, 3)
	pointer := &slice
	channel <- 7
	var none map[string]int
	println(see(&holder{
		pointer, &pointer, &table, &text, &[3]int{1, 2, 3}, map[string]struct{}{"a": {}},
		channel, slice, &table, map[string]any{"x": 1.5, "in": map[string]any{"y": nil}},
		words{"q": 2}, none,
		map[[2]int]string{{1, 2}: "p"},
	}))
}
"""


def test_lists_and_maps_behind_pointers_and_in_interfaces(tmp_path: Path) -> None:
    (tmp_path / "see.go").write_text(_SOURCE)
    with goprobe.launch(str(build(tmp_path / "see.go")), stdout=2) as program:
        h = next(program.run(["main.see"]))["h"]
        for name in ("slice", "twice", "boxed"):
            assert len(h[name]) == 100 and h[name][99] == 0 and len(h[name].py) == 100, name
        for name in ("table", "led"):
            assert h[name].py == {"k": 1} and len(h[name]) == 1 and h[name]["k"] == 1, name
            assert list(h[name]) == ["k"] and "k" in h[name] and "z" not in h[name], name
        assert h.array.py == [1, 2, 3] and h.array[1] == 2 and 3 in h.array
        assert h["text"].py == "text" and len(h["text"]) == 4
        assert "ex" in h["text"] and b"te" in h["text"]
        assert list(h["text"]) == ["t", "e", "x", "t"]
        assert h.nothing.py == {"a": {}} == h.nothing
        assert h.channel.py == [7] and h.channel[0] == 7 and list(h.channel) == [7]
        assert h.nested.py == {"x": 1.5, "in": {"y": None}} and h.nested["in"]["y"] == None  # noqa: E711
        assert h.err.py == {"q": 2} and h.err["q"] == 2 and dict(h.err.items()) == {"q": 2}
        assert h.none.py is None and h.none != None and not list(h.none.items())  # noqa: E711
        [(key, value)] = h.byPoint.items()
        assert value == "p" and key == (1, 2) and h.byPoint[key] == "p"
        assert h.py["nested"]["in"] == {"y": None}
