"""What loops carry from round to round, and reach from package-level variables on, in programs
without debug information: of types that only code tells apart."""

from __future__ import annotations

import pytest

from tests.support.go import matrix
from tests.support.heap import WITHOUT_NAMES, told_objects


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", WITHOUT_NAMES.values(), ids=WITHOUT_NAMES)
def test_what_loops_carry(go: str, flags: tuple[str, ...]) -> None:
    """Traps are pointers that turn from one type to another on the way: these are not told."""
    told = told_objects("loops.go", go, flags)
    wrong = [(what, name) for what, name in told if name and name.removesuffix(" backing") != what]
    assert not wrong
    untold = {what for what, name in told if not name}
    assert untold <= {"main.other", "main.even", "main.trie"} or "-gcflags=all=-N -l" in flags
    if "-ldflags=-s -w" in flags and "-gcflags=all=-N -l" not in flags:
        # All but those that two variables share the code for, and two of the traps'.
        assert len([what for what, name in told if name == "main.trie"]) == 39
