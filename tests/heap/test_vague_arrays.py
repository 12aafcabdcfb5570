"""Arrays of what generic code has a name of its own for are told by the values that lie in them."""

from __future__ import annotations

from typing import cast

import numpy as np

from goprobe.runtime.types.parts import ObjectParts, by_elements
from goprobe.runtime.types.shape import Meaning, Rule, Shape, shape_of
from goprobe.runtime.types.shapes import Shapes

_POINTER: Meaning = (Rule.ONE, 1)
_VAGUE, _ALIKE, _OTHER, _ARRAY = 1, 2, 3, 4


class _Shapes:
    """As many of a program's shapes as it takes: each one's descriptor is its number."""

    _all = (
        shape_of("?", 0, True, {}),
        shape_of("[]go.shape.struct { p *int; n int } backing", 16, True, {0: _POINTER}),
        shape_of("main.Pair", 16, True, {0: _POINTER}),
        shape_of("main.Reversed", 16, True, {1: _POINTER}),
    )

    def __getitem__(self, number: int) -> Shape:
        return self._all[number]

    def is_array(self, number: int) -> bool:
        return number == _VAGUE

    def rtype(self, number: int) -> int:
        return number

    def array_of_rtype(self, rtype: int) -> int:
        assert rtype == _ALIKE
        return _ARRAY


def test_an_array_is_of_what_lies_at_the_place_of_an_element() -> None:
    parts, nodes = ObjectParts(8), np.arange(8)
    at_an_element, between, of_another = np.array([1, 2]), np.array([3]), np.array([4])
    parts.note(_ALIKE, at_an_element, np.array([0, 32]), 16)
    parts.note(_ALIKE, between, np.array([8]), 16)
    parts.note(_OTHER, of_another, np.array([16]), 16)
    told = list(by_elements(cast(Shapes, _Shapes()), parts, nodes, _VAGUE))
    assert [(number, rows.tolist()) for rows, number in told if len(rows)] == [
        (_ARRAY, at_an_element.tolist()),
        (_VAGUE, nodes.tolist()),
    ]
