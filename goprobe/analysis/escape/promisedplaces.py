"""Of which places in the source the promises and exemptions of a binary speak."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from goprobe.analysis.escape.promises import ALLOW, Promise
from goprobe.binary.pcln.format import SourceFrame, plain_name
from goprobe.model.escape import SourceLine

_LITERAL = re.compile(r"\.func\d+")


class PromisedPlaces:
    """`promises` are all of the source, exemptions among them; `canonical` names files as the
    sources have them."""

    def __init__(self, canonical: Callable[[str], str], promises: Sequence[Promise]) -> None:
        self._canonical = canonical
        self._exemptions = [p for p in promises if p.word == ALLOW and not p.problem]

    def exempt(self, frame: SourceFrame) -> str:
        """Why the code of a line may allocate, "" where it may not."""
        file = self._canonical(frame.file)
        return next((e.reason for e in self._exemptions if e.holds(file, frame.line)), "")

    def exempts(self, place: SourceLine) -> bool:
        return any(e.holds(place.file, place.line) for e in self._exemptions)

    def speaks(self, promise: Promise, function: str, file: str, line: int) -> bool:
        """Whether it is the promise's own code. A literal is a function of its own."""
        around = function if promise.is_proven else _LITERAL.split(function, maxsplit=1)[0]
        if promise.named and is_named(around, promise.named):
            return True
        if promise.function and promise.is_proven and _LITERAL.search(function):
            return False
        return promise.holds(self._canonical(file), line)


def is_literal(function: str) -> bool:
    return bool(_LITERAL.search(function))


def is_named(function: str, named: str) -> bool:
    """Whether a function is the one that a user calls so: with its package's whole path, or the
    last part of that."""
    plain, spelt = plain_name(function), named.replace("%2e", ".")
    return named == function or spelt == plain or plain.endswith(f"/{spelt}")
