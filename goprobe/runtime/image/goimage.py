"""Go programs as they are loaded in a process: its executable, and libraries with a runtime of
their own (-buildmode=c-shared, or a C library that a c-archive was linked into)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

import msgspec

from goprobe.model.report import Head, head
from goprobe.runtime.image.program import GoProgram


class GoImage(msgspec.Struct, frozen=True):
    """One of them. `bias` is what to add to its link-time addresses."""

    program: GoProgram
    bias: int

    @property
    def path(self) -> str:
        return self.program.elf.shown_as

    @property
    def name(self) -> str:
        return PurePath(self.path.removesuffix(" (deleted)")).name

    @property
    def span(self) -> tuple[int, int]:
        """[low, high) in the process."""
        low, high = self.program.image
        return low + self.bias, high + self.bias


def head_of(pid: int, program: GoProgram, beside: Iterable[GoImage] = ()) -> Head:
    """What a report on this program, in this process, begins with."""
    return head(pid, program.go.version, program.elf.shown_as, (image.path for image in beside))
