"""Sites of which the compiler said nothing: what is made by calls that no message speaks of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.expressions import CLOSURE, ExpressionShape
from goprobe.analysis.escape.predictions import Predicted
from goprobe.analysis.escape.score import described
from goprobe.analysis.escape.siteplan import FileLine, SitePlan
from goprobe.model.escape import Prediction
from goprobe.runtime.allocatorcalls import Family

TypeName = Callable[[int], str]


class Anchored(msgspec.Struct, frozen=True):
    """A call with the index of the frame whose line it belongs to, and that frame's place."""

    call: AllocationCall
    at: int
    place: FileLine

    @property
    def function(self) -> str:
        return self.call.frames[self.at].function

    @property
    def inlined(self) -> str:
        """The function whose inlined body holds the call, "" where it stands on the line itself."""
        return self.call.frames[self.at - 1].function if self.at else ""


class Unpredicted:
    """`canonical` gives the names of files as the sources have them, `own` says which of these are
    looked at; `type_name` names a type descriptor."""

    def __init__(
        self,
        canonical: Callable[[str], str],
        own: Callable[[str], bool],
        type_name: TypeName = lambda _: "",
    ) -> None:
        self._canonical, self._own, self._type_name = canonical, own, type_name

    def of(self, calls: Iterable[AllocationCall]) -> list[SitePlan]:
        """Sites of what the runtime was seen to allocate in calls that ask for no memory."""
        return self.plans([a for a in map(self.anchor, calls) if a])

    def anchor(self, call: AllocationCall) -> Anchored | None:
        # The outermost frame of own code: -m reports what an inlined body does at the line of the
        # call that was inlined.
        for at in range(len(call.frames) - 1, -1, -1):
            frame = call.frames[at]
            file = self._canonical(frame.file)
            if frame.line and self._own(file):
                return Anchored(call, at, (file, frame.line))
        return None

    def plans(self, left: Sequence[Anchored]) -> list[SitePlan]:
        """One for each kind of call on a line."""
        made: dict[tuple[FileLine, str, int], SitePlan] = {}
        for anchored in left:
            call = anchored.call
            family = call.allocator.family
            name = self._type_name(call.type) if call.type else ""
            words = described(family, call.callee if family is Family.LINKED else name)
            key = anchored.place, words, call.type
            if key not in made:
                shape = ExpressionShape(frozenset((family,)))
                predicted = Predicted(*anchored.place, 0, words, Prediction.NONE, shape)
                made[key] = SitePlan(
                    predicted=predicted,
                    function=anchored.function,
                    code=True,
                    alive=True,
                    wrapper=name.startswith(CLOSURE),
                )
            made[key].calls.append(call)
        return list(made.values())
