"""`goprobe heap`: what is on the heap of a process, of which type, and who keeps it there.

The story: the census counts what is allocated. Where more is asked, the heap is taken as a snapshot
of one moment (`snapshot`), the pointers in it are followed (`graph`), and each question has a part
of the report: `counts` (types, garbage, roots), `tree` (who keeps what), `objects` (paths,
referrers, one object), `dangling`, `profile`, `sites` (who allocated it). The report is held
against itself (`audit`, `auditgraph`, `auditsites`).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.heap.audit import HeapFacts, audit_heap
from goprobe.analysis.heap.auditgraph import GraphFacts, TypeFacts, audit_graph, audit_types
from goprobe.analysis.heap.auditsites import SiteFacts, audit_sites
from goprobe.analysis.heap.called import object_called
from goprobe.analysis.heap.census import census_of, heap_census, self_check
from goprobe.analysis.heap.counts import (
    by_type,
    garbage_by_type,
    kept_by_roots,
    reached,
    untyped,
)
from goprobe.analysis.heap.dangling import Dangling
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.objects import object_view, paths, referrers, variable_view
from goprobe.analysis.heap.profile import samples
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heap.scaled import scaled
from goprobe.analysis.heap.siteobjects import allocated, held_sites
from goprobe.analysis.heap.sites import heap_sites, with_sites
from goprobe.analysis.heap.snapshot import HeapSnapshot, Manner, asked_of
from goprobe.analysis.heap.tree import kept_tree
from goprobe.errors import UsageError
from goprobe.model.heap import HeapReport
from goprobe.model.report import Audited
from goprobe.runtime.heap.objects import FREE_SLOT
from goprobe.runtime.profiles.memoryprofile import MemoryProfile
from goprobe.target.live import PATIENCE, AnyTarget


def heap(
    target: AnyTarget,
    questions: HeapQuestions,
    *,
    timeout: float = PATIENCE,
    progress: Callable[[str], None] = lambda message: None,
    profile: bool = False,
    earlier: MemoryProfile | None = None,
    more: Callable[[HeapGraph, HeapReport], HeapReport] = lambda graph, report: report,
) -> HeapReport:
    """The heap of a running process; with `profile` the samples of a profile, too; of the
    runtime's own what was sampled after `earlier`. `more` is asked of the graph while it is there,
    and adds to the report.

    Raises CannotWorkError, UsageError (no object at an address that was asked for),
    TargetGoneError, TargetTimeoutError, NotPermittedError.
    """
    if not questions.of_pointers:
        if questions.sites:
            return heap_sites(
                target,
                raw=questions.raw,
                snapshot=questions.snapshot,
                timeout=timeout,
                progress=progress,
                earlier=earlier,
            )
        return heap_census(target, timeout=timeout, progress=progress)
    _check_sample(questions)
    manner = Manner(
        how=questions.snapshot,
        sample=questions.sample,
        profile=questions.of_sampling,
        earlier=earlier,
        timeout=timeout,
    )

    def look(snapshot: HeapSnapshot) -> HeapReport:
        graph = HeapGraph(snapshot, progress, retained=questions.retained)
        report = report_on(graph, questions, profile=profile)
        return replace(more(graph, report), doubts=target.doubts)

    return asked_of(target, manner, progress, look)


def _check_sample(questions: HeapQuestions) -> None:
    if questions.sample and questions != HeapQuestions(
        types=True, sample=True, snapshot=questions.snapshot
    ):
        raise UsageError("--sample counts types, and can answer nothing else")


def report_on(graph: HeapGraph, questions: HeapQuestions, *, profile: bool = False) -> HeapReport:
    """Answer the questions from one snapshot's graph."""
    snapshot, world = graph.snapshot, graph.world
    dangling = Dangling(graph)
    if questions.of_types:
        _ = graph.typing  # before dominators, which take as much memory as the words looked at here
    audit = audit_types(TypeFacts(graph, questions.of_types))
    if not questions.of_places:
        graph.forget_places()
    report = HeapReport(
        **world.head,
        pause_us=snapshot.pause_us,
        snapshot=snapshot.how,
        self_check=self_check(snapshot.census, len(dangling), graph.pointers),
        census=census_of(snapshot.census),
        graph=reached(graph),
        warnings=(*snapshot.warnings, *_said_of_sample(snapshot), *graph.roots.notes),
    )
    if questions.types or questions.retained:
        report = replace(
            report, types=by_type(graph, retained=questions.retained), untyped=untyped(graph)
        )
        if snapshot.sample and (sure := scaled(graph, report.types)):
            report = replace(report, warnings=(*report.warnings, sure))
    if questions.retained:
        report = replace(report, roots=kept_by_roots(graph), tree=kept_tree(graph))
    if questions.unreachable:
        report = replace(report, unreachable=garbage_by_type(graph))
    if questions.dangling:
        report = replace(report, dangling=dangling.edges())
    if questions.path or questions.referrers or questions.object:
        report = _with_objects(report, graph, questions)
    if profile:
        report = replace(report, samples=samples(graph))
    if questions.sites and snapshot.profile is not None:
        report = with_sites(report, world, snapshot.profile, raw=questions.raw)
        report = held_sites(report, graph, types=questions.types, retained=questions.retained)
    return _audited(report, graph, questions, audit)


