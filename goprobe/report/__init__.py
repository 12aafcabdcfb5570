"""From a report to bytes: one file per format, and the one list of them.

A new format is one file here and one entry in `_FORMATS`. Nothing heavy is imported before a
report is rendered: `goprobe trace --json` must not pay for rich.
"""

from __future__ import annotations

from typing import Protocol

from goprobe.report.json_ import JsonFormat
from goprobe.report.options import RenderOptions
from goprobe.report.text import TextFormat

__all__ = ["Format", "RenderOptions", "formats", "render"]


class Format(Protocol):
    """A way to write reports down."""

    @property
    def name(self) -> str: ...

    def handles(self, kind: type) -> bool:
        """Whether reports of this struct type can be written in this format."""

    def render(self, report: object, options: RenderOptions) -> bytes: ...


_FORMATS: tuple[Format, ...] = (TextFormat(), JsonFormat())


def formats(kind: type) -> tuple[str, ...]:
    """The names of the formats in which a report of this struct type can be written."""
    return tuple(form.name for form in _FORMATS if form.handles(kind))


def render(report: object, name: str, options: RenderOptions) -> bytes:
    """The report in the format of that name; KeyError where `formats` does not list it."""
    for form in _FORMATS:
        if form.name == name and form.handles(type(report)):
            return form.render(report, options)
    raise KeyError(f"{type(report).__name__} has no format {name!r}")
