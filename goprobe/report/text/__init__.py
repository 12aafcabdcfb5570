"""Reports as text for a terminal: one file per kind of report."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from goprobe.model.report import Report
from goprobe.report.options import RenderOptions

# Which file writes which report. Named, not imported: each brings rich with it.
_COMPOSERS = {
    "TraceReport": "goprobe.report.text.trace",
    "CompareReport": "goprobe.report.text.compare",
    "WhereReport": "goprobe.report.text.where",
    "MapsReport": "goprobe.report.text.maps",
    "GoroutinesReport": "goprobe.report.text.goroutines",
    "HeapReport": "goprobe.report.text.heap",
    "EscapeReport": "goprobe.report.text.escape",
    "DoctorReport": "goprobe.report.text.doctor",
    "ExplainReport": "goprobe.report.text.explain",
}


class _Composer(Protocol):
    def render(self, report: object, options: RenderOptions) -> bytes: ...


class TextFormat:
    name = "text"

    def handles(self, kind: type) -> bool:
        return kind.__name__ in _COMPOSERS

    def render(self, report: object, options: RenderOptions) -> bytes:
        module = importlib.import_module(_COMPOSERS[type(report).__name__])
        told = cast(_Composer, module).render(report, options)
        if isinstance(report, Report) and report.contradictions:
            from goprobe.report.text import contradictions

            told += contradictions.render(report, options)
        return told
