"""What holds of a heap's graph: ways and referrers against memory, the tree against the heap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.objects import SHOWN_STEPS
from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.model.heap import REST, HeapReport, TreeNode
from goprobe.model.location import Location
from goprobe.model.report import Audited
from goprobe.process.memory.memory import u64


class GraphFacts:
    """A report and the graph that it was made from. `referred` is the address whose referrers were
    asked for."""

    def __init__(self, report: HeapReport, graph: HeapGraph, *, referred: int = 0) -> None:
        self.report = report
        self.graph = graph
        self.referred = referred

    def points_into(self, place: int, low: int, size: int) -> bool:
        """Whether the word at `place` is a pointer into [low, low + size)."""
        try:
            return low <= u64(self.graph.world.memory, place) < low + max(size, 1)
        except UnreadableError:
            return False


@check("each step of a path points at the next one")
def paths_point(facts: GraphFacts) -> Iterator[str]:
    for path in facts.report.paths:
        yield from _broken(facts, path)


def _broken(facts: GraphFacts, path: Sequence[Location]) -> Iterator[str]:
    left_out = len(path) // 2 if len(path) >= SHOWN_STEPS else 0
    for i, (step, following) in enumerate(pairwise(path), 1):
        place, base = step.detail.get("pointer_at"), following.detail.get("object")
        size = following.detail.get("object_size")
        if i == left_out:
            continue
        if not (isinstance(place, int) and isinstance(base, int) and isinstance(size, int)):
            continue  # a root without a place
        if not facts.points_into(place, base, size):
            yield f"{step.name} does not point at {following.name} from {place:#x}"


@check("who is said to refer to an object does")
def referrers_point(facts: GraphFacts) -> Iterator[str]:
    report, graph = facts.report, facts.graph
    if report.referrers is UNSET:
        return
    value = graph.address(graph.node_at(facts.referred))
    for referrer in report.referrers:
        place = referrer.source.detail.get("pointer_at")
        if isinstance(place, int) and not facts.points_into(place, value + referrer.into, 1):
            yield f"{referrer.source.name} does not point there from {place:#x}"


@check("the rows of the tree of who keeps what sum to what can be reached")
def tree_sums(facts: GraphFacts) -> Iterator[str]:
    report = facts.report
    if report.tree is UNSET or report.graph is UNSET:
        return
    kept = sum(row.retained_bytes for row in report.tree)
    if kept != report.graph.reachable_bytes:
        yield f"its rows keep {kept} bytes, and {report.graph.reachable_bytes} can be reached"
    yield from _uneven(report.tree)


def _uneven(rows: Sequence[TreeNode]) -> Iterator[str]:
    """Rows that are not what they and the rows below them keep."""
    for row in rows:
        below = sum(child.retained_bytes for child in row.children)
        if row.kind != REST and row.bytes + below != row.retained_bytes:
            told = f"{row.what} keeps {counted(row.retained_bytes, 'byte')}"
            yield f"{told}, itself and the rows below {row.bytes + below}"
        yield from _uneven(row.children)


def audit_graph(facts: GraphFacts) -> tuple[Audited, ...]:
    return audited((paths_point, referrers_point, tree_sums), facts)
