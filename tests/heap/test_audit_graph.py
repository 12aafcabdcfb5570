"""The checks of a heap's graph, broken on purpose: types, ways and referrers that cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from msgspec.structs import replace

from goprobe.analysis.heap.auditgraph import GraphFacts, TypeFacts, audit_graph, audit_types
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import report_on
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.snapshot import take
from goprobe.model.heap import HeapReport
from goprobe.runtime.types.inference import Typing
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running

PROGRAM = """package main

import (
	"bufio"
	"fmt"
	"os"
)

type node struct {
	name string
	size int64
	next *node
}

type plain struct{ a, b, c, d int64 }

var (
	chain *node
	flat  []*plain
)

func main() {
	for i := 0; i < 50; i++ {
		chain = &node{fmt.Sprint("number ", i, " of fifty"), int64(i), chain}
		flat = append(flat, &plain{a: int64(i)})
	}
	fmt.Printf("last %p\\n", chain.next.next.next)
	fmt.Println("ready")
	bufio.NewScanner(os.Stdin).Scan()
}
"""


@pytest.fixture(scope="module", params=matrix())
def asked(request: pytest.FixtureRequest) -> Iterator[tuple[HeapGraph, HeapReport, int]]:
    with running(build(PROGRAM, go=request.param)) as program:
        last = program.address("last")
        snapshot = take(open_target(program.pid))
        graph = HeapGraph(snapshot, lambda _: None)
        questions = HeapQuestions(types=True, path=last, paths=3, referrers=last)
        yield graph, report_on(graph, questions), last
        snapshot.close()


def failed(graph: HeapGraph, report: HeapReport, referred: int) -> dict[str, str]:
    found = audit_types(TypeFacts(graph))
    found += audit_graph(GraphFacts(report, graph, referred=referred))
    return {entry.check: entry.says for entry in found if not entry.holds}


def with_types(graph: HeapGraph, nodes: list[int], like: int) -> HeapGraph:
    """The graph, in which some objects have the type of another."""
    other = HeapGraph(graph.snapshot, lambda _: None)
    other.__dict__.update(graph.__dict__)
    shape = graph.typing.shape.copy()
    shape[nodes] = shape[like]
    other.__dict__["typing"] = Typing(shape, graph.typing.inner)
    return other


def of_type(graph: HeapGraph, name: str) -> list[int]:
    return [n for n in range(len(graph.objects)) if graph.type_name(n) == name]


def test_what_was_found_holds(asked: tuple[HeapGraph, HeapReport, int]) -> None:
    assert asked[1].paths and asked[1].referrers
    assert not failed(*asked)


@pytest.mark.contradictory
def test_a_type_that_does_not_fit_is_told(asked: tuple[HeapGraph, HeapReport, int]) -> None:
    graph, report, last = asked
    nodes, plains = of_type(graph, "main.node"), of_type(graph, "main.plain")
    assert len(nodes) >= 50 and len(plains) >= 50
    # A node has pointers at 0 and 24, where a plain has numbers.
    wrong = failed(with_types(graph, nodes, plains[0]), report, last)
    assert set(wrong) == {"pointers_fit"}
    assert (
        "is said to be a main.plain, and has a pointer at 0x0, where that has int64 (.a)"
        in (wrong["pointers_fit"])
    )
    sizes = graph.objects.size
    small = int(np.flatnonzero(sizes == 8)[0])
    wrong = failed(with_types(graph, [small], plains[0]), report, last)
    assert set(wrong) >= {"types_fit"}
    assert "has 8 bytes and is said to be a main.plain of 32" in wrong["types_fit"]


@pytest.mark.contradictory
def test_a_root_without_a_pointer_where_it_has_one_is_told(
    asked: tuple[HeapGraph, HeapReport, int],
) -> None:
    graph, report, last = asked
    other = HeapGraph(graph.snapshot, lambda _: None)
    other.__dict__.update(graph.__dict__)
    types = graph.world.program.debug.types
    flat = next(g.type for g in graph.nodes.groups if g.name == "main.flat")
    assert flat is not None and types.at(flat.member("len").type).name == "int"
    number = types.at(flat.member("len").type)
    groups = [replace(g, type=number) if g.name == "main.flat" else g for g in graph.nodes.groups]
    other.__dict__["nodes"] = replace(graph.nodes, groups=groups)
    wrong = failed(other, report, last)
    says = "main.flat of the program is said to be a int, and has a pointer at 0x0"
    assert says in wrong["root_pointers_fit"]


@pytest.mark.contradictory
def test_a_path_whose_steps_do_not_point_on_is_told(
    asked: tuple[HeapGraph, HeapReport, int],
) -> None:
    graph, report, last = asked
    way = report.paths[0]
    assert len(way) == 5  # main.chain and four nodes
    for i in range(len(way) - 1):
        swapped = (*way[:i], way[i + 1], way[i], *way[i + 2 :])
        assert "paths_point" in failed(graph, replace(report, paths=(swapped,)), last)
    skipped = (*way[:2], *way[3:])
    assert "paths_point" in failed(graph, replace(report, paths=(skipped,)), last)


@pytest.mark.contradictory
def test_a_referrer_that_does_not_refer_is_told(asked: tuple[HeapGraph, HeapReport, int]) -> None:
    graph, report, last = asked
    assert isinstance(report.referrers, tuple)
    (referrer,) = report.referrers
    off = replace(referrer, into=referrer.into + 8)
    assert "referrers_point" in failed(graph, replace(report, referrers=(off,)), last)
    assert "referrers_point" in failed(graph, report, int(report.paths[0][1].address))
