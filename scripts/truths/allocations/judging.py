"""goprobe's report held against what the program's own profile and MemStats say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts.truths.allocations.witness import Record, Witness
from scripts.truths.answer import Answer, not_told, right, wrong

ALLOCATING = frozenset(("confirmed_heap", "deferred_heap", "spilled_to_heap", "unpredicted"))
_SAYS_NOTHING_MADE = frozenset(
    ("confirmed_stack", "static", "elided", "no_copy", "not_reached", "dead")
)
_SAYS = re.compile(
    r"(?:allocated on the heap|and allocated|allocated all the same \() ?"
    r"(?P<count>once|twice|\d+)(?: times| of|\b)"
)
_WORDS = {"once": 1, "twice": 2}


@dataclass(frozen=True, slots=True)
class Told:
    """What goprobe says was made on a line: at least, at most (None: it does not say)."""

    objects: int
    blocks: int | None
    whole: bool
    direct: int = 0
    """How many of these by calls of mallocgc itself: see `Judge.lines`."""


class Judge:
    """The questions about one run of one program; `file` is the source that is asked about."""

    def __init__(self, report: dict[str, Any], witness: Witness, file: str, go: str) -> None:
        self._report, self._file = report, file
        self._truth = witness.lines(file)
        self._source: list[str] = []
        # Up to Go 1.25 the profile leaves out one frame too many where compiled code calls mallocgc
        # itself (runtime/mprof.go, callers(4, …)): the caller's line then has the allocation.
        self._skips = tuple(map(int, go.split("."))) <= (1, 25)
        self._calls = [
            call for site in report["sites"] for call in site["calls"] if call["file"] == file
        ]
        self._hidden = sum(witness.mallocs.values())

    def answers(self) -> Iterator[Answer]:
        yield from self._whole()
        yield from self._lines()
        yield from self._verdicts()

    def _whole(self) -> Iterator[Answer]:
        """These programs are correct, and end by themselves."""
        for site in self._report["sites"]:
            if site["verdict"] == "contradicted":
                yield wrong(f"line {site['line']}: contradicted", truth="the program is correct",
                            told=f"{site['expression']}: {site['reason']}")  # fmt: skip
        for found in self._report["dangling"]:
            yield wrong("dangling", truth="the program is correct", told=str(found))
        partial, ended = self._report["partial"], self._report["exit"]
        if partial or ended != {"code": 0}:
            yield wrong("the run", truth="it ends with code 0", told=f"{ended} {partial}")

    def _lines(self) -> Iterator[Answer]:
        told = self._told_by_line()
        direct = sum(line.direct for line in told.values()) if self._skips else 0
        for number in sorted({*told, *self._truth}):
            line = told.get(number)
            made = self._truth.get(number, Record(0, 0, ()))
            asked = f"line {number}: allocations"
            if line is None:
                if made.objects > direct:
                    yield wrong(asked, truth=f"{made.objects}", told="nothing of this line")
            elif not line.whole or line.blocks is None:
                yield not_told(asked, "not every hit was looked at")
            else:
                low = line.blocks - (line.direct if self._skips else 0)
                if low <= made.objects <= line.blocks + direct:
                    yield right(asked)
                else:
                    yield wrong(asked, truth=f"{made.objects}", told=f"{line.blocks}")

    def _told_by_line(self) -> dict[int, Told]:
        found: dict[int, Told] = {}
        for call in self._calls:
            known = found.get(call["line"], Told(0, 0, True))
            blocks = call["blocks"] if call["blocks"] >= 0 else None
            direct = (blocks or 0) if call["callee"] == "runtime.mallocgc" else 0
            known_blocks = known.blocks
            found[call["line"]] = Told(
                known.objects + max(call["allocations"], 0),
                None if blocks is None or known_blocks is None else blocks + known_blocks,
                known.whole and call["allocations"] >= 0,
                known.direct + direct,
            )  # fmt: skip
        return found

    def _verdicts(self) -> Iterator[Answer]:
        """A verdict that says that nothing was allocated, and one that says the contrary."""
        sites: dict[int, list[dict[str, Any]]] = {}
        for site in self._report["sites"]:
            places = {c["line"] for c in site["calls"] if c["file"] == self._file}
            if site["file"] == self._file and not site["calls"]:
                places = {site["line"]}
            for line in places:
                sites.setdefault(line, []).append(site)
        for line, group in sorted(sites.items()):
            yield from self._of_line(line, group)

    def _of_line(self, line: int, sites: list[dict[str, Any]]) -> Iterator[Answer]:
        made = self._truth.get(line, Record(0, 0, ())).objects
        asked = f"line {line}: verdicts"
        verdicts = {site["verdict"] for site in sites}
        said = "; ".join(f"{s['expression']}: {s['verdict']}, {s['reason']}" for s in sites)
        if made and not self._skips and verdicts <= _SAYS_NOTHING_MADE:
            yield wrong(asked, truth=f"{made} allocations", told=said)
            return
        for site in sites:
            if site["verdict"] in ALLOCATING and len(site["calls"]) == 1:
                count = self._said(site)
                if count is not None and len(sites) == 1 and made > count:
                    yield wrong(asked, truth=f"{made} allocations", told=said)
                    return
        yield right(asked)

    def _said(self, site: dict[str, Any]) -> int | None:
        found = _SAYS.search(site["reason"])
        return _WORDS.get(found["count"]) or int(found["count"]) if found else None
