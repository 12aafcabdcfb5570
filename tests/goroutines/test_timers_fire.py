"""How long a timer still takes is told as of the moment in which the process stood still."""

from __future__ import annotations

from pathlib import Path

from msgspec import UNSET

from goprobe.analysis.waits.waits import in_graph
from goprobe.target.live import open_target
from tests.support.go import build, running

_SOURCE = """package main

import (
	"fmt"
	"time"
)

func main() {
	fmt.Println("ready")
	for {
		time.Sleep(20 * time.Millisecond)
	}
}
"""


def test_no_sleep_is_told_to_take_longer_than_it_does(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_SOURCE)
    told = []
    with running(build(tmp_path / "main.go")) as program:
        target = open_target(program.pid)
        for _ in range(10):
            states = in_graph(target).goroutines
            told += [w.fires_in_us for s in states if s.id == 1 for w in s.waits_on]
    known = [us for us in told if us is not UNSET]
    assert known and max(known) <= 20_000
