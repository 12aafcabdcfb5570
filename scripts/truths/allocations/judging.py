"""goprobe's report held against what the program's own profile and MemStats say."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.truths.allocations.witness import FILES, Place, Record, Witness
from scripts.truths.allocations.writing import EACH
from scripts.truths.answer import Answer, contradictions, not_told, right, wrong
from scripts.truths.kind import release

Json = dict[str, Any]

ALLOCATING = frozenset(("confirmed_heap", "deferred_heap", "spilled_to_heap", "unpredicted"))
_NEVER = "this code never ran"
_SAYS = re.compile(r"allocated (?:on the heap )?(once|twice|[\d,]+)(?: times| objects?|\b)")
_NUMBERS = {"once": 1, "twice": 2}
_ENDS = re.compile(r"\s*(\}|\}\(\)|\}\)|return acc)")
_WRAPPED = re.compile(r"\b(defer|go) (?!func)")
# How a map grows is a matter of its seed, what a pool still has of the threads.
_CHANCE = re.compile(r"m\d+\[|make\(map|map\[|maps\.|pool|\bgo |\bdefer |<-|select|\}")
_PROMISE = re.compile(r"//goprobe:(\w+)")
_LIBRARY = re.compile(r"\b[a-z]+\.[A-Z]\w*\(")
# Of what has no size an address says nothing.
_EMPTY = re.compile(r"struct\{\}|\[0\]|, 0\)|T\d|\{\}( //.*)?$")
_COUNTER = re.compile(r"\s*ran\[(\d+)\]")
_BRANCHING = re.compile(r"\bfunc\b|\bfor\b|\bif\b|\bcase\b|switch|&&|\|\||append|[=!]=")
_ALWAYS = re.compile(r"runtime\.(newobject|mallocgc\w*|makechan|makemap(_small)?)$")


@dataclass(frozen=True, slots=True)
class Told:
    """What goprobe says was made on a line. `direct` is how much of it by calls of mallocgc
    itself; `blocks` None: it does not say."""

    objects: int = 0
    blocks: int | None = 0
    whole: bool = True
    direct: int = 0
    bytes: int = 0

    def plus(self, call: Json) -> Told:
        made, blocks = call["allocations"], call["blocks"]
        direct = made if call["callee"] == "runtime.mallocgc" else 0
        return Told(
            self.objects + max(made, 0),
            None if blocks < 0 or self.blocks is None else self.blocks + blocks,
            self.whole and made >= 0,
            self.direct + direct,
            self.bytes + max(call["bytes"], 0),
        )


class Judge:
    """The questions about one run of a program with these `sources` by name. `witness` is what
    the program said of that run, `plain` of one without goprobe, None where that was another.
    `named` are the files of the packages that goprobe was to look at: of others it knows what was
    inlined into those."""

    def __init__(
        self,
        report: Json,
        witness: Witness,
        plain: Witness | None,
        sources: Mapping[str, Sequence[str]],
        named: Collection[str],
        go: str,
    ) -> None:
        self._report, self._sources, self._witness = report, sources, witness
        self._named = named
        self._truth = witness.lines()
        self._plain = plain.lines() if plain else None
        # Up to Go 1.25 the profile leaves out one frame too many where compiled code calls mallocgc
        # itself (runtime/mprof.go, callers(4, …)): the caller's line then has the allocation.
        self._skips = release(go) <= (1, 25)
        self._calls = [
            (place, call)
            for site in report["sites"]
            for call in site["calls"]
            if (place := _place(call))
        ]
        # Objects that share a block of the tiny allocator with others: the profile lacks them.
        self._hidden = max(0, sum(witness.mallocs.values()) - witness.measured)
        # The profile leaves out the frames of closures that the compiler makes of deferred calls:
        # what is made in them counts for the line at which these are run.
        ends = [place for place in self._truth if _ENDS.fullmatch(self._text(place))]
        self._elided = sum(self._truth.pop(place).objects for place in ends)
        self._elided += sum(r.objects for r in witness.records if not r.frames)

    def answers(self) -> Iterator[Answer]:
        yield from self._run()
        yield from self._lines()
        yield from self._sites()
        if not (self._skips and any(c["callee"] == "runtime.mallocgc" for _, c in self._calls)):
            yield from self._promises()

    def _text(self, place: Place) -> str:
        return self._sources[place[0]][place[1] - 1]

    def _executed(self, place: Place) -> int | None:
        """How often the program says that it executed a line; None where it does not count."""
        found = _COUNTER.match(self._sources[place[0]][place[1] - 2])
        return self._witness.executed.get(int(found[1]), 0) if found else None

    # The run

    def _run(self) -> Iterator[Answer]:
        """These programs are correct, end by themselves, and are not disturbed."""
        for site in self._report["sites"]:
            if site["verdict"] == "contradicted":
                yield wrong(
                    f"line {site['line']}: contradicted",
                    truth="the program is correct",
                    told=f"{site['expression']}: {site['reason']}",
                )
        for found in self._report["dangling"]:
            yield wrong("dangling", truth="the program is correct", told=str(found))
        yield from contradictions(self._report.get("audit", ()))
        if not self._witness.whole:
            yield wrong("the run", truth="it tells what it made", told="it did not")
        partial, ended = self._report["partial"], self._report["exit"]
        if partial or ended != {"code": 0}:
            yield wrong("the run", truth="it ends with code 0", told=f"{ended} {partial}")
        if self._plain is not None:
            yield self._undisturbed(self._plain)

    def _undisturbed(self, plain: Mapping[Place, Record]) -> Answer:
        differing = {
            place: (_objects(plain, place), _objects(self._truth, place))
            for place in {*plain, *self._truth}
            if not _CHANCE.search(self._text(place))
        }
        told = {n: pair for n, pair in differing.items() if abs(pair[0] - pair[1]) > self._hidden}
        asked = "the run is that of the program without goprobe"
        return wrong(asked, truth="(without, with)", told=str(told)) if told else right(asked)

    # Lines

    def _lines(self) -> Iterator[Answer]:
        told: dict[Place, Told] = {}
        for place, call in self._calls:
            told[place] = told.get(place, Told()).plus(call)
        direct = sum(line.direct for line in told.values()) if self._skips else 0
        for place in sorted({*told, *(p for p in self._truth if p[0] in self._named)}):
            yield self._of_line(place, told.get(place), direct)

    def _of_line(self, place: Place, line: Told | None, direct: int) -> Answer:
        asked = f"{place[0]}:{place[1]}: allocations"
        made = self._truth.get(place, Record(0, 0, ()))
        if line is None:
            if made.objects > direct and not (self._skips and _LIBRARY.search(self._text(place))):
                return wrong(asked, truth=f"{made.objects}", told="nothing of this line")
            return right(asked)
        if not line.whole:
            return not_told(asked, "nothing was counted")
        blocks = line.objects if line.blocks is None else line.blocks
        low = blocks - (self._hidden if line.blocks is None else 0)
        low -= line.direct if self._skips else 0
        if _WRAPPED.search(self._text(place)):
            low -= self._elided
        if not low <= made.objects <= blocks + direct:
            return wrong(asked, truth=f"{made.objects}", told=f"{blocks}")
        # Small objects count for whole blocks in the profile, and only the first of each does.
        known = low == line.objects == line.blocks and not direct
        least = max(blocks, 0.66 * (made.bytes - 16 * blocks))
        if known and not least <= line.bytes <= made.bytes:
            return wrong(asked, truth=f"{made.bytes} bytes", told=f"{line.bytes}")
        return right(asked)

    # Sites

    def _sites(self) -> Iterator[Answer]:
        alone = {place: sum(p == place for p, _ in self._calls) for place, _ in self._calls}
        for site in self._report["sites"]:
            place = _place(site)
            if place is None or site["parameter"]:
                continue
            yield self._site(site, place, alone)

    def _site(self, site: Json, place: Place, alone: Mapping[Place, int]) -> Answer:
        asked = f"{place[0]}:{place[1]}: site {site['expression'][:40]}"
        said = f"{site['verdict']}, {site['reason']}"
        made = site["allocations"]
        executed = self._executed(place)
        if (place_wrong := self._misplaced(site, place)) is not None:
            return wrong(asked, truth=place_wrong, told=said)
        if executed is not None and (once := self._once(site, place, executed)) is not None:
            return wrong(asked, truth=once, told=said)
        if (site["verdict"] in ALLOCATING) != (made > 0) and site["expression"] != "go":
            return wrong(asked, truth=f"{made} allocations", told=said)
        found = _SAYS.search(site["reason"])
        if found and site["verdict"] in ALLOCATING:
            count = _NUMBERS.get(found[1]) or int(found[1].replace(",", ""))
            if count != made:
                return wrong(asked, truth=f"{made} allocations", told=said)
        if executed and "code never ran" in site["reason"]:
            return wrong(asked, truth=f"executed {executed} times", told=said)
        if executed == 0 and (site["verdict"] == "confirmed_stack" or "line ran" in said):
            return wrong(asked, truth="never executed", told=said)
        if executed and site["verdict"] == "not_reached" and self._straight(site, place):
            return wrong(asked, truth=f"executed {executed} times", told=said)
        watched = site["counted"] and not site["calls"] and self._straight(site, place)
        if watched and executed is not None and site["hits"] != executed:
            return wrong(asked, truth=f"executed {executed} times", told=f"{site['hits']} hits")
        if site["verdict"] == "dead" and executed and site["calls"]:
            return wrong(asked, truth=f"executed {executed} times", told=said)
        if len(site["calls"]) == 1 and executed is not None:
            call = site["calls"][0]
            own = len(call["frames"]) == 1 and alone.get(place) == 1 and _place(call) == place
            own = own and "func" not in self._text(place)  # a literal may never be called
            if own and _ALWAYS.match(call["callee"]) and call["hits"] != executed:
                return wrong(asked, truth=f"executed {executed} times", told=f"{call['hits']} hits")
            if call["ran"] and not executed and own:
                return wrong(asked, truth="never executed", told="it ran")
        return right(asked)

    def _once(self, site: Json, place: Place, executed: int) -> str | None:
        """What is true of a site that makes one object each time, if that is not what is said."""
        if not self._sources[place[0]][place[1] - 2].endswith(EACH):
            return None
        made, predicted = site["allocations"], site["prediction"]
        if site["verdict"] == "unpredicted":
            return "the compiler says something of all that is made here"
        right = made < 0 or predicted != "heap" or made == executed
        return None if right else f"{executed} allocations"

    def _misplaced(self, site: Json, place: Place) -> str | None:
        """Where what was made lay by its address, if that cannot be what is said of it."""
        found = _COUNTER.match(self._sources[place[0]][place[1] - 2])
        on, off = self._witness.lay.get(int(found[1]), (0, 0)) if found else (0, 0)
        alone = sum(_place(s) == place and not s["parameter"] for s in self._report["sites"]) == 1
        if not (on or off) or not alone or _EMPTY.search(self._text(place)):
            return None
        verdict, told = site["verdict"], f"{on} times on the stack, {off} times elsewhere"
        if verdict == "confirmed_stack":
            return told if off and not site["calls"] else None
        if verdict in ALLOCATING:
            return told if off < site["allocations"] else None
        return told if verdict in ("elided", "static", "dead", "not_reached") and on else None

    def _straight(self, site: Json, place: Place) -> bool:
        """Whether all that a site needs is needed each time that its line is executed."""
        inlined = any(text.startswith("inlining call") for text in site["messages"])
        needed = site["prediction"] == "stack" and not site["calls"] and not inlined
        return needed and not _BRANCHING.search(self._text(place))

    # Promises

    def _promises(self) -> Iterator[Answer]:
        """Those in the source: each is answered once, and truly."""
        files = {f.rpartition("/")[2] for f in FILES if f in self._sources}
        told = {(Path(a["file"]).name, a["line"], a["text"]): a for a in self._report["assertions"]}
        asked_of = {file for file, _, _ in told} or {"main.go"}
        for file in sorted(files & asked_of):
            for number, line in enumerate(self._sources[file], 1):
                if found := _PROMISE.search(line):
                    yield self._promise(
                        (file, number), found[1], told.pop((file, number, found[1]), None)
                    )
        for key in told:
            yield wrong("promises", truth="those of the source", told=str(key))

    def _promise(self, place: Place, word: str, answer: Json | None) -> Answer:
        asked = f"{place[0]}:{place[1]}: promise {word}"
        if answer is None:
            return wrong(asked, truth="an answer", told="none")
        first, last = self._range(place)
        lines = range(first, last + 1)
        if not answer["known"] and _NEVER in answer["why"]:
            own = [n for n in lines if "func" not in self._text((place[0], n))]  # no literal's body
            counts = [self._executed((place[0], n)) for n in own]
            if any(counts):
                return wrong(asked, truth="it ran", told=answer["why"])
        made = self._made_in(place[0], lines)
        return self._kept(
            asked, word, answer, made, " ".join(self._sources[place[0]][n - 1] for n in lines)
        )

    def _range(self, place: Place) -> tuple[int, int]:
        """The lines of which the promise of a line speaks."""
        source, number = self._sources[place[0]], place[1]
        if not source[number - 1].startswith("//"):
            return number, number
        first = next(n for n in range(number, len(source)) if source[n - 1].startswith("func"))
        if source[first - 1].endswith("}"):
            return first, first
        return first, next(n for n in range(first, len(source)) if source[n - 1].startswith("}"))

    def _made_in(self, file: str, lines: range) -> int:
        """What was made by the code of some lines, wherever it was inlined, and by what was
        inlined into it."""
        return sum(
            record.objects
            for record in self._witness.records
            if any(f.file == file and f.line in lines for f in record.code)
        )

    def _kept(self, asked: str, word: str, answer: Json, made: int, code: str) -> Answer:
        held, why = answer["held"], answer["why"]
        if not answer["known"]:
            return not_told(asked, re.sub(r".* can allocate", "it can allocate", why.split(":")[0]))
        truth = f"{made} allocations"
        if made:
            if held == (word == "heap"):
                return right(asked)
            if self._skips and _LIBRARY.search(code):
                return not_told(asked, "the witness left out a frame: it may be what was called")
            return wrong(asked, truth=truth, told=why)
        if self._hidden or re.search(r"\b(go|defer) ", code) or ": shared," in why:
            return not_told(asked, "the witness does not know")
        if re.match(r"func \w+(\[.*\])?\((v E|n int)\) \S+ \{ return &", code):
            # The profile says that a parameter moved is declared where its function was inlined.
            return not_told(asked, "the witness does not know")
        if word == "heap":
            return wrong(asked, truth=truth, told=why) if held else right(asked)
        if not held and not (word == "stack" and "nothing here that needs memory" in why):
            return wrong(asked, truth=truth, told=why)
        return right(asked)


def _place(thing: Json) -> Place | None:
    """Where a site or a call stands, if that is one of the files asked about."""
    name = Path(thing["file"]).name
    return (name, thing["line"]) if name in FILES else None


def _objects(lines: Mapping[Place, Record], place: Place) -> int:
    return lines[place].objects if place in lines else 0
