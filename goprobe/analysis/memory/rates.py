"""What happened between two looks at the memory of a process."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.model.memory import MemoryReport, Rates

_CREATED = "/sched/goroutines-created:goroutines"
_GC_CPU = "/cpu/classes/gc/total:cpu-seconds"


def with_rates(report: MemoryReport, before: MemoryReport, seconds: float) -> MemoryReport:
    """The report with what it is ahead of the one `before`, a second. Where the runtime's figures
    could not be read, without."""
    now, then = report.memstats, before.memstats
    if not now or not then or seconds <= 0:
        return report

    def rate(name: str) -> float:
        return float(now[name] - then[name]) / seconds

    def metric(name: str) -> float | None:
        if name not in report.metrics or name not in before.metrics:
            return None
        return float(report.metrics[name] - before.metrics[name]) / seconds

    created = metric(_CREATED)
    rates = Rates(
        seconds=seconds,
        allocated_bytes=rate("TotalAlloc"),
        allocated_objects=rate("Mallocs"),
        freed_bytes=rate("TotalAlloc") - rate("HeapAlloc"),
        collections=rate("NumGC"),
        gc_cpu=metric(_GC_CPU) or 0.0,
        resident_bytes=(report.kernel.rss - before.kernel.rss) / seconds,
        goroutines=created if created is not None else UNSET,
    )
    return replace(report, rates=rates)
