"""goprobe's report held against what the program's own profile and MemStats say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.truths.allocations.program import MAIN
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
_ENDS = re.compile(r"\s*(\}|\}\(\)|\}\)|return acc)")
_WRAPPED = re.compile(r"\b(defer|go) (?!func)")
# How a map grows is a matter of its seed, what a pool still has of the threads.
_CHANCE = re.compile(r"m\d+\[|make\(map|map\[|pool|^\s*go |\}")
_PROMISE = re.compile(r"//goprobe:(\w+)")
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
    """The questions about one run of a program whose `source` are the lines of main.go. `witness`
    is what the program said of that run, `plain` of one without goprobe."""

    def __init__(
        self,
        report: dict[str, Any],
        witness: Witness,
        plain: Witness,
        source: Sequence[str],
        go: str,
    ) -> None:
        self._report, self._source, self._whole = report, source, witness.whole
        self._truth, self._plain = witness.lines(MAIN), plain.lines(MAIN)
        self._records = witness.records
        # Up to Go 1.25 the profile leaves out one frame too many where compiled code calls mallocgc
        # itself (runtime/mprof.go, callers(4, …)): the caller's line then has the allocation.
        self._skips = tuple(map(int, go.split("."))) <= (1, 25)
        self._calls = [c for site in report["sites"] for c in site["calls"] if c["file"] == MAIN]
        # Objects that share a block of the tiny allocator with others: the profile lacks them.
        self._hidden = max(
            0, sum(witness.mallocs.values()) - witness.objects_within("main.measure")
        )
        # The profile leaves out the frames of closures that the compiler makes of deferred calls:
        # what is made in them counts for the line at which these are run.
        ends = [n for n in self._truth if _ENDS.fullmatch(source[n - 1])]
        self._elided = sum(self._truth.pop(number).objects for number in ends)

    def answers(self) -> Iterator[Answer]:
        yield from self._run()
        yield from self._lines()
        yield from self._verdicts()
        if not (self._skips and any(c["callee"] == "runtime.mallocgc" for c in self._calls)):
            yield from self._promises()

    def _run(self) -> Iterator[Answer]:
        """These programs are correct, and end by themselves."""
        for site in self._report["sites"]:
            if site["verdict"] == "contradicted":
                yield wrong(f"line {site['line']}: contradicted", truth="the program is correct",
                            told=f"{site['expression']}: {site['reason']}")  # fmt: skip
        for found in self._report["dangling"]:
            yield wrong("dangling", truth="the program is correct", told=str(found))
        if not self._whole:
            yield wrong("the run", truth="it tells what it made", told="it did not")
        differing = {
            number: (self._made(self._plain, number), self._made(self._truth, number))
            for number in {*self._plain, *self._truth}
            if not _CHANCE.search(self._source[number - 1])
        }
        told = {n: pair for n, pair in differing.items() if abs(pair[0] - pair[1]) > self._hidden}
        if told:
            yield wrong("the run is that of the program without goprobe", truth="by line (without, "
                        "with)", told=str(told))  # fmt: skip
        partial, ended = self._report["partial"], self._report["exit"]
        if partial or ended != {"code": 0}:
            yield wrong("the run", truth="it ends with code 0", told=f"{ended} {partial}")

    def _made(self, lines: dict[int, Record], number: int) -> int:
        return lines[number].objects if number in lines else 0

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
            elif not line.whole:
                yield not_told(asked, "nothing was counted")
            else:
                blocks = line.objects if line.blocks is None else line.blocks
                hidden = self._hidden if line.blocks is None else 0
                low = blocks - (line.direct if self._skips else 0) - hidden
                if _WRAPPED.search(self._source[number - 1]):
                    low -= self._elided
                if low <= made.objects <= blocks + direct:
                    yield right(asked)
                else:
                    yield wrong(asked, truth=f"{made.objects}", told=f"{blocks}")

    def _told_by_line(self) -> dict[int, Told]:
        found: dict[int, Told] = {}
        for call in self._calls:
            known = found.get(call["line"], Told(0, 0, True))
            blocks = call["blocks"] if call["blocks"] >= 0 else None
            direct = call["allocations"] if call["callee"] == "runtime.mallocgc" else 0
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
            places = {c["line"] for c in site["calls"] if c["file"] == MAIN}
            if site["file"] == MAIN and not site["calls"]:
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

    def _promises(self) -> Iterator[Answer]:
        """Those in the source: each is answered once, and truly."""
        told = {(a["line"], a["text"]): a for a in self._report["assertions"]}
        for number, line in enumerate(self._source, 1):
            if found := _PROMISE.search(line):
                word = found[1]
                asked = f"line {number}: promise {word}"
                answer = told.pop((number, word), None)
                if answer is None:
                    yield wrong(asked, truth="an answer", told="none")
                    continue
                first, last = self._range(number)
                made = self._made_in(first, last)
                yield self._kept(asked, word, answer, made, range(first, last + 1))
        for key in told:
            yield wrong("promises", truth="those of the source", told=str(key))

    def _range(self, number: int) -> tuple[int, int]:
        """The lines of which the promise of a line speaks."""
        source = self._source
        if not source[number - 1].startswith("//"):
            return number, number
        first = next(n for n in range(number, len(source)) if source[n - 1].startswith("func"))
        return first, next(n for n in range(first, len(source)) if source[n - 1].startswith("}"))

    def _made_in(self, first: int, last: int) -> int:
        """What was made by the code of some lines, wherever it was inlined, and by what was
        inlined into it."""
        return sum(
            record.objects
            for record in self._records
            if any(f.file == MAIN and first <= f.line <= last for f in record.code)
        )

    def _kept(
        self, asked: str, word: str, answer: dict[str, Any], made: int, lines: range
    ) -> Answer:
        held, why = answer["held"], answer["why"]
        if not answer.get("known", True):
            return not_told(asked, why.split(":")[0])
        truth = f"{made} allocations"
        if made:
            return right(asked) if held == (word == "heap") else wrong(asked, truth=truth, told=why)
        code = " ".join(self._source[n - 1] for n in lines)
        if self._hidden or re.search(r"\b(go|defer) ", code):
            return not_told(asked, "the witness does not know")
        if word == "heap":
            return wrong(asked, truth=truth, told=why) if held else right(asked)
        if not held and not (word == "stack" and "nothing here that needs memory" in why):
            return wrong(asked, truth=truth, told=why)
        return right(asked)
