"""Arrays that are filled by an index, in programs without debug information."""

from __future__ import annotations

import pytest

from tests.support.go import matrix
from tests.support.heap import WITHOUT_NAMES, told_objects

_WHOLE = 14  # of the arrays that are filled whole, though other numbers are compared with less
TOLD = {"apple", "pear", "tree", "quince", "medlar"}


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", WITHOUT_NAMES.values(), ids=WITHOUT_NAMES)
def test_stored_by_an_index(go: str, flags: tuple[str, ...]) -> None:
    """What lies behind an array is none of its elements; what an unsafe.Pointer holds, which is
    given values of two types, is not told."""
    told = told_objects("elements.go", go, flags)
    assert len(told) == 61
    assert not [(what, name) for what, name in told if name not in ("", what)]
    if "-gcflags=all=-N -l" not in flags:
        named = {what.removeprefix("main.") for what, name in told if name}
        assert named >= TOLD
        assert all(name for _, name in told[:_WHOLE])
        assert "trie" in named or go in ("1.21", "1.24")  # they keep its root in several slots
