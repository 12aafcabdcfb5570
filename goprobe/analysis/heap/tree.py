"""Who keeps the heap, as one tree whose rows sum to what can be reached.

It is the tree of dominators with what is alike in one row (see `kinds`): objects of one type, roots
of one meaning. What several roots (or objects) hold together nobody holds alone: it is below a row
of its own, which names them. They are those beside it in that tree, of the same dominator, from
below which something points at it, or at what holds it together with others.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap import treeloops as loops
from goprobe.analysis.heap.dominators import Dominators
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.kinds import Kinds, kinds_of
from goprobe.model.address import Address
from goprobe.model.heap import REST, SEVERAL, TreeNode
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.objects import Ids, parts_of
from goprobe.runtime.heap.spantable import Ints

_DEEPEST = 6
_MOST_ROWS = 1 << 15
_RANK_BITS = 31
_SETS, _MORE = 1 << 14, 4  # of holders, for which there is room at first; more of it, if not enough
_ROOM = 9  # kinds that hold something together, as far as they are told apart
_MOST_ROOTS, _MOST_CHILDREN = 200, 20
_LEAST = 2000  # a row of which there go so many into the whole is not told by itself
_NONE, _ABOVE = -1, (1 << 31) - 1


class Joint(msgspec.Struct, frozen=True):
    """What nobody holds alone: `place` of each rank among them, -1 for none; the `number` of each
    one's set of holders, and those `sets` (ascending kinds, filled up with _ABOVE)."""

    place: Ids
    number: Ids
    sets: Ids

    @property
    def only(self) -> Ids:
        """The kind of all holders in a set, -1 where they are of several."""
        return np.where(self.sets[:, 1] == _ABOVE, self.sets[:, 0], _NONE).astype(np.int32)


class _Rows(msgspec.Struct, frozen=True):
    """`of` is the row of each rank (see into_rows); `above` and `kind` are of each row."""

    of: Ids
    above: list[int]
    kind: list[int]


def kept_tree(graph: HeapGraph) -> tuple[TreeNode, ...]:
    """The rows below everything that can be reached, those that keep most first."""
    kinds = kinds_of(graph)
    with graph.keeping():
        holders = holders_of(graph.nodes.first, graph.nodes.target, graph.dominators)
    graph.forget_referrers()
    joint = held_together(holders, graph.dominators.order, kinds.of, len(kinds.every))
    del holders
    rows = _rows(graph, kinds, joint)
    return _Tree(graph, kinds, joint, rows).top()


class Holders(msgspec.Struct, frozen=True):
    """`joint` are the ranks that nobody holds alone; of each, what holds it are the `ranks` before
    `until`: ranks beside it, -1 for what comes from below itself."""

    joint: Ids
    until: NDArray[np.signedinteger[Any]]
    ranks: Ids


def holders_of(first: Ints, target: Ids, dominators: Dominators) -> Holders:
    """Who holds what nobody holds alone."""
    above, referrers = dominators.above, dominators.referrers(first, target)
    # A dominator's rank is the lowest of all that leads there, if it does so itself.
    begins = referrers.begin
    some = np.flatnonzero(referrers.sources[begins[1:-1]] != above[1:])
    some += 1
    some -= above[some].astype(np.int64) << _RANK_BITS  # the last dominators first
    some.sort()
    joint = (some & ((1 << _RANK_BITS) - 1)).astype(np.int32)
    del some
    until = np.cumsum(begins[joint + 1] - begins[joint], dtype=begins.dtype)
    ranks = np.empty(int(until[-1]) if len(until) else 0, np.int32)
    loops.beside(joint, above, begins, referrers.sources, above.copy(), ranks)
    return Holders(joint, until, ranks)


def held_together(holders: Holders, order: Ids, kind: Ids, kinds: int) -> Joint:
    """Who holds together what nobody holds alone, by the node of each rank, and the `kind` of each
    node: one of so many `kinds`."""
    joint, ranks, count = holders.joint, holders.ranks, len(holders.joint)
    place = np.full(len(order), _NONE, np.int32)
    place[joint] = np.arange(count, dtype=np.int32)
    follow, begin = np.empty(len(ranks), np.int32), np.empty(count + 2, holders.until.dtype)
    number, queue, waits = (
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(count, bool),
    )
    room, made = kinds + _SETS, -1
    while made < 0 and count:
        sets = np.full((room, _ROOM), _ABOVE, np.int32)
        sets[1 : kinds + 1, 0] = np.arange(kinds)
        table = np.full(1 << (2 * room).bit_length(), _NONE, np.int32)
        begin[:], number[:], waits[:] = 0, 0, False
        made = loops.spread(
            joint, place, holders.until, ranks, order, kind, kinds, begin, follow, _ROOM, number,
            sets.reshape(-1), table, queue, waits,
        )  # fmt: skip
        room *= _MORE
    if not count:
        return Joint(place, number, np.zeros((0, _ROOM), np.int32))
    used = distinct(number)
    return Joint(place, np.searchsorted(used, number).astype(np.int32), sets[used])


