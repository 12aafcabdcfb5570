"""The report of `goprobe report`: schema goprobe.report/1, the first page of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec

from goprobe.model.table import TableReport, column


class FolderPage(msgspec.Struct, frozen=True):
    """A page of the folder, the same report as JSON, and the answer in a sentence. Where it could
    not be made both files are "" and the sentence is why."""

    name: Annotated[str, column("about")]
    page: Annotated[str, column("page")]
    data: Annotated[str, column("data")]
    says: Annotated[str, column("says")]


class FolderReport(TableReport, frozen=True, kw_only=True):
    """`pages` are of one look at a process; each of them stood still for so long (`pause_us`)."""

    pause_us: int
    pages: tuple[FolderPage, ...]
    schema: str = "goprobe.report/1"

    row: ClassVar[type[msgspec.Struct]] = FolderPage

    @property
    def rows(self) -> Sequence[FolderPage]:
        return self.pages

    @property
    def summary(self) -> str:
        return f"One look at process {self.pid} ({self.program or 'a Go program'})"
