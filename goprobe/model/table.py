"""Reports that are one table: rows of one struct, a column for each of its fields.

    class Row(msgspec.Struct, frozen=True):
        pid: int
        memory: Annotated[int, column("memory", unit="bytes")]

Such a report needs no file of its own to be written as text or as a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import msgspec

from goprobe.model.report import Report

Unit = Literal["", "bytes", "count", "yes", "ports", "id", "note"]
"""How a value is shown: as it is, as a size, in groups of three digits, "yes" where it is true,
as ":80 :443", by its first twelve characters; a note has no column: the report's `notes` tell
it."""


class TableColumn(msgspec.Struct, frozen=True):
    """A column of the table: the field that it shows, and how."""

    field: str
    title: str
    number: bool
    unit: Unit = ""


def column(title: str, *, unit: Unit = "") -> msgspec.Meta:
    """What a field says of its column."""
    return msgspec.Meta(title=title, extra={"unit": unit})


class TableReport(Report, frozen=True, kw_only=True):
    """A report that is one table."""

    row: ClassVar[type[msgspec.Struct]]

    @property
    def rows(self) -> Sequence[msgspec.Struct]:
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """The answer in a sentence: it stands above the table."""
        raise NotImplementedError

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said, a sentence each: below the table."""
        return ()


def columns(row: type[msgspec.Struct]) -> tuple[TableColumn, ...]:
    """The columns of rows of this struct, in the order of its fields."""
    hints = get_type_hints(row, include_extras=True)
    made = (_column(name, hints[name]) for name in row.__struct_fields__)
    return tuple(column for column in made if column.unit != "note")


def _column(name: str, hint: Any) -> TableColumn:
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    number = not {int, float}.isdisjoint((plain, *get_args(plain)))
    said = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, msgspec.Meta)), None)
    if said is None:
        return TableColumn(name, name, number)
    return TableColumn(name, said.title or name, number, (said.extra or {}).get("unit", ""))
