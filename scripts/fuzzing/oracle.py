"""Silent nonsense: an answer from damaged memory that is not the honest one, and says nothing.

What is compared are sums that the runtime keeps in more than one place, so that a damage of one of
them can be seen: of the heap's census and of the list of goroutines. An answer may differ where it
says that something is wrong (a warning, a check of its own that fails, something unreadable), or
may be refused.
"""

from __future__ import annotations

from goprobe.model.attached import GoroutinesReport
from goprobe.model.heap import HeapReport
from goprobe.model.report import Report


class SilentError(Exception):
    """What differs, and that nothing was said. `names` are those of the sums."""

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__(", ".join(f"{name}: {how}" for name, how in wrong.items()))
        self.names = ", ".join(wrong)


def compare(honest: object, found: object) -> None:
    """Raises SilentError."""
    if doubts(found) > doubts(honest):
        return
    expected = sums(honest)
    wrong = {
        name: f"{value} in place of {expected[name]}"
        for name, value in sums(found).items()
        if value != expected[name]
    }
    if wrong:
        raise SilentError(wrong)


def sums(report: object) -> dict[str, int]:
    if isinstance(report, HeapReport):
        census = report.census
        return {
            "objects": census.objects,
            "bytes": census.bytes,
            "free bytes": census.free_bytes,
            "span bytes": census.span_bytes,
            "manual bytes": census.manual_bytes,
            "spans in use": census.spans.in_use,
            "manual spans": census.spans.manual,
        }
    if isinstance(report, GoroutinesReport):
        # Whether one of them is dead stands nowhere else than in its status.
        return {"goroutines, dead or not": len(report.goroutines) + report.dead}
    return {}


def doubts(report: object) -> int:
    """How much a report says against itself."""
    found = len(report.contradictions) if isinstance(report, Report) else 0
    if isinstance(report, HeapReport):
        check = report.self_check
        found += check.popcount_mismatches + check.unreadable_spans + len(report.warnings)
    if isinstance(report, GoroutinesReport):
        found += report.unreadable
    return found
