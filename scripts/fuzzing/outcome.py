"""What came of asking one question of one input."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The first two are as it should be."""

    ANSWERED = "answered"
    REFUSED = "refused"  # with a sentence
    TRACEBACK = "traceback"
    SILENT = "silent"  # wrong, and nothing says so
    HANG = "hang"
    MEMORY = "memory"
    DIED = "died"

    @property
    def good(self) -> bool:
        return self in (Outcome.ANSWERED, Outcome.REFUSED)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and its outcome. `detail` is the sentence, or the traceback; `where` names the
    place in goprobe, so that one fault is counted once."""

    question: str
    outcome: Outcome
    detail: str = ""
    where: str = ""
    seconds: float = 0.0
    peak: int = 0  # bytes beyond what the worker held before

    @property
    def signature(self) -> str:
        return f"{self.outcome}: {self.where or self.question}"
