"""Roots on stacks that are not walked, because one like them was: the same as if they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.analysis.heap.snapshot import take
from goprobe.runtime.roots.groups import RootGroup, Roots
from goprobe.runtime.roots.stackroots import StackRoots
from goprobe.runtime.roots.templates import Templates
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running

TESTDATA = Path(__file__).parent.parent.parent / "testdata"
_CROWDS = 6  # of crowds.go; who has deferred calls, or slices of its own stack, stands alone
TARGETS = {"targets/heartbeat.go": ("1000", "400", "2"), "heap/zoo.go": ()}


def told(roots: Roots) -> list[tuple[object, ...]]:
    def group(g: RootGroup) -> tuple[object, ...]:
        kind = g.type.name if g.type else None
        return g.kind, g.name, g.address, kind, g.goroutine, g.function, g.conservative

    return [
        (*group(roots.groups[owner]), address, value)
        for owner, address, value in zip(roots.owners, roots.addresses, roots.values, strict=True)
    ]


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("target", TARGETS)
def test_roots_are_those_of_a_walk(target: str, go: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(build(TESTDATA / target, go=go), *TARGETS[target]) as program:
        snapshot = take(open_target(program.pid))
        try:
            world = snapshot.world
            finder = StackRoots(world, Stacks(world), 1, 1 << 62)
            found = finder.of(iter(world.goroutines.all))
            learned = any(finder.templates.of(g) for g in world.goroutines.all)
            monkeypatch.setattr(Templates, "learn", lambda _self, _g, _template: None)
            walked = StackRoots(world, Stacks(world), 1, 1 << 62).of(iter(world.goroutines.all))
        finally:
            snapshot.close()
    assert learned
    assert told(found) == told(walked)
    assert len(found.values) > 10


@pytest.mark.parametrize("go", matrix())
def test_a_crowd_whose_pointers_lead_to_their_own_stacks(
    go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """150 that send a value of their own stacks: they are read at once, and that is no root."""
    with running(build(TESTDATA / "goroutines" / "leaks.go", go=go)) as program:
        snapshot = take(open_target(program.pid))
        try:
            world = snapshot.world
            crowd = StackRoots(world, Stacks(world), 1, 1 << 62).of(iter(world.goroutines.all))
            monkeypatch.setattr(Templates, "wanted", lambda _self, _g: False)
            walked = StackRoots(world, Stacks(world), 1, 1 << 62).of(iter(world.goroutines.all))
        finally:
            snapshot.close()
    pairs = [sorted(zip(r.addresses, r.values, strict=True)) for r in (crowd, walked)]
    assert pairs[0] == pairs[1]
    assert any(group.several >= 100 for group in crowd.groups)
    assert not any(group.several > 1 for group in walked.groups)


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("optimised", [True, False], ids=["optimised", "plain"])
def test_crowds_whose_variables_have_addresses(
    optimised: bool, go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Selects, and what leads to values of one's own stack, here and there: each root is that of a
    walk, and so is what is known of it."""
    flags = [] if optimised else ["-gcflags=all=-N -l"]
    binary = build(TESTDATA / "goroutines" / "crowds.go", go=go, flags=flags)
    with running(binary) as program:
        snapshot = take(open_target(program.pid))
        try:
            world = snapshot.world
            arenas = snapshot.census.arenas
            low, high = min(low for low, _ in arenas), max(high for _, high in arenas)
            crowd = StackRoots(world, Stacks(world), low, high).of(iter(world.goroutines.all))
            monkeypatch.setattr(Templates, "wanted", lambda _self, _g: False)
            walked = StackRoots(world, Stacks(world), low, high).of(iter(world.goroutines.all))
        finally:
            snapshot.close()
    ours, theirs = set(known(crowd)), set(known(walked))
    assert (ours - theirs, theirs - ours) == (set(), set())
    assert len(crowd.values) == len(walked.values)
    several = [group.name for group in crowd.groups if group.several >= 100]
    crowds = [name for name in several if "goroutines in main." in name]
    assert len(crowds) >= _CROWDS, crowds


def known(roots: Roots) -> list[tuple[object, ...]]:
    """Where each root lies, what it is, and what is known of it."""
    rows = zip(roots.owners, roots.addresses, roots.values, strict=True)
    every = [(address, value, roots.groups[owner]) for owner, address, value in rows]
    return sorted(
        (address, value, g.name, g.function, g.type.name if g.type else "", g.rtype)
        for address, value, g in every
    )
