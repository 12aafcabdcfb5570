"""Dominators, retained sizes and reachability of small graphs against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from goprobe import compiled
from goprobe.analysis.heap import dominators as made
from goprobe.analysis.heap.dominators import NONE, dominators
from goprobe.analysis.heap.reach import START, UNREACHED, reach

Graph = list[list[int]]
_FIXTURE = [HealthCheck.function_scoped_fixture]


@pytest.fixture(autouse=True, params=["compiled", "plain", "levels", "few levels"])
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything by compiled code, or nothing; breadth first, and where that is given up."""
    if request.param != "plain" and not compiled.installed():
        pytest.skip("numba is not installed")
    least = 0 if request.param != "plain" else 1 << 62
    monkeypatch.setattr(compiled, "_WORTH_IT", least)
    if "levels" in request.param:
        monkeypatch.setattr(made, "_DENSE", 0)
        monkeypatch.setattr(made, "_MOSTLY", 0)
    if request.param == "levels":
        monkeypatch.setattr(made, "_STEPS", 1 << 20)
        monkeypatch.setattr(made, "_AGAIN", 1 << 20)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Chains, leaves, rings and crossing edges, nodes in any order."""
    count = draw(st.integers(1, 24))
    edges: Graph = [[] for _ in range(count)]
    numbers = draw(st.permutations(range(count)))
    for before, after in itertools.pairwise(numbers):
        if draw(st.integers(0, 9)) < 7:
            edges[before].append(after)
    for _ in range(draw(st.integers(0, 20))):
        source, to = draw(st.integers(0, count - 1)), draw(st.integers(0, count - 1))
        edges[source].append(to)
    return edges


def rows_of(edges: Graph) -> tuple[np.ndarray, np.ndarray]:
    first = np.zeros(len(edges) + 1, np.int64)
    first[1:] = np.cumsum([len(e) for e in edges])
    return first, np.array([to for e in edges for to in e], np.int32)


def _reached(edges: Graph, start: int, without: int = -1) -> set[int]:
    seen, waiting = set[int](), [start] if start != without else []
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += [to for to in edges[node] if to != without]
    return seen


@settings(max_examples=300, deadline=None, suppress_health_check=_FIXTURE)
@given(edges=graphs(), sizes=st.lists(st.integers(1, 100), min_size=24, max_size=24))
def test_dominators_and_retained_sizes(edges: Graph, sizes: list[int]) -> None:
    found = dominators(*rows_of(edges), 0)
    whole = _reached(edges, 0)
    needs = {node: whole - _reached(edges, 0, node) for node in whole}
    assert sorted(found.order.tolist()) == sorted(whole)
    for node in range(len(edges)):
        above = [d for d in whole if d != node and node in needs[d]]
        expected = min(above, key=lambda d: len(needs[d])) if above else NONE
        assert found.parent[node] == (expected if node in whole else NONE)
    held = found.retained(np.array(sizes[: len(edges)], np.int64))
    assert {n: int(held[n]) for n in whole} == {
        node: sum(sizes[i] for i in needs[node]) for node in whole
    }
    place = {node: i for i, node in enumerate(found.order.tolist())}
    assert all(place[int(found.parent[n])] < place[n] for n in whole if n)


@settings(max_examples=200, deadline=None, suppress_health_check=_FIXTURE)
@given(edges=graphs(), kinds=st.lists(st.integers(0, 3), min_size=24, max_size=24))
def test_outermost_of_a_kind(edges: Graph, kinds: list[int]) -> None:
    found = dominators(*rows_of(edges), 0)
    outermost = found.outermost(np.array(kinds[: len(edges)], np.int32))
    for node in _reached(edges, 0):
        above, alone = int(found.parent[node]), True
        while above != NONE:
            alone &= kinds[above] != kinds[node]
            above = int(found.parent[above])
        assert bool(outermost[node]) == alone


@settings(max_examples=200, deadline=None, suppress_health_check=_FIXTURE)
@given(edges=graphs())
def test_ways_are_shortest(edges: Graph) -> None:
    first, target = rows_of(edges)
    via = reach(first, target, np.array([0], np.int32)).via
    distance = {0: 0}
    level = [0]
    while level:
        level = [
            to
            for node in level
            for to in edges[node]
            if to not in distance and not distance.update({to: distance[node] + 1})
        ]
    assert {int(n) for n in np.flatnonzero(via != UNREACHED)} == set(distance)
    for node in distance:
        if via[node] == START:
            assert node == 0
            continue
        source = int(np.searchsorted(first, via[node], "right")) - 1
        assert target[via[node]] == node
        assert distance[source] == distance[node] - 1
