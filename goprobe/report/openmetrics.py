"""The memory of a process as OpenMetrics text, for a scrape: openmetrics.io, version 1.0."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from goprobe.report.escaping import visible
from goprobe.report.options import RenderOptions

if TYPE_CHECKING:
    from goprobe.model.memory import MemoryReport
    from goprobe.runtime.stats.histogram import Histogram

_PREFIX = "goprobe_"
# Of MemStats and runtime/metrics: what only ever grows is a counter.
_COUNTERS = {"TotalAlloc", "Mallocs", "Frees", "NumGC", "NumForcedGC", "PauseTotalNs"}
_GAUGES = (
    "HeapAlloc", "HeapSys", "HeapIdle", "HeapInuse", "HeapReleased", "HeapObjects", "StackInuse",
    "StackSys", "MSpanInuse", "MSpanSys", "MCacheInuse", "MCacheSys", "BuckHashSys", "GCSys",
    "OtherSys", "Sys", "NextGC", "LastGC", "GCCPUFraction",
)  # fmt: skip
_OF_KERNEL = (
    "rss", "pss", "swap", "swap_pss", "huge", "page_tables", "peak", "cgroup", "cgroup_limit",
    "cgroup_left", "cgroup_high", "cgroup_swap", "cgroup_swap_limit",
)  # fmt: skip
_GROWING = re.compile(
    r"/(allocs|frees)(-by-size)?:|:(calls|cpu-seconds|gc-cycles)$|/(executed|queued):"
    r"|-created:|/wait/total:|/latencies:|/pauses"
)
_NOT_GROWING = re.compile(r"/last-enabled:")


class OpenMetricsFormat:
    name = "openmetrics"

    def handles(self, report_type: type) -> bool:
        return report_type.__name__ == "MemoryReport"

    def render(self, report: object, options: RenderOptions) -> bytes:
        from goprobe.model.memory import MemoryReport

        assert isinstance(report, MemoryReport)
        return "".join(f"{line}\n" for line in (*_lines(report), "# EOF")).encode()


def _lines(report: MemoryReport) -> Iterator[str]:
    own = f'pid="{report.pid}"'
    yield from _family("memory_part_bytes", "gauge", "What is resident, by what it is for.")
    for part in report.parts:
        labels = f'{own},name="{_label(part.name)}",of="{_label(part.of)}"'
        yield f"{_PREFIX}memory_part_bytes{{{labels}}} {part.bytes}"
    yield from _kernel(report, own)
    for name in _GAUGES:
        if name in report.memstats:
            family = f"memstats_{_snake(name)}"
            yield from _family(family, "gauge", f"runtime.MemStats.{name}.")
            yield f"{_PREFIX}{family}{{{own}}} {_number(report.memstats[name])}"
    for name in sorted(_COUNTERS & report.memstats.keys()):
        family = f"memstats_{_snake(name)}"
        yield from _family(family, "counter", f"runtime.MemStats.{name}.")
        yield f"{_PREFIX}{family}_total{{{own}}} {_number(report.memstats[name])}"
    for name, value in report.metrics.items():
        yield from _metric(name, value, own)


def _kernel(report: MemoryReport, own: str) -> Iterator[str]:
    from msgspec import UNSET

    kernel = report.kernel
    for name in _OF_KERNEL:
        value = getattr(kernel, name)
        if value is not UNSET:
            family = f"kernel_{name}_bytes"
            yield from _family(family, "gauge", f"What the kernel says: {name}.")
            yield f"{_PREFIX}{family}{{{own}}} {value}"


def _metric(name: str, value: int | float | Histogram, own: str) -> Iterator[str]:
    """A value of runtime/metrics, as client_golang names it."""
    path, _, unit = name.partition(":")
    family = "go_" + re.sub(r"[^a-z0-9]+", "_", f"{path[1:]} {unit}".lower())
    help_ = f"runtime/metrics {name}."
    if not isinstance(value, int | float):
        yield from _histogram(family, help_, value, own)
        return
    growing = _GROWING.search(name) and not _NOT_GROWING.search(name)
    yield from _family(family, "counter" if growing else "gauge", help_)
    suffix = "_total" if growing else ""
    yield f"{_PREFIX}{family}{suffix}{{{own}}} {_number(value)}"


def _histogram(family: str, about: str, value: Histogram, own: str) -> Iterator[str]:
    """Buckets that have something, and the last; sums are known of none."""
    yield from _family(family, "histogram", about)
    count = 0
    for number, bound in zip(value.counts, value.buckets[1:], strict=True):
        count += number
        if bound is None or number:
            le = "+Inf" if bound is None else _number(bound)
            yield f'{_PREFIX}{family}_bucket{{{own},le="{le}"}} {count}'


def _family(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# TYPE {_PREFIX}{name} {kind}"
    yield f"# HELP {_PREFIX}{name} {about}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN"
    return repr(value)


def _label(text: str) -> str:
    shown = "".join(visible(c) if not c.isprintable() else c for c in text)
    return shown.replace("\\", "\\\\").replace('"', '\\"')
