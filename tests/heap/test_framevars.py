"""Variables of frames that others get the address of: by all of those, where they say what they
take."""

from __future__ import annotations

import pytest

from tests.support.go import matrix
from tests.support.heap import WITHOUT_NAMES, told_objects


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", WITHOUT_NAMES.values(), ids=WITHOUT_NAMES)
def test_what_maps_of_frames_hold(go: str, flags: tuple[str, ...]) -> None:
    """Variables that are never alive together may share a place: what one of them holds is not told
    of another, which is filled by a copy, or by one who does not say what it takes."""
    told = told_objects("framevars.go", go, flags)
    assert not [(what, name) for what, name in told if name not in ("", what)]
    named = [what for what, name in told if name]
    if "-gcflags=all=-N -l" not in flags:
        for kind in ("apple", "pear", "plum", "cherry"):
            assert named.count(f"main.{kind}") == 12, kind
