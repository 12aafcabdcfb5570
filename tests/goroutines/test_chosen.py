"""What --in means."""

from __future__ import annotations

import pytest

from goprobe.analysis.goroutines.chosen import is_named

GET = "example.com/shop.(*Store).Get"


@pytest.mark.parametrize(
    ("function", "name", "meant"),
    [
        (GET, "example.com/shop.(*Store)", True),
        (GET, "shop.(*Store)", True),
        (GET, "shop.Store", True),
        (GET, "shop.Store.Get", True),
        (f"{GET}.func1", "shop.Store", True),
        ("shop.(*List[go.shape.int]).Get", "shop.List", True),
        ("shop.Store.Len", "shop.Store", True),
        ("shop.(*Stores).Get", "shop.Store", False),
        (GET, "shop.Get", False),
    ],
)
def test_a_type_is_meant_by_its_name(function: str, name: str, meant: bool) -> None:
    assert is_named(function, name) is meant
