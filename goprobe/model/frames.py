"""Tables of reports as pandas has them, where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import msgspec

from goprobe.model.report import Report

_MAIN = ("waste", "parts", "types", "goroutines", "locations", "map", "programs")


def frame(report: Report, table: str = "") -> Any:
    """The rows of a field as a DataFrame, with a column for each of their fields."""
    tables = {
        name: rows
        for name in report.__struct_fields__
        if (rows := _rows(getattr(report, name))) is not None
    }
    if not table:
        full = [name for name in (*_MAIN, *tables) if tables.get(name)]
        table = full[0] if full else next(iter(tables), "")
    if table not in tables:
        raise KeyError(f"no table {table!r}: there are {', '.join(tables) or 'none'}")
    pandas = import_module("pandas")
    return pandas.DataFrame([_columns(row) for row in tables[table]])


def _rows(value: object) -> Sequence[msgspec.Struct] | None:
    if isinstance(value, tuple) and all(isinstance(row, msgspec.Struct) for row in value):
        return value
    return None


def _columns(row: msgspec.Struct) -> dict[str, Any]:
    """A struct within it is columns of its own ("stack.low"); what is not told is None."""
    columns: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, msgspec.Struct):
            columns |= {f"{name}.{inner}": each for inner, each in _columns(value).items()}
        else:
            columns[name] = None if value is msgspec.UNSET else value
    return columns
