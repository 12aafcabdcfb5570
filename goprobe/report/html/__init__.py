"""Reports as one self-contained page: a drawing first, then everything, in plain HTML.

One file per kind of report composes what the page says, a template of the same name lays it out.
Nothing is loaded from anywhere, and what the script adds (steps, search, zoom) is only a more
comfortable way to what the document holds already.
"""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from goprobe.report.options import RenderOptions

# Which file writes which report. Named, not imported: each brings jinja2 with it.
_COMPOSERS = {
    "TraceReport": "goprobe.report.html.trace",
    "CompareReport": "goprobe.report.html.compare",
    "ExplainReport": "goprobe.report.html.explain",
    "MapsReport": "goprobe.report.html.maps",
    "HeapReport": "goprobe.report.html.heap",
    "EscapeReport": "goprobe.report.html.escape",
    "WhereReport": "goprobe.report.html.where",
    "GoroutinesReport": "goprobe.report.html.goroutines",
    "DoctorReport": "goprobe.report.html.doctor",
}


class _Composer(Protocol):
    def render(self, report: object, options: RenderOptions) -> bytes: ...


class HtmlFormat:
    name = "html"

    def handles(self, kind: type) -> bool:
        return kind.__name__ in _COMPOSERS

    def render(self, report: object, options: RenderOptions) -> bytes:
        module = importlib.import_module(_COMPOSERS[type(report).__name__])
        return cast(_Composer, module).render(report, options)
