"""What each verdict of `goprobe escape` means, and how loudly it is to be said."""

from __future__ import annotations

from enum import IntEnum

from goprobe.counts import counted
from goprobe.model.escape import PassedOver, Verdict


class Loudness(IntEnum):
    """QUIET: of no interest unless asked for. NOTE: an allocation, as predicted."""

    QUIET = 0
    FINE = 1
    NOTE = 2
    WARNING = 3
    ALARM = 4


LOUDNESS: dict[Verdict, Loudness] = {
    Verdict.CONFIRMED_HEAP: Loudness.NOTE,
    Verdict.CONFIRMED_STACK: Loudness.FINE,
    Verdict.STATIC: Loudness.FINE,
    Verdict.SHARED: Loudness.FINE,
    Verdict.DEFERRED_HEAP: Loudness.NOTE,
    Verdict.SPILLED_TO_HEAP: Loudness.WARNING,
    Verdict.ELIDED: Loudness.FINE,
    Verdict.NO_COPY: Loudness.FINE,
    Verdict.NOT_REACHED: Loudness.QUIET,
    Verdict.DEAD: Loudness.QUIET,
    Verdict.UNPREDICTED: Loudness.NOTE,
    Verdict.UNOBSERVED: Loudness.QUIET,
    Verdict.CONTRADICTED: Loudness.ALARM,
}

MEANINGS: dict[Verdict, str] = {
    Verdict.CONFIRMED_HEAP: "Predicted to escape, and allocated on the heap.",
    Verdict.CONFIRMED_STACK: "Predicted not to escape, and in the goroutine's stack frame.",
    Verdict.STATIC: "Read-only or package-level memory: nothing is allocated.",
    Verdict.SHARED: "Inside another object: nothing of its own is allocated.",
    Verdict.DEFERRED_HEAP: "Built on the stack and moved to the heap when it escapes.",
    Verdict.SPILLED_TO_HEAP: "Predicted not to escape, but allocated on the heap all the same.",
    Verdict.ELIDED: "The compiler needs no memory for it at all.",
    Verdict.NO_COPY: "The conversion copies nothing.",
    Verdict.NOT_REACHED: "There is code that allocates, but it never ran.",
    Verdict.DEAD: "The binary holds no such code.",
    Verdict.UNPREDICTED: "It allocates, and the compiler said nothing of it.",
    Verdict.UNOBSERVED: "What happened could not be seen.",
    Verdict.CONTRADICTED: "What happened contradicts the prediction: a bug of the compiler or of"
    " goprobe.",
}


def words(verdict: Verdict) -> str:
    """The verdict as words: "confirmed heap"."""
    return verdict.replace("_", " ")


_FEW = 4


def passed_over(those: PassedOver) -> str:
    """That promises were not looked at, and how they would be; "" where there are none."""
    if not those.promises:
        return ""
    named = those.packages[:_FEW]
    more = len(those.packages) - len(named)
    listed = f"{', '.join(named)}{f' and {more} more' if more else ''}"
    verb = "was" if those.promises == 1 else "were"
    return (
        f"{counted(those.promises, 'promise')} of other packages of the module ({listed})"
        f" {verb} not looked at: name those as well"
    )
