"""Types that only code tells: of what goroutines hold in their frames alone, and of what generic
code makes."""

from __future__ import annotations

import pytest

from tests.support.go import matrix
from tests.support.heap import WITHOUT_NAMES, told_objects

BUILDS = {**WITHOUT_NAMES, "unoptimized": ("-gcflags=all=-N -l",)}
PARTLY = ("go.shape.", "object holding ")
"""Of one who says no more than what generic code calls it, or what a part of it is."""
REPLACED = {"replaced", "before", "copied", "written", "odd", "even"}
"""Slots that hold another thing than they were given: by an address, an index, on another way."""


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
def test_what_frames_hold(go: str, flags: tuple[str, ...]) -> None:
    """Nothing else than what it is; of generic code's types no more than their shape, perhaps."""
    told = told_objects("bystack.go", go, flags)
    wrong = [
        (what, name)
        for what, name in told
        if name and name.removesuffix(" backing") != what and not any(p in name for p in PARTLY)
    ]
    assert not wrong
    untold = {what.removeprefix("main.") for what, name in told if not name}
    expected = {"element"}  # an array on the stack
    if go == "1.21":
        expected.add("deferred")  # with debug information no code is asked what closures captured
    if "-ldflags=-s -w" in flags:
        expected |= REPLACED
    if "-gcflags=all=-N -l" in flags:
        return  # all goes through slots whose addresses are taken
    assert untold <= expected


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
def test_generic_containers(go: str, flags: tuple[str, ...]) -> None:
    """One body of code serves several types of a shape: its dictionaries tell which. Where one has
    two types that the code may mean, the objects are not told; wrong they never are."""
    told = told_objects("generics.go", go, flags)
    wrong = [
        (what, name)
        for what, name in told
        if name and name.removesuffix(" backing") != what and not any(p in name for p in PARTLY)
    ]
    assert not wrong
    untold = [what for what, name in told if not name]
    assert len(told) == 56
    if "-gcflags=all=-N -l" in flags:
        return
    assert len(untold) <= (6 if "-ldflags=-s -w" in flags else 0)
    assert not [name for _, name in told if "go.shape." in name]
