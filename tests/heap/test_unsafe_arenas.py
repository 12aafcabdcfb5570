"""Memory that values are cut from by unsafe is no array of them; ordinary arrays keep their type,
even where a pointer to one element is all that is left."""

from __future__ import annotations

import pytest

from tests.support.go import matrix
from tests.support.heap import told_objects

BUILDS = {
    "plain": (),
    "stripped": ("-ldflags=-s -w",),
    "pie": ("-ldflags=-s -w", "-buildmode=pie"),
}


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
def test_cut_from_bytes(go: str, flags: tuple[str, ...]) -> None:
    told = told_objects("unsafearenas.go", go, flags)
    of_bytes = [name for what, name in told if what == "[]uint8"]
    others = [(what, name) for what, name in told if what != "[]uint8"]
    assert len(of_bytes) == 4
    assert all(not name or name.startswith("object ") for name in of_bytes)
    assert len(others) == 4
    assert [(what, name) for what, name in others if name != f"{what} backing"] == []
