"""Reports as one self-contained page: a drawing first, then everything, in plain HTML.

One file per kind of report composes what the page says, a template of the same name lays it out.
Nothing is loaded from anywhere, and what the script adds (steps, search, zoom) is only a more
comfortable way to what the document holds already.
"""

from __future__ import annotations

from typing import Protocol, cast

from goprobe.report.composers import composer_name, composer_of
from goprobe.report.options import RenderOptions


class _Composer(Protocol):
    def render(self, report: object, options: RenderOptions) -> bytes: ...


class HtmlFormat:
    name = "html"

    def handles(self, report_type: type) -> bool:
        return bool(composer_name(report_type, __name__))

    def render(self, report: object, options: RenderOptions) -> bytes:
        module = composer_of(type(report), __name__)
        return cast(_Composer, module).render(report, options)
