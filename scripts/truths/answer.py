"""What came of asking one thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from msgspec import convert

from goprobe.model.report import Audited


class Outcome(Enum):
    """WRONG is a failure; NOT_TOLD always has its reason."""

    RIGHT = "right"
    NOT_TOLD = "not told"
    WRONG = "WRONG"


Peers = Mapping[str, Counter[Outcome]]
"""What others answer to the same questions, by their names."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`asked` says of what ("main.f stop 3: variable x"); the truth is the program's own word."""

    asked: str
    outcome: Outcome
    truth: str = ""
    told: str = ""
    reason: str = ""
    """Why nothing was told, in a few words that many answers share, so that they can be counted."""


def right(asked: str) -> Answer:
    return Answer(asked, Outcome.RIGHT)


def not_told(asked: str, reason: str) -> Answer:
    return Answer(asked, Outcome.NOT_TOLD, reason=reason)


def wrong(asked: str, *, truth: str, told: str) -> Answer:
    return Answer(asked, Outcome.WRONG, truth, told)


def equal(asked: str, truth: object, told: object) -> Answer:
    return right(asked) if truth == told else wrong(asked, truth=str(truth), told=str(told))


def contradictions(audit: Iterable[Audited | Mapping[str, Any]]) -> Iterator[Answer]:
    """What a report, or the JSON of one, has found wrong with itself."""
    for each in audit:
        audited = convert(each, Audited)
        if not audited.holds:
            yield wrong(f"audit: {audited.check}", truth="it holds", told=audited.says)
