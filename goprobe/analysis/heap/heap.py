"""`goprobe heap` beyond the census: types, retained sizes, paths, dangling pointers, garbage."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from msgspec import UNSET
from msgspec.structs import replace
from numpy.typing import NDArray

from goprobe.analysis.audit import finished
from goprobe.analysis.heap.audit import HeapFacts, audit_heap
from goprobe.analysis.heap.auditgraph import GraphFacts, audit_graph
from goprobe.analysis.heap.census import census_of, heap_census, self_check
from goprobe.analysis.heap.globalnames import global_type
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names, root_name
from goprobe.analysis.heap.objects import dangling, object_view, paths, referrers
from goprobe.analysis.heap.profile import samples
from goprobe.analysis.heap.snapshot import take
from goprobe.errors import CopyLostError, UsageError, telling
from goprobe.model.address import Address
from goprobe.model.heap import (
    EarlierHeap,
    GraphSummary,
    Growth,
    HeapDiff,
    HeapReport,
    RootCount,
    TypeCount,
    Untyped,
)
from goprobe.model.report import Tool
from goprobe.runtime.heap.objects import FREE_SLOT
from goprobe.runtime.heap.spantable import Ints
from goprobe.target.live import PATIENCE, AnyTarget

_MOST_ROOTS = 200


class HeapQuestions(msgspec.Struct, frozen=True):
    """What is asked of the heap. Addresses of 0 are not asked for."""

    types: bool = False
    retained: bool = False
    path: int = 0
    paths: int = 1
    referrers: int = 0
    object: int = 0
    dangling: bool = False
    unreachable: bool = False
    snapshot: str = ""
    sample: bool = False

    @property
    def graph(self) -> bool:
        """Whether pointers have to be followed at all."""
        return any(
            (self.types, self.retained, self.path, self.referrers, self.object, self.dangling,
             self.unreachable)
        )  # fmt: skip


def heap(
    target: AnyTarget,
    questions: HeapQuestions,
    *,
    timeout: float = PATIENCE,
    progress: Callable[[str], None] = lambda message: None,
    profile: bool = False,
) -> HeapReport:
    """The heap of a running process; with `profile` the samples of a profile, too.

    Raises CannotWorkError, UsageError (no object at an address that was asked for),
    TargetGoneError, TargetTimeoutError, NotPermittedError.
    """
    if not questions.graph:
        return heap_census(target, timeout=timeout, progress=progress)
    _check_sample(questions)

    def look(no_fork: str = "") -> HeapReport:
        snapshot = take(
            target, timeout=timeout, progress=progress, how=questions.snapshot,
            sample=questions.sample, no_fork=no_fork,
        )  # fmt: skip
        try:
            with telling(f"the heap of process {target.pid}"):
                return report_on(HeapGraph(snapshot, progress), questions, profile=profile)
        finally:
            snapshot.close()

    try:
        return look()
    except CopyLostError as lost:
        if questions.snapshot == "fork":
            raise
        return look(f"a copy was let go of before it had been read: {lost.why}")


def _check_sample(questions: HeapQuestions) -> None:
    if questions.sample and questions != HeapQuestions(
        types=True, sample=True, snapshot=questions.snapshot
    ):
        raise UsageError("--sample counts types, and can answer nothing else")


def report_on(graph: HeapGraph, questions: HeapQuestions, *, profile: bool = False) -> HeapReport:
    """Answer the questions from one snapshot's graph."""
    names = Names(graph)
    snapshot = graph.snapshot
    if questions.retained:
        _ = graph.dominators  # says what is reachable, too
    found = dangling(graph, names)
    report = HeapReport(
        pid=graph.world.pid, go=Tool(graph.world.program.go.version),
        program=graph.world.program.elf.shown_as,
        beside=tuple(w.program.elf.shown_as for w in graph.world.beside),
        pause_us=snapshot.pause_us, snapshot=snapshot.how,
        self_check=self_check(snapshot.census, len(found), graph.pointers),
        census=census_of(snapshot.census), graph=summary(graph),
        warnings=(*snapshot.warnings, *_sample_told(graph), *graph.roots.notes),
    )  # fmt: skip
    changes: dict[str, object] = {}
    if questions.types or questions.retained:
        changes |= {"types": types(graph, retained=questions.retained), "untyped": untyped(graph)}
    if questions.retained:
        changes["roots"] = roots(graph)
    if questions.unreachable:
        changes["unreachable"] = garbage(graph)
    if questions.dangling:
        changes["dangling"] = found
    if questions.path:
        ways = paths(graph, names, _node(graph, questions.path), questions.paths)
        changes |= {"paths": ways[0], "path_texts": ways[1]}
    if questions.referrers:
        changes["referrers"] = referrers(graph, names, _node(graph, questions.referrers))
    if questions.object:
        changes["object"] = object_view(
            graph, names, _node(graph, questions.object), retained=questions.retained
        )
    if profile:
        changes["samples"] = samples(graph)
    report = replace(report, **changes)
    sampled = snapshot.sample is not None
    audit = audit_heap(HeapFacts(report, snapshot.census, sampled=sampled))
    return finished(report, audit + audit_graph(GraphFacts(report, graph, questions.referrers)))