def _with_objects(report: HeapReport, graph: HeapGraph, questions: HeapQuestions) -> HeapReport:
    """What was asked of single objects."""
    names = Names(graph)
    told: list[str] = []
    if questions.path:
        node = _node(graph, questions.path, told)
        ways, texts = paths(graph, names, node, questions.paths)
        report = replace(report, paths=ways, path_texts=texts)
        report = replace(report, path_allocation=allocated(graph, node))
    if questions.referrers:
        node = _node(graph, questions.referrers, told)
        report = replace(report, referrers=referrers(graph, names, node))
    if questions.object:
        wanted, kept = questions.object, questions.retained
        view = variable_view(graph, wanted, retained=kept) if isinstance(wanted, str) else None
        if view is None:
            node = _node(graph, wanted, told)
            view = object_view(graph, names, node, retained=kept)
            view = replace(view, allocation=allocated(graph, node))
        report = replace(report, object=view)
    return replace(report, notes=tuple(dict.fromkeys(told)))


def _audited(
    report: HeapReport, graph: HeapGraph, questions: HeapQuestions, of_types: tuple[Audited, ...]
) -> HeapReport:
    snapshot = graph.snapshot
    facts = HeapFacts(report, snapshot.census, sampled=snapshot.sample is not None)
    asked = questions.referrers
    referred = graph.address(_node(graph, asked, [])) if asked else 0
    of_graph = GraphFacts(report, graph, referred=referred)
    audit = audit_heap(facts) + of_types + audit_graph(of_graph)
    if questions.sites and snapshot.profile is not None:
        audit += audit_sites(SiteFacts(report, snapshot.profile))
    return finished(report, audit)


def _said_of_sample(snapshot: HeapSnapshot) -> tuple[str, ...]:
    sample = snapshot.sample
    if sample is None or sample.share == 1:
        return ()
    return (
        f"only {100 * sample.share:.1f} % of the heap, chosen by chance, was looked at: types are "
        "counted in that part, and pointers through the rest were not followed",
    )


def _node(graph: HeapGraph, wanted: int | str, told: list[str]) -> int:
    """The object at an address, or that is called so; which of several that is, is `told`."""
    if isinstance(wanted, str):
        called = object_called(graph, wanted)
        told += [called.note] if called.note else []
        return called.node
    address, node = wanted, graph.node_at(wanted)
    if node >= 0:
        return node
    what = "a free slot of the heap" if node == FREE_SLOT else "no object of the heap"
    raise UsageError(
        f"there is {what} at {address:#x}", hint="goprobe where PID ADDRESS says what is there"
    )
