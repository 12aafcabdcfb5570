"""Numbers in groups: what is alike, each once."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.spantable import Ints

_Number = TypeVar("_Number", bound=np.integer)
_SPARSE = 32  # fewer than one in so many: sorting them is faster than marking all


def different(nodes: Ints, count: int) -> Ints:
    """The different ones of some numbers below `count`, ascending."""
    if len(nodes) > count // _SPARSE:
        marks = np.zeros(count, bool)
        marks[nodes] = True
        return np.flatnonzero(marks).astype(np.int64)
    return distinct(nodes)


def distinct(values: NDArray[_Number]) -> NDArray[_Number]:
    """The different ones, ascending. numpy.unique loads numpy's masked arrays for it, which take
    longer to load than most programs' heaps to be looked at."""
    ordered = np.sort(values)
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def numbers(shapes: NDArray[np.int32]) -> list[int]:
    """The same as Python's numbers."""
    values: list[int] = distinct(shapes).tolist()
    return values


def groups(keys: NDArray[np.generic], order: Ints) -> list[tuple[int, Ints]]:
    """(key, rows) for each different key; `order` sorts the keys."""
    if not len(order):
        return []
    ordered = keys[order]
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    parts = np.split(order, cuts)
    return [(int(keys[rows[0]]), rows) for rows in parts]


def by_key(*columns: NDArray[np.generic]) -> list[tuple[list[int], Ints]]:
    """Rows that are alike in all columns, each group with what they have there."""
    if not len(columns[0]):
        return []
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order) - 1, bool)
    for column in columns:
        ordered = column[order]
        new |= ordered[1:] != ordered[:-1]
    parts = np.split(order, np.flatnonzero(new) + 1)
    return [([int(column[rows[0]]) for column in columns], rows) for rows in parts]


def contained(keys: NDArray[np.generic], ordered: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Of each key whether it is among those of an ascending array."""
    if not len(ordered):
        return np.zeros(len(keys), bool)
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.asarray(ordered[place] == keys)
