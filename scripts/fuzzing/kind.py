"""What a kind of damage provides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scripts.truths.choices import Choices


@dataclass(frozen=True, slots=True)
class Question:
    """Something asked of goprobe in this process. An error of goprobe's own is an answer, too."""

    name: str
    ask: Callable[[], object]


class Input(Protocol):
    """One damaged thing."""

    @property
    def told(self) -> str:
        """What was changed, a line each."""
        ...

    def asked(self) -> AbstractContextManager[Sequence[Question]]:
        """Puts the damage in place for as long as questions are asked of it."""
        ...

    def keep(self, folder: Path, question: str) -> str:
        """Writes into the folder what shows the failure by itself; the command that does."""
        ...


class Subject(Protocol):
    """Something whole that is damaged, over and over; made once, then shared by all workers."""

    @property
    def name(self) -> str: ...

    def damaged(self, choices: Choices) -> Input:
        """An input; a pure function of the choices, the simplest where all are 0."""
        ...


class Kind(Protocol):
    """A kind of thing that goprobe reads."""

    name: str

    def subjects(self, home: Path, gos: Sequence[str]) -> Sequence[Subject]:
        """Things to damage. What takes long to make may be kept in `home`."""
        ...
