"""`goprobe where`: what addresses of a running process are."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.analysis.audit import finished
from goprobe.analysis.goroutines.auditthreads import threads_of
from goprobe.analysis.locate.auditwhere import WhereFacts, audit_where
from goprobe.analysis.locate.locator import Locator
from goprobe.model.attached import Whereabouts, WhereReport
from goprobe.runtime.world import World
from goprobe.target.live import AnyTarget
from goprobe.target.query import query


def whereabouts(world: World, addresses: Sequence[int]) -> tuple[Whereabouts, ...]:
    """Every identity of each address, at one stop."""
    locator = Locator(world)
    answers = []
    for address in addresses:
        first, *rest = locator.locate_all(address)
        answers.append(
            Whereabouts(
                first.kind, first.address, first.name, first.detail, first.evidence, tuple(rest)
            )
        )
    return tuple(answers)


def where(target: AnyTarget, addresses: Sequence[int]) -> WhereReport:
    """Ask a running process; one short stop for all addresses together."""
    answer = query(
        target,
        lambda world: (whereabouts(world, addresses), world.mappings, threads_of(world)),
    )
    locations, mappings, threads = answer.value
    report = WhereReport(
        **target.process.head,
        pause_us=answer.pause_us,
        locations=locations,
    )
    audit = audit_where(WhereFacts(report, mappings, threads))
    return finished(report, audit, target.doubts)
