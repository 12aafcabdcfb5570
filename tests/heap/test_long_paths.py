"""Ways of thousands of steps: what is left out of them is counted, in text, pages and JSON."""

from __future__ import annotations

from pathlib import Path

import goprobe
from goprobe.model.heap import steps_left_out
from goprobe.report import RenderOptions, render
from tests.support.go import build, running

_SOURCE = """
package main

import (
	"fmt"
	"time"
)

type node struct{ next *node }

var head *node

func main() {
	var last *node
	for i := 0; i < 5000; i++ {
		head = &node{head}
		if i == 0 {
			last = head
		}
	}
	fmt.Printf("ready %p\\n", last)
	time.Sleep(time.Hour)
}
"""


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_SOURCE)
    with running(build(tmp_path / "main.go"), ready="ready") as program:
        address = int(program.address("ready"))
        report = goprobe.attach(program.pid).heap(path=address)
    [way] = report.paths
    [(place, left)] = [(i, steps_left_out(s)) for i, s in enumerate(way) if steps_left_out(s)]
    assert len(way) == 200 and place == 100 and len(way) + left == 5001  # main.head's, too
    shown = render(report, "text", RenderOptions(width=80)).decode()
    [line] = [x for x in shown.splitlines() if x.endswith(" more")]
    steps = [x for x in shown.splitlines() if "main.node" in x]
    assert int(line.split()[1].replace(",", "")) + len(steps) == 5000
    assert "… 4,801 more" in render(report, "text", RenderOptions(width=80, verbose=True)).decode()
    assert "… 4,801 more" in render(report, "html", RenderOptions()).decode()
