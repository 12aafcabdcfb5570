"""The tree of who keeps a heap: what several hold together is named by its holders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import goprobe
from goprobe import compiled
from goprobe.analysis.heap import dominators as made, tree
from goprobe.analysis.heap.dominators import dominators
from goprobe.analysis.heap.tree import held_together, holders_of
from goprobe.model.codec import from_json
from goprobe.model.heap import GraphSummary, HeapReport, TreeNode
from tests.heap.test_dominators import Graph, graphs, rows_of
from tests.support.cli import goprobe as command
from tests.support.go import build, matrix, running
from tests.support.heap import TESTDATA


def _reached(edges: Graph, without: set[int]) -> set[int]:
    seen, waiting = set[int](), [0]
    while waiting:
        node = waiting.pop()
        if node not in seen and node not in without:
            seen.add(node)
            waiting += edges[node]
    return seen


@pytest.mark.parametrize("room", [1, 1 << 14])
@pytest.mark.parametrize(("fast", "dense"), [(True, 4), (False, 4), (True, 0)])
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edges=graphs(), kinds=st.lists(st.integers(0, 3), min_size=24, max_size=24))
def test_holders_are_those_that_it_is_reached_from_without_the_others(
    fast: bool,
    dense: int,
    room: int,
    edges: Graph,
    kinds: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if fast and not compiled.installed():
        pytest.skip("numba is not installed")
    monkeypatch.setattr(tree, "_SETS", room)
    monkeypatch.setattr(made, "_DENSE", dense)
    if not dense:
        monkeypatch.setattr(made, "_MOSTLY", 0)
        monkeypatch.setattr(made, "_STEPS", 1 << 20)
    monkeypatch.setattr(compiled, "_WORTH_IT", 0 if fast else 1 << 62)
    first, target = rows_of(edges)
    found = dominators(first, target, 0)
    holders = holders_of(first, target, found)
    joint = held_together(holders, found.order, np.array(kinds, np.int32), 4)
    parent = found.parent.tolist()
    for node, place in zip(found.order.tolist()[1:], joint.place.tolist()[1:], strict=True):
        above = parent[node]
        assert (place < 0) == (node in edges[above])
        if place < 0:
            continue
        beside = {n for n in edges[above] if parent[n] == above}
        expected = {
            kind
            for kind in {kinds[n] for n in beside}
            if node in _reached(edges, {n for n in beside if kinds[n] != kind})
        }
        told = joint.sets[joint.number[place]].tolist()
        assert told[: len(expected)] == sorted(expected)
        assert set(told[len(expected) :]) == {(1 << 31) - 1}


@pytest.fixture(params=matrix())
def report(request: pytest.FixtureRequest) -> Iterator[tuple[HeapReport, dict[str, int]]]:
    with running(build(TESTDATA / "kept.go", go=request.param)) as program:
        told = {line.split()[0]: int(line.split()[1], 16) for line in program.lines if "0x" in line}
        with goprobe.attach(program.pid) as process:
            yield process.heap(types=True, retained=True), told


def _only(rows: tuple[TreeNode, ...], what: str) -> TreeNode:
    found = [row for row in rows if row.what == what]
    assert len(found) == 1, [row.what for row in rows]
    return found[0]


def test_every_root_and_what_several_hold(report: tuple[HeapReport, dict[str, int]]) -> None:
    heap, told = report
    assert isinstance(heap.tree, tuple)
    tree = heap.tree
    assert _only(tree, "main.only").retained_bytes == 1024
    first = _only(tree, "main.first")
    assert first.retained_objects == 2
    assert [(row.what, row.objects) for row in first.children] == [("main.shared", 2)]
    several = _only(tree, "held by several: main.first, main.second and main.third")
    assert (several.kind, several.objects, several.retained_objects) == ("several", 0, 8)
    assert set(several.held_by) == {"main.first", "main.second", "main.third"}
    assert not several.more_holders
    assert int(several.address) == int(several.children[0].address) == told["shared"]


def test_roots_of_one_meaning_are_one_row(report: tuple[HeapReport, dict[str, int]]) -> None:
    heap, told = report
    assert isinstance(heap.tree, tuple)
    workers = [row for row in heap.tree if row.what.startswith("5 goroutines in main.")]
    assert len(workers) == 1
    whole = {row.what: row for row in workers[0].children}
    own = next(row for row in whole.values() if row.retained_objects == 5)
    assert [(row.what, row.objects) for row in own.children] == [("main.held", 5)]
    both = [row for row in _all(workers) if row.what == "main.both"]
    assert [(row.objects, int(row.address)) for row in both] == [(1, told["both"])]


def test_what_objects_hold_together(report: tuple[HeapReport, dict[str, int]]) -> None:
    heap, told = report
    assert isinstance(heap.tree, tuple)
    pair = _only(_only(heap.tree, "main.pairs").children, "main.pair")
    together = [row for row in pair.children if row.kind == "several"]
    assert [set(row.held_by) for row in together] == [{"main.left", "main.right"}]
    assert [(row.what, int(row.address)) for row in together[0].children] == [
        ("main.leaf", told["leaf"])
    ]


def _all(rows: tuple[TreeNode, ...] | list[TreeNode]) -> Iterator[TreeNode]:
    for row in rows:
        yield row
        yield from _all(row.children)


def test_it_sums_to_what_can_be_reached(report: tuple[HeapReport, dict[str, int]]) -> None:
    heap, _ = report
    assert isinstance(heap.tree, tuple)
    assert isinstance(heap.graph, GraphSummary)
    assert sum(row.retained_bytes for row in heap.tree) == heap.graph.reachable_bytes
    assert sum(row.retained_objects for row in heap.tree) == heap.graph.reachable
    assert not heap.contradictions


def test_a_path_leads_to_every_example_and_text_shows_the_top() -> None:
    with running(build(TESTDATA / "kept.go")) as program:
        pid = str(program.pid)
        heap = from_json(command("heap", pid, "--retained", "--json").out, HeapReport)
        assert isinstance(heap.tree, tuple)
        with goprobe.attach(program.pid) as process:
            for row in heap.tree[:8]:
                assert process.heap(path=int(row.address)).paths, row
        text = command("heap", pid, "--retained").text
        assert "held by several: main.first" in text
