"""Variables that are filled through pointers to them, in programs without debug information."""

from __future__ import annotations

import pytest

from tests.support.go import matrix
from tests.support.heap import WITHOUT_NAMES, told_objects

TOLD = {"branch", "apple", "pear", "link[main.apple]"}


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", WITHOUT_NAMES.values(), ids=WITHOUT_NAMES)
def test_stored_through_pointers(go: str, flags: tuple[str, ...]) -> None:
    """By their loops, callees and generic code; what an unsafe.Pointer holds, which is given values
    of two types, is not told, however they come there."""
    told = told_objects("storedthrough.go", go, flags)
    assert len(told) == 31
    assert not [(what, name) for what, name in told if name not in ("", what)]
    if "-gcflags=all=-N -l" not in flags:
        named = {what.removeprefix("main.") for what, name in told if name}
        assert named >= TOLD


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", WITHOUT_NAMES.values(), ids=WITHOUT_NAMES)
def test_stored_through_variables(go: str, flags: tuple[str, ...]) -> None:
    """What a variable points at from the beginning is filled by code that loads the variable. What
    is filled through an interface, or an unsafe.Pointer, is none of what that holds later."""
    told = told_objects("linkedstores.go", go, flags)
    assert len(told) == 16
    assert not [(what, name) for what, name in told if name not in ("", what)]
    if "-gcflags=all=-N -l" not in flags:
        named = {what.removeprefix("main.") for what, name in told if name}
        assert named >= {"apple", "pear"}
        assert named >= {"node", "plum"} or go in ("1.21", "1.24")  # they are loaded twice there
