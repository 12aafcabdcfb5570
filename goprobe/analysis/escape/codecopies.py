"""Where the code of a line, or of a function, begins: of its own, and each place of inlining."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.codeplaces import MOST_STARTS, CodeStartTable, Copy, Starts
from goprobe.analysis.escape.promises import LineRange
from goprobe.analysis.escape.siteplan import SitePlan

_MOST = 4096


class OwnFunction(msgspec.Struct, frozen=True):
    """A function with code, its lines, how many copies there are, and where these begin."""

    name: str
    file: str
    first: int
    last: int
    copies: int
    starts: Starts


class Copies:
    """`canonical` names files as the sources have them; of others than `own` nothing is known."""

    def __init__(
        self, table: CodeStartTable, canonical: Callable[[str], str], own: Callable[[str], bool]
    ) -> None:
        names = {file: canonical(file) for file, _ in table.by_line}
        wanted = {file for file, name in names.items() if own(name)}
        self._table, self._names = table, names
        self._places: dict[tuple[str, int], dict[Copy, Starts]] = {}
        for (file, line), copies in table.by_line.items():
            if file in wanted:
                self._places.setdefault((names[file], line), {}).update(copies)
        self.functions = tuple(
            OwnFunction(name, names[f.file], f.first, f.last, len(f.starts), _all(f.starts))
            for name, f in table.functions.items()
            if f.file in wanted
        )

    def starts_in(self, spans: Iterable[LineRange]) -> list[int]:
        """Where the code of some lines begins in each copy of it."""
        by_copy: dict[Copy, Starts] = {}
        for span in spans:
            for line in range(span.first, span.last + 1):
                for copy, starts in self._places.get((span.file, line), {}).items():
                    both = sorted({*by_copy.get(copy, ()), *starts})
                    by_copy[copy] = tuple(both[:MOST_STARTS])
        return list(_all(by_copy))[:_MOST]

    def starts_of(self, plan: SitePlan) -> list[int]:
        """Where the code of a site's line begins in each copy of it; where there is none, that of
        its function."""
        starts = _all(self._places.get((plan.predicted.file, plan.predicted.line), {}))
        function = self._table.functions.get(plan.function)
        return list(starts or (_all(function.starts) if function else ()))

    def shown(self, plan: SitePlan) -> bool:
        """Whether its code shows that a site's line ran: not where the optimiser has moved all of
        it in some copy to where it is needed, past a branch."""
        copies = self._places.get((plan.predicted.file, plan.predicted.line), {})
        return all(map(self._table.shows, copies.values()))

    def ran(self, starts: Iterable[int], ran_at: Callable[[int], bool]) -> bool | None:
        """Whether code with these starts ran; None where only what may belong to another time of
        it was seen to."""
        seen = [pc for pc in starts if ran_at(pc)]
        return any(map(self._table.proves, seen)) or (None if seen else False)

    def starts_of_line(self, call: AllocationCall) -> list[int]:
        """Where the code of a call's own line begins, in the function that holds the call."""
        inner = call.standing[0]
        copies = self._table.by_line.get((inner.file, inner.line), {})
        return [pc for (entry, _), starts in copies.items() if entry == call.entry for pc in starts]

    def starts_around(self, call: AllocationCall) -> Iterator[int]:
        """Where the functions begin in whose code a call stands."""
        for frame in call.frames:
            function = self._table.functions.get(frame.function)
            for (entry, _), starts in function.starts.items() if function else ():
                if entry == call.entry:
                    yield from starts


def _all(starts: Mapping[Copy, Starts]) -> Starts:
    return tuple(pc for each in starts.values() for pc in each)