def _sample_told(graph: HeapGraph) -> tuple[str, ...]:
    sample = graph.snapshot.sample
    if sample is None or sample.share == 1:
        return ()
    return (
        f"only {100 * sample.share:.1f} % of the heap, chosen by chance, was looked at: types are "
        "counted in that part, and pointers through the rest were not followed",
    )


def _node(graph: HeapGraph, address: int) -> int:
    node = graph.node_at(address)
    if node >= 0:
        return node
    what = "a free slot of the heap" if node == FREE_SLOT else "no object of the heap"
    raise UsageError(
        f"there is {what} at {address:#x}", hint="goprobe where PID ADDRESS says what is there"
    )


def summary(graph: HeapGraph) -> GraphSummary:
    reached, sizes = graph.reachable, graph.objects.size
    count, size = int(reached.sum()), int(sizes[reached].sum())
    return GraphSummary(
        reachable=count,
        unreachable=len(reached) - count,
        edges=graph.nodes.heap_edges,
        reachable_bytes=size,
        unreachable_bytes=int(sizes.sum()) - size,
        roots=len(graph.roots.values),
    )


def types(graph: HeapGraph, *, retained: bool) -> tuple[TypeCount, ...]:
    """Objects by type, most bytes first; untyped ones are `untyped`'s."""
    typing, sizes = graph.typing, graph.objects.size
    held: Ints | None = None
    if retained:
        kinds = np.full(len(graph.nodes), -1, np.int32)
        kinds[: len(sizes)] = _numbers_of_names(graph)[typing.shape]
        outermost = graph.dominators.outermost(kinds)[: len(sizes)]
        held = np.where(outermost, graph.retained[: len(sizes)], 0)
    return _by_type(graph, np.ones(len(sizes), bool), held)


def _numbers_of_names(graph: HeapGraph) -> NDArray[np.int32]:
    """Of each shape in use the first one of its name: what several shapes stand for is one row, and
    what objects of one row hold within each other counts once."""
    found = np.zeros(len(graph.shapes), np.int32)
    first: dict[str, int] = {}
    for number in np.unique(graph.typing.shape).tolist():
        found[number] = first.setdefault(graph.shapes[number].name, number)
    return found


def garbage(graph: HeapGraph) -> tuple[TypeCount, ...]:
    """What is allocated but no root leads to, by type; "?" where that is not known."""
    return _by_type(graph, ~graph.reachable, None, unknown=True)


def _by_type(
    graph: HeapGraph, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], held: Ints | None,
    *, unknown: bool = False,
) -> tuple[TypeCount, ...]:  # fmt: skip
    count = len(graph.shapes)
    shape = graph.typing.shape[chosen]
    size, inner = graph.objects.size[chosen], graph.typing.inner[chosen]
    objects = np.bincount(shape, minlength=count)
    total = np.bincount(shape, weights=size, minlength=count).astype(np.int64)
    parts = np.bincount(shape, weights=inner, minlength=count).astype(np.int64)
    kept = np.bincount(shape, weights=held[chosen], minlength=count).astype(np.int64) \
        if held is not None else None  # fmt: skip
    merged: dict[str, list[int]] = {}
    for number in np.flatnonzero(objects).tolist():
        if number == 0 and not unknown:
            continue
        row = merged.setdefault(graph.shapes[number].name, [0, 0, 0, 0])
        row[0] += int(objects[number])
        row[1] += int(total[number])
        row[2] += int(parts[number])
        row[3] += int(kept[number]) if kept is not None else 0
    order = sorted(merged.items(), key=lambda item: (-item[1][1], item[0]))
    return tuple(
        TypeCount(name, n, size, UNSET if held is None else retained, inner=part)
        for name, (n, size, part, retained) in order
    )


