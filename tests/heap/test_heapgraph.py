"""The heap's graph against what real programs say of their own objects."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec import UNSET

from goprobe import compiled
from goprobe.analysis.heap import nodes
from goprobe.analysis.heap.counts import by_type
from goprobe.analysis.heap.examples import with_examples
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import report_on
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.objects import paths
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.snapshot import take
from goprobe.runtime.types import flow
from goprobe.target.live import open_target
from tests.support.go import Running, build, matrix, running, whole_matrix
from tests.support.heap import TESTDATA


@contextmanager
def graph_of(
    name: str, *args: str, go: str, flags: tuple[str, ...] = ()
) -> Iterator[tuple[Running, HeapGraph]]:
    binary = build(TESTDATA / name, go=go, flags=flags)
    with running(binary, *args) as program:
        target = open_target(program.pid)
        snapshot = take(target)
        try:
            yield program, HeapGraph(snapshot, lambda message: None)
        finally:
            snapshot.close()


def said(program: Running) -> list[tuple[int, str]]:
    lines = [line.split(" ", 2) for line in program.lines if line.startswith("obj ")]
    return [(int(address, 16), kind) for _, address, kind in lines]


@pytest.mark.parametrize("go", matrix())
def test_every_object_has_the_type_that_the_program_printed(go: str) -> None:
    with graph_of("zoo.go", go=go) as (program, graph):
        wrong = []
        for address, kind in said(program):
            node = graph.node_at(address)
            found = graph.type_name(node) if node >= 0 else f"no object ({node})"
            if kind == "*fmt.wrapError or fmt.errorString":
                assert found.startswith("*fmt.") or "rror" in found
            elif kind == "anything but uint8":
                assert "uint8" not in found
            elif kind != "anything" and found not in (kind, f"tiny block holding {kind}"):
                wrong.append(f"{address:#x}: {found}, not {kind}")
        assert not wrong, "\n".join(wrong)
        assert len(said(program)) > 60
        typed = float((graph.typing.shape != 0).mean())
        assert typed > 0.99


SHAPES = (
    "arena", "layered", "large", "syncmap", "chain-ab", "chains-kids", "chains-twice",
    "chains-funcs", "chains-maps", "chains-any", "chains-errors", "chains-contexts",
    "chain-maps", "chain-hooks", "chain-reflected", "chain-cut",
)  # fmt: skip


@pytest.mark.skipif(not compiled.installed(), reason="numba is not installed")
@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("arguments", [("zoo.go",), *(("shapes.go", s, "2000") for s in SHAPES)])
def test_compiled_code_finds_the_same_types(
    arguments: tuple[str, ...], go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with graph_of(*arguments, go=go) as (_, plain):
        every = range(len(plain.objects))
        types = [_one_name(plain, node) for node in every]
        retained = plain.retained
        monkeypatch.setattr(compiled, "_WORTH_IT", 0)
        monkeypatch.setattr(flow, "_ASIDE", 1)  # the least room: all is done in small pieces
        fast = HeapGraph(plain.snapshot, lambda message: None)
        assert [_one_name(fast, node) for node in every] == types
        assert (fast.retained == retained).all()


_SMALL = """
import sys
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.target.live import open_target
heap(open_target(int(sys.argv[1])), HeapQuestions(types=True, retained=True))
print(*{"numba", "llvmlite", "numpy.ma"} & set(sys.modules))
"""


def test_small_heaps_wait_neither_for_compiled_code_nor_for_masked_arrays() -> None:
    with running(build(TESTDATA / "zoo.go")) as program:
        command = [sys.executable, "-c", _SMALL, str(program.pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


_FIRST = """
import resource, sys
from goprobe import compiled
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.target.live import open_target
compiled._WORTH_IT = 0
heap(open_target(int(sys.argv[1])), HeapQuestions(types=True, retained=True), progress=print)
print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
"""


@pytest.mark.skipif(not compiled.installed(), reason="numba is not installed")
def test_who_waits_for_the_compiler_is_told_and_does_not_wait_long(tmp_path: Path) -> None:
    waited = {}
    with running(build(TESTDATA / "zoo.go")) as program:
        for which in ("first", "second"):
            done = subprocess.run(
                [sys.executable, "-c", _FIRST, str(program.pid)],
                env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=True,
            )
            *told, seconds = done.stdout.splitlines()
            compiling = [line.partition(" (")[0] for line in told if "compiled first" in line]
            waited[which] = compiling, float(seconds)
    assert [re.sub(r"of [\d,]+ ", "of the ", line) for line in waited["first"][0]] == [
        "following the pointers of the objects",
        "finding the objects' types",
        "finding who alone keeps each object",
    ]
    kept = sorted(path.name for path in tmp_path.rglob("*.code"))
    assert waited["second"][0] == [], kept
    assert waited["first"][1] < 15  # of processor time, of which there goes more where others work


def _one_name(graph: HeapGraph, node: int) -> str:
    """A tiny block may be named by any of the values in it."""
    name = graph.type_name(node)
    return "tiny" if name.startswith("tiny block holding") else name


@pytest.mark.parametrize("go", matrix())
def test_what_the_program_keeps_is_reachable_and_nothing_leads_astray(go: str) -> None:
    with graph_of("zoo.go", go=go) as (program, graph):
        for address, kind in said(program):
            assert graph.reachable[graph.node_at(address)], kind
        # Printing leaves a few boxed numbers behind, and they wait for the next collection.
        lost = np.flatnonzero(~graph.reachable)
        assert len(lost) <= 0.01 * len(graph.objects)
        strays = graph.nodes.strays
        assert not len(strays) or not graph.reachable[strays.source].any()
        # A row is called as its example is, tiny blocks among them.
        rows = {r.type: int(r.example or 0) for r in by_type(graph, retained=True)}
        assert rows == {graph.type_name(graph.node_at(at)): at for at in rows.values()}
        assert any(name.startswith("tiny block holding") for name in rows)


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", [(), ("-buildmode=pie",)], ids=["exe", "pie"])
def test_static_memory_without_a_name_is_named_by_what_leads_to_it(
    go: str, flags: tuple[str, ...]
) -> None:
    with graph_of("statics.go", go=go, flags=flags) as (program, graph):
        names, told_of = Names(graph), said(program)
        assert len(told_of) == 7
        for address, told in told_of:
            node = graph.node_at(address)
            _, texts = paths(graph, names, node, 1)
            assert [f"{text} {graph.type_name(node)}" for text in texts] == [told]


@pytest.mark.parametrize("go", matrix())
def test_what_a_map_holds_is_named_by_its_key(go: str) -> None:
    with graph_of("mapkeys.go", go=go) as (program, graph):
        names, told_of = Names(graph), said(program)
        assert len(told_of) == 19
        for address, told in told_of:
            _, (text,) = paths(graph, names, graph.node_at(address), 1)
            assert text == told


def test_examples_are_told_without_looking_for_pointers_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A way to one may be as long as the program's longest list."""

    def once_more(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(nodes, "_MANY", 0)
    monkeypatch.setattr(nodes.Column, "_looked_up", once_more)
    with graph_of("zoo.go", go=matrix()[-1]) as (_, graph):
        report = report_on(graph, HeapQuestions(types=True, retained=True, examples=True))
        examples = with_examples(graph, report).examples
    assert examples is not UNSET and any(example.path for example in examples)


def _brute_retained(count: int, edges: list[tuple[int, int]], roots: set[int]) -> dict[int, int]:
    """Of each reachable node, the nodes that are not reachable without it, itself included."""

    def reached(without: int) -> set[int]:
        seen, waiting = set[int](), [r for r in roots if r != without]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += [to for source, to in edges if source == node and to != without]
        return seen

    whole = reached(-1)
    return {node: len(whole - reached(node)) for node in whole}


@settings(
    max_examples=40 if whole_matrix() else 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 1 << 40), count=st.integers(1, 40), go=st.sampled_from(matrix()))
