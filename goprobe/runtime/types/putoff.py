"""Objects whose words are not there: looked at together with those that lie near them.

Along pointers one comes from anywhere to anywhere. To have all words of a heap there for it takes
as much memory as all else; so objects wait for each other, and are taken up in the order of their
addresses, some pages at a time.
"""

from __future__ import annotations

import numpy as np

from goprobe.runtime.heap.grouping import different
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.heapview import HeapView


class PutOff:
    """`worth_it` says whether nodes should wait: not where the same words are wanted again and
    again. `looked_at` is how many were looked at."""

    def __init__(self, view: HeapView, count: int) -> None:
        """`count` is how many nodes there are."""
        self._view, self._count = view, count
        self._waiting: list[Ints] = []
        self.looked_at = 0
        self.worth_it = True

    def taken(self, nodes: Ids) -> PutOff:
        """With these, too."""
        if len(nodes):
            self._waiting.append(nodes.astype(np.int64))
        return self

    def all(self) -> Ints:
        """All that wait, who do so no longer."""
        waiting = np.concatenate([np.zeros(0, np.int64), *self._waiting])
        self._waiting.clear()
        return different(waiting, self._count)

    def next(self) -> Ints:
        """Some that lie near each other; their first words are there now."""
        words, nodes = self._view.words, self.all()
        if not len(nodes):
            return nodes
        page = self._view.first_places(nodes) // words.page_words
        pages = page[np.diff(page, prepend=-1) != 0]
        if not words.make_room(int(np.count_nonzero(~words.there[pages])), self.looked_at):
            self.worth_it = False
            return nodes
        if len(pages) > words.pages_most // 2:
            first = int(np.searchsorted(page, pages[words.pages_most // 2]))
            self._waiting.append(nodes[first:])
            nodes, pages = nodes[:first], pages[: words.pages_most // 2]
        words.bring(pages * words.page_words)
        return nodes
