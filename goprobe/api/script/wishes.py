"""Wishes of a script that a tracer can test by itself, at the thread that came to a breakpoint,
while all others run on.

A stop that need not be is only spared where that is sure: whatever a test cannot tell is told as a
stop, and the script's own condition decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goprobe.analysis.trace.session import Session
from goprobe.api.script.goexpr import condition
from goprobe.api.script.inplace import NotInPlaceError, Slot, variable
from goprobe.api.script.quick import QuickReads
from goprobe.arch.registers import GOROUTINE_WORD
from goprobe.binary.dwarf.gotypes import TypeReader
from goprobe.model.script import Wish, Wishes
from goprobe.process.calltracer.plan import Hit
from goprobe.process.stoptracer.plan import Test

_NUMBER = 8  # bytes of g.goid


class Wished:
    """What is wished of the stops of a session."""

    def __init__(self, session: Session, quick: QuickReads) -> None:
        self._session, self._quick = session, quick
        self._known: tuple[Wishes, int] = {}, 0
        self._wanted: Mapping[int, Sequence[Wish]] = {}
        self._tests: Mapping[int, Test] = {}
        self.wishes: Wishes = {}

    def tests(self) -> Mapping[int, Test]:
        """What can be tested of it, by the addresses of stops; the same object while that is the
        same."""
        known, slots = (self.wishes, len(self._quick.slots)), self._quick.slots
        if self._known != known:
            self._known = known
            wanted: dict[int, Sequence[Wish]] = {}
            untold: set[int] = set()  # of whose wishes one may be anything
            for at, where in self._session.places():
                wanted[at] = (*wanted.get(at, ()), *self.wishes.get(where, ()))
                if where not in self.wishes or at not in slots:
                    untold.add(at)
            for at in untold:
                del wanted[at]
            if self._wanted != wanted:  # else what was learned is of a place of no wish
                self._wanted, program = wanted, self._session.program
                goid = program.facts.layout.struct("g").offset("goid")
                types = program.debug.types
                self._tests = {at: test_of(w, slots[at], types, goid) for at, w in wanted.items()}
        return self._tests


def test_of(
    wishes: Sequence[Wish], slots: Mapping[str, Slot], types: TypeReader, goid: int
) -> Test:
    """Whether one of the wishes may be for the stop. `goid` is the offset of g.goid."""
    made = [(condition(w.text) if w.text else None, w.goroutine) for w in wishes]

    def test(hit: Hit) -> bool:
        def scope(name: str) -> object:
            if name not in slots:
                raise NotInPlaceError
            return variable(slots[name], hit, types)

        try:
            return any(
                (not goroutine or _runs(goroutine, hit, goid))
                and (expression is None or expression(scope))
                for expression, goroutine in made
            )
        except Exception:  # the script is to see what is wrong
            return True

    return test


def _runs(goroutine: int, hit: Hit, goid: int) -> bool:
    raw = hit.read(hit.words[GOROUTINE_WORD] + goid, _NUMBER)
    return len(raw) < _NUMBER or int.from_bytes(raw, "little") == goroutine