def test_random_graphs_agree_with_brute_force(seed: int, count: int, go: str) -> None:
    with graph_of("random.go", str(seed), str(count), go=go) as (program, graph):
        words = [line.split() for line in program.lines]
        nodes = {int(i): int(at, 16) for what, i, at in (w for w in words if w[0] == "node")}
        edges = [(int(a), int(b)) for what, a, b in (w for w in words if w[0] == "edge")]
        roots = {int(w[1]) for w in words if w[0] == "root"}
        numbers = {graph.node_at(at): i for i, at in nodes.items()}
        assert len(numbers) == count
        first, target = graph.nodes.first, graph.nodes.target
        found = []
        for node, i in numbers.items():
            out = target[first[node] : first[node + 1]].tolist()
            found += [(i, numbers[to]) for to in out if to in numbers]
        assert sorted(found) == sorted(edges)
        brute = _brute_retained(count, edges, roots)
        held = graph.dominators.retained(
            np.isin(np.arange(len(graph.nodes)), list(numbers)).astype(np.int64)
        )
        reached = {i for node, i in numbers.items() if graph.reachable[node]}
        # Leftovers on the stack may keep more than the roots, never less.
        assert set(brute) <= reached
        if reached == set(brute):
            assert {i: int(held[node]) for node, i in numbers.items() if i in brute} == brute


@pytest.mark.contradictory
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 32), damage=st.sampled_from([10, 1000, 100_000]))
def test_a_scribbled_heap_is_followed_without_harm(seed: int, damage: int) -> None:
    with graph_of("zoo.go", go=matrix()[-1]) as (_, graph):
        words = graph.snapshot.words.words
        random = np.random.default_rng(seed)
        good = words[random.integers(0, len(words), damage)]
        wild = random.integers(0, 1 << 63, damage, dtype=np.uint64)
        kind = random.integers(0, 3, damage)
        # Pointers to other places, pointers off by some bytes, numbers of any size.
        value = np.choose(kind, [good, good + np.uint64(seed % 64), wild])
        words[random.integers(0, len(words), damage)] = value
        report = report_on(
            graph, HeapQuestions(types=True, retained=True, dangling=True, unreachable=True)
        )
        assert report.graph
        assert report.graph.reachable + report.graph.unreachable == report.census.objects
        assert sum(t.objects for t in report.types) <= report.census.objects