def _rows(graph: HeapGraph, kinds: Kinds, joint: Joint) -> _Rows:
    dominators = graph.dominators
    of = np.zeros(len(dominators.order), np.int32)
    above, kind, depth = (np.zeros(_MOST_ROWS, np.int32) for _ in range(3))
    kind[0] = _NONE
    room = np.full(2 * _MOST_ROWS, _NONE, np.int32)
    count = loops.into_rows(
        dominators.above, kinds.of[dominators.order], joint.place, joint.number, joint.only,
        len(kinds.every), _DEEPEST, room, of, above, kind, depth,
    )  # fmt: skip
    return _Rows(of, above[:count].tolist(), kind[:count].tolist())


class _Tree:
    """Rows as what is reported."""

    def __init__(self, graph: HeapGraph, kinds: Kinds, joint: Joint, rows: _Rows) -> None:
        self._graph, self._kinds, self._joint, self._rows = graph, kinds, joint, rows
        order, n, count = graph.dominators.order, len(graph.objects), len(rows.above)
        own, whole = np.zeros((2, count), np.int64), np.zeros((2, count), np.int64)
        most, example = np.zeros(count, np.int64), np.full(count, _NONE, np.int64)
        for part in parts_of(len(order)):
            nodes, row = order[part], rows.of[part]
            nodes, row = nodes[nodes < n], row[nodes < n]
            size = graph.objects.spans.elemsize[graph.objects.span[nodes]]
            shown = row >= 0
            for sums, which in ((own, shown), (whole, row == row)):
                at = np.where(row >= 0, row, -1 - row)[which]
                sums[0] += np.bincount(at, minlength=count)
                sums[1] += np.bincount(at, size[which], count).astype(np.int64)
            row, nodes = row[shown], nodes[shown]
            kept = graph.retained[nodes]
            before = most.copy()
            np.maximum.at(most, row, kept)
            best = (kept == most[row]) & (kept > before[row])
            example[row[best]] = nodes[best]
        self._objects, self._bytes = own.tolist()
        self._all_objects, self._all_bytes = whole.tolist()
        self._example: list[int] = example.tolist()
        self._below: list[list[int]] = [[] for _ in range(count)]
        for at in range(count - 1, 0, -1):
            up = rows.above[at]
            self._below[up].append(at)
            self._all_objects[up] += self._all_objects[at]
            self._all_bytes[up] += self._all_bytes[at]
        self._least = self._all_bytes[0] // _LEAST

    def top(self) -> tuple[TreeNode, ...]:
        return self._children(0, _MOST_ROOTS)

    def _children(self, row: int, most: int) -> tuple[TreeNode, ...]:
        below = [r for r in self._below[row] if self._all_bytes[r]]
        below.sort(key=lambda r: (-self._all_bytes[r], r))
        told = [r for r in below[:most] if self._all_bytes[r] >= self._least]
        left = below[len(told) :]
        if len(left) == 1:
            told, left = below, []
        made = [self._node(r) for r in told]
        if rest := self._rest(row, told, left):
            made.append(rest)
        return tuple(made)

    def _rest(self, row: int, told: list[int], left: list[int]) -> TreeNode | None:
        """What is below a row besides those that are `told`: the others, and what is too deep."""
        size = self._all_bytes[row] - self._bytes[row] - sum(self._all_bytes[r] for r in told)
        objects = self._all_objects[row] - self._objects[row]
        objects -= sum(self._all_objects[r] for r in told)
        if not size:
            return None
        return TreeNode(
            what=f"{len(left):,} smaller ones" if left else "further down",
            kind=REST,
            address=self._address(left[0] if left else row),
            objects=objects,
            bytes=size,
            retained_bytes=size,
            retained_objects=objects,
        )

    def _node(self, row: int) -> TreeNode:
        number, every = self._rows.kind[row], self._kinds.every
        holders: tuple[str, ...] = ()
        more = False
        if number < len(every):
            what, kind = every[number].name, every[number].what
        else:
            members = self._joint.sets[number - len(every)].tolist()
            named = [every[m].name for m in members if m != _ABOVE]
            holders, more = tuple(named[: _ROOM - 1]), len(named) == _ROOM
            what, kind = f"held by several: {_listed(holders, more=more)}", SEVERAL
        return TreeNode(
            what=what,
            kind=kind,
            address=self._address(row),
            objects=self._objects[row],
            bytes=self._bytes[row],
            retained_bytes=self._all_bytes[row],
            retained_objects=self._all_objects[row],
            held_by=holders,
            more_holders=more,
            children=self._children(row, _MOST_CHILDREN),
        )

    def _address(self, row: int) -> Address:
        """That of its largest object, or of the largest one below."""
        while self._example[row] < 0 and self._below[row]:
            row = max(self._below[row], key=lambda r: self._all_bytes[r])
        node = self._example[row]
        return Address(self._graph.address(node) if node >= 0 else 0)


def _listed(names: tuple[str, ...], *, more: bool) -> str:
    if more:
        return f"{', '.join(names)} and more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
