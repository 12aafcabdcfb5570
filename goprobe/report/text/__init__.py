"""Reports as text for a terminal: one file per kind of report."""

from __future__ import annotations

from typing import Protocol, cast

from goprobe.model.report import Report
from goprobe.report.composers import composer_name, composer_of
from goprobe.report.options import RenderOptions


class _Composer(Protocol):
    def render(self, report: object, options: RenderOptions) -> bytes: ...


class TextFormat:
    name = "text"

    def handles(self, report_type: type) -> bool:
        return bool(composer_name(report_type, __name__))

    def render(self, report: object, options: RenderOptions) -> bytes:
        module = composer_of(type(report), __name__)
        told = cast(_Composer, module).render(report, options)
        if isinstance(report, Report) and report.contradictions:
            from goprobe.report.text import contradictions

            told += contradictions.render(report, options)
        return told
