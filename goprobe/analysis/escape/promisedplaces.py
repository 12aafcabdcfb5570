"""Of which places in the source the promises and exemptions of a binary speak."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from goprobe.analysis.escape.promises import ALLOW, Promise
from goprobe.binary.pcln.format import SourceFrame, plain_name
from goprobe.model.escape import SourceLine

_OF_A_SHAPE, _ALL_SHAPES = "[go.shape.", "[...]"
# A literal of what was inlined into one is named by its number alone (Go 1.27).
_LITERAL = re.compile(r"\.(?:func)?\d+(?=$|[.-])")
# What a literal, or the body of a range over a function, adds to the name of what it stands in.
_PART = re.compile(r"(?:\.func\d+(?:\.\d+)*|-range\d+|\.\d+(?=$|[.-]))")
# What stands in no function is in the one that the compiler makes (GlobalDecl, Go 1.21 to 1.27).
_OF_THE_PACKAGE = re.compile(r"(?:\.init|\.glob\.)$")


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
        whole = (function,) if promise.is_proven else standing_in(function)
        if promise.named and any(is_named(each, promise.named) for each in whole):
            return True
        if promise.function and promise.is_proven and _LITERAL.search(function):
            return False
        return promise.holds(self._canonical(file), line)


def is_literal(function: str) -> bool:
    return bool(_LITERAL.search(function))


def is_part(function: str) -> bool:
    """Whether it is a literal, or the body of a range over a function."""
    return bool(_PART.search(function))


def without_part(function: str) -> str:
    """The function in which a part of it stands, itself where it is no part."""
    part = _PART.search(function)
    return function[: part.start()] if part else function


def is_of_package(function: str) -> bool:
    """Whether it is a literal that stands in no function."""
    return is_part(function) and bool(_OF_THE_PACKAGE.search(without_part(function)))


def standing_in(function: str) -> list[str]:
    """A function and those in which it stands, as they are named."""
    ends = [match.start() for match in _PART.finditer(function)]
    outer = [function[:end] for end in ends]
    return [function, *(name for name in outer if not _OF_THE_PACKAGE.search(name))]


def is_named(function: str, named: str) -> bool:
    """Whether a function is the one that a user calls so: with its package's whole path, or the
    last part of that. With type arguments, or as Go's stack traces have it ("F[...]"), that is the
    code that is there for all types of a shape, too."""
    plain = plain_name(function)
    compiled = _OF_A_SHAPE in function or _ALL_SHAPES in named
    spelt = plain_name(named) if compiled else named.replace("%2e", ".")
    return named == function or spelt == plain or plain.endswith(f"/{spelt}")
