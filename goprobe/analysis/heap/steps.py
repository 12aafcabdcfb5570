"""Paths as text: what their root is called, and how each step leads to the next one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from goprobe.analysis.heap.windows import Selected


class Steps(msgspec.Struct, frozen=True):
    """A path in parts. `outside` has for each step where in what led there it is, if that is not
    within what a pointer there selects: "" for others."""

    root: str
    steps: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    def then(self, step: Selected) -> Steps:
        """The path that goes on so."""
        note = step.outside and step.outside.format(joined(self.root, self.steps))
        return Steps(self.root, (*self.steps, step.text), (*self.outside, note))

    def text(self, last: str = "") -> str:
        """As Go writes it; what Go cannot select is said behind it."""
        return joined(self.root, self.steps, last) + self.notes

    @property
    def notes(self) -> str:
        told = ", ".join(filter(None, self.outside))
        return f" ({told})" if told else ""


def joined(root: str, steps: Sequence[str], *more: str) -> str:
    """A path as text, of its parts (see Names.steps)."""
    return selected(root, _folded([*steps, *filter(None, more)]))


def selected(name: str, part: str) -> str:
    """A part of a root as Go selects it: those of what a pointer leads to ("*main.cache") by the
    pointer's own name ("main.cache.head")."""
    return (name.removeprefix("*") if part[:1] in (".", "[") else name) + part


def _folded(steps: list[str]) -> str:
    """Steps as one text; the same one many times over is counted."""
    text = ""
    i = 0
    while i < len(steps):
        times = 1
        while i + times < len(steps) and steps[i + times] == steps[i]:
            times += 1
        text += steps[i] * times if times < 4 or not steps[i] else f"{steps[i]}…×{times}"
        i += times
    return text
