"""Allocation sites of a process, as one looks at them in Python.

sites = process.sites(types=True)
for site in sites: print(site.inuse_bytes, site.stack[site.allocator].function)
sites.to_pandas().groupby("function").inuse_bytes.sum()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib import import_module
from typing import Any, overload

from msgspec import UNSET

from goprobe.counts import counted
from goprobe.errors import CannotWorkError, UsageError
from goprobe.model.heap import HeapReport
from goprobe.model.sites import Sampling, Site

_SHOWN = 30


class Sites(Sequence[Site]):
    """The sites of one moment, most bytes in use first; `report` is all that was told of it."""

    def __init__(self, report: HeapReport) -> None:
        if report.sites is UNSET or report.sampling is UNSET:
            raise UsageError("this report was not asked for allocation sites")
        self.report = report
        self.sampling: Sampling = report.sampling
        self._sites = report.sites

    def __len__(self) -> int:
        return len(self._sites)

    @overload
    def __getitem__(self, index: int) -> Site: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Site]: ...
    def __getitem__(self, index: int | slice) -> Site | Sequence[Site]:
        return self._sites[index]

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each site: the function that allocated, its place, the
        whole stack as text, the figures. Raises CannotWorkError where there is no pandas."""
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise CannotWorkError(
                f"there is no pandas here ({error})", hint="pip install pandas"
            ) from None
        return pandas.DataFrame(list(map(_row, self._sites)), columns=_columns())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        names = ("inuse_bytes", "inuse_objects", "alloc_bytes", "function", "file", "line")
        head = "".join(f"<th>{name}</th>" for name in names)
        rows = []
        for site in self._sites[:_SHOWN]:
            cells = _row(site)
            told = "".join(f"<td>{escape(str(cells[name]))}</td>" for name in names)
            rows.append(f"<tr>{told}</tr>")
        more = len(self._sites) - _SHOWN
        rest = f"<p>and {counted(more, 'more site')}</p>" if more > 0 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{rest}"


def _row(site: Site) -> dict[str, object]:
    own = site.stack[site.allocator :] or site.stack
    first = own[0] if own else None
    return {
        "function": first.function if first else "",
        "file": first.file if first else "",
        "line": first.line if first else 0,
        "inuse_objects": site.inuse_objects,
        "inuse_bytes": site.inuse_bytes,
        "alloc_objects": site.alloc_objects,
        "alloc_bytes": site.alloc_bytes,
        "now_objects": site.now_objects,
        "now_bytes": site.now_bytes,
        "retained_bytes": None if site.retained_bytes is UNSET else site.retained_bytes,
        "types": ", ".join(site.types),
        "held_by": ", ".join(site.held_by),
        "stack": " < ".join(frame.function for frame in own),
    }


def _columns() -> list[str]:
    empty = Site(
        stack=(),
        inuse_objects=0,
        inuse_bytes=0,
        alloc_objects=0,
        alloc_bytes=0,
        now_objects=0,
        now_bytes=0,
        sizes=(),
    )
    return list(_row(empty))
