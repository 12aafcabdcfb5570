"""Objects that only finalizers, cleanups and deferred calls keep, on every release."""

from __future__ import annotations

import numpy as np
import pytest

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.objects import paths
from goprobe.analysis.heap.snapshot import take
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running

PROGRAM = """package main

import (
	"fmt"
	"os"
	"runtime"
	WEAK
)

type node struct {
	next *node
	id   [5]int
}

var (
	watched *node
	cleaned *node
	never   = make(chan bool)
)

//go:noinline
func finalizer() {
	watched = &node{}
	captured := &node{}
	fmt.Printf("finalizer %p\\n", captured)
	runtime.SetFinalizer(watched, func(n *node) { n.next = captured })
	// What an object with a finalizer points at is kept for it, though no one keeps the object.
	dropped := &node{next: &node{}}
	fmt.Printf("through %p\\n", dropped.next)
	runtime.SetFinalizer(dropped, func(n *node) { never <- n == nil })
	holder = append(holder, uintptrOf(dropped))
}

var holder []string

func uintptrOf(n *node) string { return fmt.Sprintf("%p", n) }

//go:noinline
func deferring(ready chan bool) {
	for i := 0; i < 2; i++ {
		kept := &node{}
		fmt.Printf("deferred%d %p\\n", i, kept)
		defer func() { fmt.Println(kept) }()
	}
	ready <- true
	<-never
}

CLEANUP

func main() {
	finalizer()
	cleanup()
	ready := make(chan bool)
	go deferring(ready)
	<-ready
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(watched)
}
"""

CLEANUP = """
//go:noinline
func cleanup() {
	cleaned = &node{}
	argument, captured := &node{}, &node{}
	fmt.Printf("argument %p\\ncaptured %p\\n", argument, captured)
	runtime.AddCleanup(cleaned, func(n *node) { fmt.Println(n, captured) }, argument)
	pointed := &node{}
	handle = weak.Make(pointed)
	fmt.Printf("weak %p\\n", pointed)
	runtime.KeepAlive(pointed)
}

var handle weak.Pointer[node]
"""


@pytest.mark.parametrize("go", matrix())
def test_each_keeps_what_it_will_use(go: str) -> None:
    cleanups = go not in ("1.21", "1.22", "1.23")
    source = PROGRAM.replace("WEAK", '"weak"' if cleanups else "")
    source = source.replace("CLEANUP", CLEANUP if cleanups else "func cleanup() {}")
    with running(build(source, go=go)) as program:
        snapshot = take(open_target(program.pid))
        graph = HeapGraph(snapshot, lambda message: None)
        names = Names(graph)
        kept = {
            "finalizer": "finalizer of",
            "through": "finalizer of",
            "deferred0": "main.deferring",
            "deferred1": "main.deferring",
        }
        if cleanups:
            kept |= {"argument": "cleanup of", "captured": "cleanup of"}
        for key, root in kept.items():
            node = graph.node_at(program.address(key))
            assert graph.reachable[node], key
            ways, _ = paths(graph, names, node, 5)
            told = [way[0].name for way in ways] + [way[1].name for way in ways if len(way) > 1]
            # Deferred calls hang on the goroutine itself or on its frame.
            wanted = ("deferred", "main.deferring", "runtime.allgs") if "defer" in key else (root,)
            assert any(w in name for name in told for w in wanted), (key, told)
        if cleanups:
            assert not graph.reachable[graph.node_at(program.address("weak"))]
            argument = graph.node_at(program.address("argument"))
            sources = graph.nodes.sources_of(np.flatnonzero(graph.nodes.target == argument))
            held_by = {graph.type_name(node) for node in sources if graph.nodes.is_object(node)}
            # Since Go 1.26 what a cleanup is called with is copied, before that it is captured.
            assert held_by == {"*main.node"} or go in ("1.24", "1.25"), held_by
        strays = graph.nodes.strays
        assert not len(strays) or not np.any(graph.reachable[strays.source])
        snapshot.close()


WAITING = """package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

type node struct{ id [5]int }

var never, blocked = make(chan bool), make(chan bool, 64)

//go:noinline
func drop(i int) {
	watched, kept := new(node), new(node)
	fmt.Printf("kept%d %p\\n", i, kept)
	WATCH
}

func main() {
	for i := 0; i < 20; i++ {
		drop(i)
	}
	runtime.GC()
	<-blocked
	runtime.GC()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
"""
_FINALIZER = "runtime.SetFinalizer(watched, func(*node) { blocked <- true; <-never; kept.id[0]++ })"
_CLEANUP = (
    "runtime.AddCleanup(watched, func(k *node) { blocked <- true; <-never; fmt.Print(k) }, kept)"
)


@pytest.mark.parametrize("linker", ["", "-s -w"])
@pytest.mark.parametrize("go", matrix())
def test_what_waits_to_run_keeps_too(go: str, linker: str) -> None:
    """The first of them blocks, so that the others stay in the runtime's queue."""
    flags = [f"-ldflags={linker}"] if linker else []
    watches = {"finalizer": _FINALIZER}
    if go not in ("1.21", "1.22", "1.23"):
        watches["cleanup"] = _CLEANUP
    for what, watch in watches.items():
        program_file = build(WAITING.replace("WATCH", watch), go=go, flags=flags)
        with running(program_file) as program:
            snapshot = take(open_target(program.pid))
            graph = HeapGraph(snapshot, lambda message: None)
            kept = [graph.node_at(program.address(f"kept{i}")) for i in range(20)]
            assert all(graph.reachable[node] for node in kept), what
            names = Names(graph)
            ways = [way for node in kept for way in paths(graph, names, node, 5)[0]]
            told = [f"{way[0].name} {way[1].name}" for way in ways if len(way) > 1]
            assert sum("queue of" in name and "s to run" in name for name in told) >= 10, told
            snapshot.close()


MANY = """package main

import (
	"fmt"
	"os"
	"runtime"
)

type inner struct{ id [5]int }
type watched struct{ inner *inner }

var kept []*watched

func main() {
	for i := 0; i < 1500; i++ {
		one := &watched{new(inner)}
		kept = append(kept, one)
		runtime.SetFinalizer(one, func(w *watched) { fmt.Println(w) })
		if i == 700 {
			fmt.Printf("inner %p\\n", one.inner)
		}
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(kept)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_many_finalizers_of_one_type_are_one_group(go: str) -> None:
    with running(build(MANY, go=go)) as program:
        snapshot = take(open_target(program.pid))
        graph = HeapGraph(snapshot, lambda message: None)
        groups = [g for g in graph.nodes.groups if g.through]
        assert [g.name for g in groups if len(g.through) > 10] == ["finalizers of 1,500 objects"]
        # Each keeps what its object points at.
        node = graph.node_at(program.address("inner"))
        ways, _ = paths(graph, Names(graph), node, 5)
        assert any(way[0].name == "finalizers of 1,500 objects" for way in ways)
        assert graph.type_name(node) == "main.inner"
        snapshot.close()
