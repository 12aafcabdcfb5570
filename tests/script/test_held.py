"""What only variables of the frame lead to in which a program stands, and what old ones do not."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from tests.support import go

SOURCE = """package main

import (
	"fmt"
	"runtime"
)

type Node struct {
	next *Node
	v    int
}
type Leaf struct {
	a, b, c int
	s       *int
}
type Held struct {
	a, b, c, d int
	p          *int
}
type Late struct {
	p *int
	q int
}

var kept []any

//go:noinline
func count(n *Node, leaves []*Leaf, held any) int {
	c := 0
	for ; n != nil; n = n.next {
		c += n.v
	}
	for _, leaf := range leaves {
		c += leaf.a
	}
	if h, ok := held.(*Held); ok {
		c += h.a
	}
	return c
}

//go:noinline
func nodes(k int) (n *Node) {
	for i := 0; i < k; i++ {
		n = &Node{n, i}
	}
	return n
}

//go:noinline
func leaves(k int) (all []*Leaf) {
	for i := 0; i < k; i++ {
		all = append(all, &Leaf{a: i, s: new(int)})
	}
	return all
}

//go:noinline
func held() any { return &Held{p: new(int)} }

//go:noinline
func fill() int {
	for i := 0; i < 2000; i++ {
		kept = append(kept, &Late{new(int), i})
	}
	return len(kept)
}

//go:noinline
func reuse() int {
	old := nodes(1)
	c := old.v
	runtime.GC()
	runtime.GC()
	c += fill()
	return c // old is not used any more, and what it leads to is another's by now
}

func main() {
	fmt.Println(count(nodes(10), leaves(5), held()))
	fmt.Println(reuse())
}
"""
_OLD = SOURCE.splitlines().index(next(x for x in SOURCE.splitlines() if "old is not" in x)) + 1


@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)], ids=["optimised", "plain"])
@pytest.mark.parametrize("release", go.matrix())
def test_what_variables_of_the_frame_lead_to(
    release: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    source = tmp_path / "main.go"
    source.write_text(SOURCE, encoding="utf-8")
    with goprobe.launch(str(go.build(source, go=release, flags=flags)), stdout=2) as program:
        stops = program.run(["main.count", f"main.go:{_OLD}"])
        stop = next(stops)
        types = {t.type: t.objects for t in stop.heap(types=True).types}
        told = [types.get(f"main.{name}", 0) for name in ("Node", "Leaf", "Held", "Late")]
        assert told == [10, 5, 1, 0]
        assert sorted(node.v.py for node in program.objects("main.Node")) == list(range(10))
        path = stop.path_to(program.objects("main.Node")[0])
        assert path is not None and path.text.startswith("main.count: n")
        stop = next(stops)
        types = {t.type: t.objects for t in stop.heap(types=True).types}
        assert types["main.Late"] == 2000 and "main.Node" not in types
