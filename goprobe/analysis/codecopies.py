"""Where the code of a line, or of a function, begins: of its own, and each place of inlining."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from goprobe.analysis.codelines import CodeLines, Copy
from goprobe.analysis.plan import SitePlan
from goprobe.analysis.promises import Span
from goprobe.analysis.sites import AllocationCall

_MOST = 4096


class OwnFunction(msgspec.Struct, frozen=True):
    """A function with code, its lines, and where each copy of that begins."""

    name: str
    file: str
    first: int
    last: int
    starts: tuple[int, ...]


class Copies:
    """`canonical` names files as the sources have them; of others than `own` nothing is known."""

    def __init__(
        self, lines: CodeLines, canonical: Callable[[str], str], own: Callable[[str], bool]
    ) -> None:
        names = {file: canonical(file) for file, _ in lines.places}
        wanted = {file for file, name in names.items() if own(name)}
        self._lines, self._names = lines, names
        self._places: dict[tuple[str, int], dict[Copy, int]] = {}
        for (file, line), copies in lines.places.items():
            if file in wanted:
                self._places.setdefault((names[file], line), {}).update(copies)
        self.functions = tuple(
            OwnFunction(name, names[f.file], f.first, f.last, tuple(f.starts.values()))
            for name, f in lines.functions.items()
            if f.file in wanted
        )

    def starts_in(self, spans: Iterable[Span]) -> list[int]:
        """Where the code of some lines begins in each copy of it."""
        first: dict[Copy, int] = {}
        for span in spans:
            for line in range(span.first, span.last + 1):
                for copy, pc in self._places.get((span.file, line), {}).items():
                    first[copy] = min(pc, first.get(copy, pc))
        return list(first.values())[:_MOST]

    def starts_of(self, plan: SitePlan) -> list[int]:
        """Where the code of a site's line begins in each copy of it; where there is none, that of
        its function."""
        starts = list(self._places.get((plan.predicted.file, plan.predicted.line), {}).values())
        found = self._lines.functions.get(plan.function)
        return starts or (list(found.starts.values()) if found else [])

    def starts_of_line(self, call: AllocationCall) -> list[int]:
        """Where the code of a call's own line begins, in the function that holds the call."""
        inner = call.frames[0]
        copies = self._lines.places.get((inner.file, inner.line), {})
        return [pc for (entry, _), pc in copies.items() if entry == call.entry]

    def starts_around(self, call: AllocationCall) -> Iterator[int]:
        """Where the functions begin in whose code a call stands."""
        for frame in call.frames:
            found = self._lines.functions.get(frame.function)
            for (entry, _), pc in found.starts.items() if found else ():
                if entry == call.entry:
                    yield pc
