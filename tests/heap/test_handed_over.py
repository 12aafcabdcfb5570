"""Types of what is handed to the standard library: to cleanups, and to a sort."""

from __future__ import annotations

import pytest

from tests.support.go import matrix
from tests.support.heap import WITHOUT_NAMES, told_objects

BUILDS = {**WITHOUT_NAMES, "debug": ()}
NAMELESS = ("1.21", "1.24", "1.25")
"""Without debug information: cleanups are closures there that call another one, and nothing tells
the last one's type."""


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
def test_arrays_of_slices(go: str, flags: tuple[str, ...]) -> None:
    """A slice of no capacity keeps the array that it was cut from; what a Swapper takes an array
    for is not what it is."""
    told = told_objects("handedover.go", go, flags)
    assert not [(what, name) for what, name in told if name.removesuffix(" backing") != what]


@pytest.mark.parametrize("go", [go for go in matrix() if go not in NAMELESS])
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
def test_what_cleanups_are_called_with(go: str, flags: tuple[str, ...]) -> None:
    told = told_objects("cleanups.go", go, flags)
    assert len(told) == 76
    assert not [(what, name) for what, name in told if name != what]


@pytest.mark.parametrize("go", [go for go in matrix() if go in NAMELESS and go != "1.21"])
def test_what_cleanups_are_called_with_by_closures(go: str) -> None:
    told = told_objects("cleanups.go", go, ())
    assert len(told) == 76
    assert not [(what, name) for what, name in told if name != what]