def untyped(graph: HeapGraph) -> tuple[Untyped, ...]:
    """What has no type, by size and reason."""
    rows = np.flatnonzero(graph.typing.shape == 0)
    nodes = graph.nodes
    wanted = np.zeros(len(nodes), bool)
    wanted[rows] = True
    edges = np.flatnonzero(wanted[nodes.target])
    # Any referrer will do, the first one found.
    referrer = np.full(len(nodes), -1, np.int64)
    referrer[nodes.target[edges][::-1]] = np.searchsorted(nodes.first, edges[::-1], "right") - 1
    sizes, noscan_of = graph.objects.size, graph.objects.noscan
    reachable = graph.reachable
    found: dict[tuple[int, bool, str], int] = {}
    for node in rows.tolist():
        source = int(referrer[node])
        reason = "nothing leads to it any more"
        if source >= 0 and reachable[node]:
            reason = _why_untyped(graph, source)
        key = (int(sizes[node]), bool(noscan_of[node]), reason)
        found[key] = found.get(key, 0) + 1
    return tuple(
        Untyped(size, noscan, count, size * count, reason)
        for (size, noscan, reason), count in sorted(found.items())
    )


def _why_untyped(graph: HeapGraph, source: int) -> str:
    if not graph.nodes.is_object(source):
        group = graph.nodes.group(source)
        if group.type is None:
            return f"kept by {group.kind} roots without a type"
    elif not graph.typing.shape[source]:
        return "kept by an object without a type"
    return "kept by an unsafe.Pointer, or by a pointer whose type does not fit its size"


def roots(graph: HeapGraph) -> tuple[RootCount, ...]:
    """What each root alone keeps, most first."""
    nodes, held = graph.nodes, graph.retained
    n = len(graph.objects)
    counts = graph.dominators.retained(
        np.concatenate((np.ones(n, np.int64), np.zeros(len(nodes) - n, np.int64)))
    )
    order = sorted(range(n, nodes.root), key=lambda node: -int(held[node]))
    found = []
    for node in order[:_MOST_ROOTS]:
        group = nodes.group(node)
        if not held[node]:
            break
        found.append(
            RootCount(
                kind=str(group.kind), name=_root_named(graph, node), retained_bytes=int(held[node]),
                objects=int(counts[node]), goroutine=group.goroutine,
                address=Address(group.address) if group.address else UNSET,
            )
        )  # fmt: skip
    return tuple(found)


def _root_named(graph: HeapGraph, node: int) -> str:
    """Its name, with the type of what has none where types were asked for, too."""
    name = root_name(graph.nodes.group(node))
    kind = global_type(graph, node) if "typing" in graph.__dict__ else ""
    return f"{kind} at {name}" if kind else name


def difference(old: HeapReport | EarlierHeap, new: HeapReport) -> HeapDiff:
    """What has grown since an older snapshot, most bytes first."""
    return HeapDiff(
        objects=new.census.objects - old.census.objects,
        bytes=new.census.bytes - old.census.bytes,
        types=_growth(
            {t.type: (t.objects, t.bytes) for t in old.types or ()},
            {t.type: (t.objects, t.bytes) for t in new.types or ()},
        ),
        roots=_growth(
            {r.name: (r.objects, r.retained_bytes) for r in old.roots or ()},
            {r.name: (r.objects, r.retained_bytes) for r in new.roots or ()},
        ),
    )


def _growth(old: dict[str, tuple[int, int]], new: dict[str, tuple[int, int]]) -> tuple[Growth, ...]:
    found = []
    for name in old.keys() | new.keys():
        (before, size_before), (after, size_after) = old.get(name, (0, 0)), new.get(name, (0, 0))
        if before != after or size_before != size_after:
            found.append(Growth(name, after - before, size_after - size_before))
    return tuple(sorted(found, key=lambda g: (-abs(g.bytes), g.name)))
