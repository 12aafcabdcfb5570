"""An address that is shown is the address of what is named: roots and the steps of paths."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from goprobe.analysis.heap.counts import kept_by_roots
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.objects import paths, referrers
from goprobe.analysis.heap.snapshot import take
from goprobe.model.address import Address
from goprobe.model.location import Location
from goprobe.process.memory.memory import u64
from goprobe.target.live import open_target
from tests.support.go import Running, build, matrix, running
from tests.support.heap import TESTDATA

BUILDS = {
    "plain": (),
    "unoptimized": ("-gcflags=all=-N -l",),
    "stripped": ("-ldflags=-s -w",),
}


@pytest.fixture(scope="module", params=[(go, b) for go in matrix() for b in BUILDS], ids=" ".join)
def looked(request: pytest.FixtureRequest) -> Iterator[tuple[Running, HeapGraph]]:
    go, how = request.param
    with running(build(TESTDATA / "roots.go", go=go, flags=BUILDS[how])) as program:
        snapshot = take(open_target(program.pid))
        try:
            yield program, HeapGraph(snapshot, lambda message: None)
        finally:
            snapshot.close()


def _said(program: Running) -> list[tuple[int, int, str]]:
    lines = [line.split(" ", 3) for line in program.lines if line.startswith("kept ")]
    last = {name: (int(at, 16), int(root, 16), name) for _, at, root, name in lines}
    return list(last.values())


def test_a_root_has_the_address_of_what_it_names(looked: tuple[Running, HeapGraph]) -> None:
    program, graph = looked
    names = Names(graph)
    said = _said(program)
    assert len(said) == 5
    for at, place, name in said:
        ways, _ = paths(graph, names, graph.node_at(at), 1)
        root = next(step for step in ways[0] if step.detail.get("root") in ("global", "variable"))
        if root.name.partition(" (")[0] == name:
            assert int(root.address) == place
        else:  # the debug information knows no such variable here
            assert graph.world.program.stripped or root.name.startswith("main.byVariable: a temp")
    if not graph.world.program.stripped:
        named = {r.name: r.address for r in kept_by_roots(graph)}
        for _, place, name in said[:2]:
            assert named[name] == Address(place)


def test_every_step_of_a_path_is_a_pointer_in_memory(looked: tuple[Running, HeapGraph]) -> None:
    _, graph = looked
    names = Names(graph)
    seen = 0
    for node in range(len(graph.objects)):
        if not graph.reachable[node]:
            continue
        for way in paths(graph, names, node, 2)[0]:
            for step, following in pairwise(way):
                seen += _leads(graph, step, following)
            assert int(way[-1].address) == graph.address(node)
    assert seen > 200


def _leads(graph: HeapGraph, step: Location, following: Location) -> bool:
    """Whether the step says where its pointer lies; that must lead to what follows."""
    place = step.detail.get("pointer_at")
    if not isinstance(place, Address):
        # A goroutine holds its variables, and registers have no address.
        assert step.detail.get("root") in ("goroutine", "variable")
        return False
    assert int(step.address) != 0
    to = graph.node_at(u64(graph.world.memory, int(place)))
    assert graph.address(to) == int(following.address)
    return True


def test_what_an_object_with_a_finalizer_points_at(looked: tuple[Running, HeapGraph]) -> None:
    program, graph = looked
    target, about = (int(word, 16) for word in program["final"].split())
    ways, _ = paths(graph, Names(graph), graph.node_at(target), 1)
    assert ways[0][0].name == f"finalizer of {about:#x}"
    sources = referrers(graph, Names(graph), graph.node_at(target))
    assert about in {int(r.source.address) for r in sources}


CROWD = """package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

type node struct{ id [5]int }

var never = make(chan bool)

//go:noinline
func work(n *node, text fmt.Stringer, many []*node) {
	<-never
	runtime.KeepAlive(n)
	runtime.KeepAlive(text)
	runtime.KeepAlive(many)
}

//go:noinline
func defers(n *node) {
	defer func() { fmt.Println(n) }()
	<-never
}

func main() {
	for i := 0; i < 300; i++ {
		n, many, held := new(node), []*node{new(node), new(node)}, new(node)
		fmt.Printf("one%d %p\\nmany%d %p\\ndeferred%d %p\\n", i, n, i, many[0], i, held)
		go work(n, time.Duration(i), many)
		if i%2 == 0 {
			go defers(held)
		}
	}
	time.Sleep(200 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
"""


@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)], ids=["optimised", "plain"])
@pytest.mark.parametrize("go", matrix())
def test_goroutines_that_stand_alike_are_one_group(go: str, flags: tuple[str, ...]) -> None:
    with running(build(CROWD, go=go, flags=flags)) as program:
        snapshot = take(open_target(program.pid))
        graph = HeapGraph(snapshot, lambda message: None)
        names = Names(graph)
        groups = {group.name: group for group in graph.nodes.groups}
        # Where the wrapper of the go statement keeps all of it, it is the wrapper's, which Go 1.21
        # names as it names function literals.
        stand = {"main.work", "main.main.gowrap1", "main.main.func1"}
        assert groups.keys() & {f"300 goroutines in {function}" for function in stand}
        for i in range(300):
            for key in (f"one{i}", f"many{i}", *([f"deferred{i}"] if i % 2 == 0 else [])):
                node = graph.node_at(program.address(key))
                assert graph.reachable[node], key
                # Optimised, the others are words without a name; so is what a deferred literal
                # uses on Go 1.21.
                nameless = not flags or (go == "1.21" and key.startswith("deferred"))
                if not nameless or key[0] == "o":
                    assert graph.type_name(node) == "main.node", key
        (way, *_), _ = paths(graph, names, graph.node_at(program.address("one7")), 1)
        assert any("(300 goroutines)" in step.name for step in way), way
        snapshot.close()
