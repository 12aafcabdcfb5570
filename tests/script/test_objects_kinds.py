"""Objects of maps and channels are their headers, and those of 16 bytes share no slot."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.errors import UsageError
from tests.support.go import build, matrix

_SOURCE = """package main

type (
	pair  struct{ x, y int }
	small struct{ x, y, z int32 }
	ages  map[string]int
)

var (
	maps     []map[int]string
	named    []ages
	channels []chan string
	pairs    []*pair
	smalls   []*small
)

//go:noinline
func here() {}

func main() {
	for i := 0; i < 4; i++ {
		maps = append(maps, map[int]string{i: "v"})
		named = append(named, ages{"a": i})
		channels = append(channels, make(chan string, 2))
		pairs = append(pairs, &pair{i, 1})
		smalls = append(smalls, &small{int32(i), 1, 2})
	}
	channels[1] <- "x"
	here()
}
"""


@pytest.mark.parametrize("go", matrix())
def test_each_is_read_as_what_it_is(go: str, tmp_path: Path) -> None:
    def asked(program: goprobe.Program) -> object:
        next(program.run(["main.here"]))
        maps = program.objects("map[int]string")
        ages = program.objects("main.ages")
        channels = program.objects("chan string")
        pairs = program.objects("main.pair")
        with pytest.raises(UsageError, match="share slots of 16 bytes"):
            program.objects("main.small")
        return (
            sorted(next(iter(each.py)) for each in maps),
            sorted(each["a"].py for each in ages),
            sorted(len(each) for each in channels),
            sorted(each.x.py for each in pairs),
        )

    binary = str(build(_SOURCE, go=go, flags=("-gcflags=all=-N -l",)))
    with goprobe.launch(binary, stdout=2, record=tmp_path / "r") as program:
        live = asked(program)
    assert live == ([0, 1, 2, 3], [0, 1, 2, 3], [0, 0, 0, 1], [0, 1, 2, 3])
    with goprobe.replay(tmp_path / "r") as program:
        assert asked(program) == live
