"""Which file writes a report down: that of the report's own name, in the format's package."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from types import ModuleType

from goprobe.model.report import report_name
from goprobe.model.table import TableReport


@cache
def composer_name(report_type: type, package: str) -> str:
    """The module of `package` that writes reports of this struct, "" where there is none.

    A report that is one table needs no file of its own. Named, not imported: each brings what it
    draws with (rich, jinja2).
    """
    name = report_name(report_type)
    if name and importlib.util.find_spec(f"{package}.{name}"):
        return f"{package}.{name}"
    return f"{package}.table" if name and issubclass(report_type, TableReport) else ""


def composer_of(report_type: type, package: str) -> ModuleType:
    """The module itself."""
    return importlib.import_module(composer_name(report_type, package))
