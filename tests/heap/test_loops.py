"""What loops carry from round to round, and reach from package-level variables on, in programs
without debug information: of types that only code tells apart."""

from __future__ import annotations

from collections import Counter

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
    if "-gcflags=all=-N -l" in flags:
        return  # all goes through slots whose addresses are taken
    untold = Counter(what for what, name in told if not name)
    print(go, untold, Counter(what for what, name in told))
