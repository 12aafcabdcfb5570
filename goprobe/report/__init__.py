"""From a report to bytes: one file per format, and the one list of them.

A new format is one file here and one line in `_FORMATS`. A format's file is imported when it is
asked for, and what it needs (rich, jinja2) when it renders: `goprobe trace --json` pays for json.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from goprobe.report.options import RenderOptions

__all__ = ["Format", "RenderOptions", "all_formats", "formats", "handles", "render", "render_parts"]

_FORMATS = {
    "text": ("goprobe.report.text", "TextFormat"),
    "json": ("goprobe.report.json_", "JsonFormat"),
    "html": ("goprobe.report.html", "HtmlFormat"),
    "openmetrics": ("goprobe.report.openmetrics", "OpenMetricsFormat"),
    "pprof": ("goprobe.report.pprof", "PprofFormat"),
    "sarif": ("goprobe.report.sarif", "SarifFormat"),
    "github": ("goprobe.report.github", "GithubFormat"),
    "markdown": ("goprobe.report.markdown", "MarkdownFormat"),
}


class Format(Protocol):
    """A way to write reports down."""

    def handles(self, report_type: type) -> bool:
        """Whether reports of this struct type can be written in this format."""

    def render(self, report: object, options: RenderOptions) -> bytes: ...


def all_formats() -> tuple[str, ...]:
    """The names of all formats."""
    return tuple(_FORMATS)


def formats(report_type: type) -> tuple[str, ...]:
    """The names of the formats in which a report of this struct type can be written."""
    return tuple(name for name in _FORMATS if handles(report_type, name))


def handles(report_type: type, name: str) -> bool:
    """Whether `name` is a format for reports of this struct type."""
    return name in _FORMATS and _format(name).handles(report_type)


def render(report: object, name: str, options: RenderOptions) -> bytes:
    """The report in the format of that name; KeyError where there is none for it."""
    if not handles(type(report), name):
        raise KeyError(f"{type(report).__name__} has no format {name!r}")
    return _format(name).render(report, options)


def render_parts(report: object, name: str, options: RenderOptions) -> Iterator[bytes]:
    """What `render` gives, in parts where the format makes it so."""
    if name == "json":
        from goprobe.report.json_ import JsonFormat

        yield from JsonFormat().parts(report, options)
    else:
        yield render(report, name, options)


def _format(name: str) -> Format:
    module, kind = _FORMATS[name]
    return cast(Format, getattr(import_module(module), kind)())
