"""What goprobe says of promises, held against the program's own counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.truths.answer import Answer, not_told, right, wrong
from scripts.truths.promises.ingredients import Makes
from scripts.truths.promises.program import Line, Promised

Json = dict[str, Any]
_OWN = (Makes.OWN, Makes.LITERAL)
_ALLOCATES = (*_OWN, Makes.CALLEE, Makes.HELPER)


_PANICS, _ONCE = "except panics", "after the first call"
# Deferred functions, those that a loop ranges over, sync.Once, method values: the compiler decides
# whether it calls them directly. The runtime's tracebacks may call a symbolizer of cgo's.
_BY_CHOICE = re.compile(r"defer|upTo|Do\(|g@ := |runtime\.Caller")
_OVER_FUNCTION = re.compile(r"range (?:upTo|changingSeq|slices\.|maps\.)")
_CACHE = "keeps a cache of the types that it met"


class Counts:
    """What the program printed: objects made while a function ran, how often lines were come by."""

    def __init__(self, output: str) -> None:
        self.made: dict[str, int] = {}
        self.ran: dict[str, int] = {}
        self.whole = False
        for text in output.splitlines():
            words = text.split()
            if words[:1] == ["made"]:
                self.made[words[2]] = int(words[1])
            elif words[:1] == ["ran"]:
                self.ran[f"{words[1]} {words[2]}"] = int(words[3])
            self.whole |= words == ["end"]


class Judge:
    """`optimized`: calls of functions that are small enough are inlined."""

    def __init__(self, report: Json, counts: Counts, *, ran: bool, optimized: bool) -> None:
        self._counts, self._ran, self._optimized = counts, ran, optimized
        self._told: dict[tuple[str, int, str], list[Json]] = {}
        for each in report["assertions"]:
            file = "/".join(Path(each["file"]).parts[-2:]) if each["line"] else ""
            self._told.setdefault((file, each["line"], _words(each["text"])), []).append(each)

    def answers(self, promised: Sequence[Promised]) -> Iterator[Answer]:
        for promise in promised:
            asked = f"{promise.file}:{promise.line} {promise.function}: {promise.text}"
            key = (promise.file if promise.line else "", promise.line, _words(promise.text))
            told = self._told.get(key)
            if not told:
                yield wrong(asked, truth="an answer", told="none")
                continue
            yield self._answer(asked, promise, told[0])
            if len(told) > 1 and len({(t["held"], t["known"]) for t in told}) > 1:
                yield wrong(asked, truth="one answer", told=str([t["why"] for t in told]))

    def _answer(self, asked: str, promise: Promised, told: Json) -> Answer:
        why = told["why"]
        word, deep = _parts(promise.text)
        if not told["known"]:
            gone = "not in this binary" in why and "it was inlined" not in why
            if gone or (self._ran and "never ran" in why and self._came(promise)):
                return wrong(asked, truth="it is there, and it ran", told=why)
            return not_told(asked, _reason(why))
        held = told["held"]
        if word == "noalloc":
            truth = self._noalloc(promise, deep, held, why)
        elif word in ("heap", "stack"):
            truth = self._at(promise, word, held)
        else:
            truth = self._statically(promise, word, deep, held)
        return wrong(asked, truth=truth, told=why) if truth else right(asked)

    def _came(self, promise: Promised) -> bool:
        """Whether all of its lines were come by."""
        counters = [line.counter for line in promise.of]
        return all(c and self._counts.ran.get(c, 0) for c in counters)

    def _noalloc(self, promise: Promised, deep: bool, held: bool, why: str) -> str:
        made = self._counts.made[promise.function]
        if not held:
            return self._broken(promise, deep, why, made)
        # Without a run nobody sees a panic, and panics break no proof (docs/escape.md).
        apart = _PANICS in promise.text or not self._ran
        if code := self._guilty(promise.of, deep, apart):
            return f"{code} allocates"
        excused = any(map(_excused, promise.of))
        if apart:
            excused |= any(
                i.ingredient.makes is Makes.PANICS for i in self._lines(promise.of, deep)
            )
        if _ONCE in promise.text:
            excused |= any(i.ingredient.makes is Makes.ONCE for i in self._lines(promise.of, deep))
        if deep and promise.whole and made and not excused:
            return f"{made} objects were made"
        return ""

    def _at(self, promise: Promised, word: str, held: bool) -> str:
        """Where a line's own objects are: it makes them on the heap, and makes some whenever it is
        come by."""
        ran = any(self._counts.ran.get(line.counter, 0) for line in promise.of)
        if word == "stack":
            return "it was made on the heap" if held and ran else ""
        return "" if held == ran else f"come by: {ran}"

    def _guilty(self, lines: Sequence[Line], deep: bool, apart: bool) -> str:
        """A line that allocated when it was come by, its own function's or one's that it calls."""
        for line in lines:
            if line.allowed or not self._counts.ran.get(line.counter, 0):
                continue
            within = line.ingredient.lines
            if deep and within:
                if code := self._guilty(within, deep, apart):
                    return code
                continue
            guilty = (*_ALLOCATES, *(() if apart else (Makes.PANICS,))) if deep else _OWN
            if not within and line.ingredient.makes in guilty:
                return line.ingredient.code
        return ""

    def _broken(self, promise: Promised, deep: bool, why: str, made: int) -> str:
        lines = self._lines(promise.of, deep)
        if _CACHE in why and any(each.ingredient.asserts for each in lines):
            return ""  # one assertion in a thousand, by chance (runtime/iface.go, typeAssert)
        if made == 0 and ("it did" in why or not deep):
            return "nothing was made"
        if deep:
            harmless = {Makes.NOTHING} | ({Makes.PANICS} if _PANICS in promise.text else set())
            can = any(
                each.ingredient.makes not in harmless and not each.ingredient.lines
                for each in lines
            )
            can |= promise.whole and made > 0 and not any(map(_excused, promise.of))
        else:
            own = (*_OWN, Makes.HELPER, Makes.MAYBE, Makes.ONCE, Makes.PANICS)
            can = any(
                each.ingredient.makes in own and self._counts.ran.get(each.counter, 0)
                for each in lines
            )
        # Without optimisation the body of a loop over a function is a closure, and what it changes
        # is moved to the heap where that is declared, whatever is exempt in the loop's line.
        codes = (i.ingredient.code for i in self._lines(promise.of, deep, exempt=False))
        can |= not self._optimized and any(map(_OVER_FUNCTION.search, codes))
        return "" if can else "nothing of it can allocate"

    def _statically(self, promise: Promised, word: str, deep: bool, held: bool) -> str:
        lines = self._lines(promise.of, deep)
        if word == "nosplit":  # what calls checks its stack; what does not may do so as well
            calls = [i.ingredient.code for i in lines if i.ingredient.calls]
            return f"{calls[0]} is a call" if held and calls and not promise.inlined else ""
        does = [
            each.ingredient.code
            for each in lines
            if (each.ingredient.dynamic if word == "nodynamic" else each.ingredient.asserts)
        ]
        if held:
            return f"{does[0]} does" if does else ""
        # What defers and is exempt makes its function run what it deferred all the same.
        codes = [each.ingredient for each in self._lines(promise.of, deep, exempt=False)]
        clear = not does and self._optimized and not any(_BY_CHOICE.search(i.code) for i in codes)
        if deep:
            clear &= all(not i.calls and i.makes in (Makes.NOTHING, Makes.OWN) for i in codes)
        return "nothing of it does" if clear else ""

    def _lines(self, lines: Sequence[Line], deep: bool, exempt: bool = True) -> list[Line]:
        """Those that are not `exempt`, of the functions called, too, where a promise is deep."""
        found = []
        for line in lines:
            if line.allowed and exempt:
                continue
            found.append(line)
            if deep:
                found += self._lines(line.ingredient.lines, deep, exempt)
        return found


def _excused(line: Line) -> bool:
    return line.allowed or any(map(_excused, line.ingredient.lines))


def _parts(text: str) -> tuple[str, bool]:
    words = text.split()
    return words[0], "deep" in words


def _words(text: str) -> str:
    return " ".join(text.split())


def _reason(why: str) -> str:
    for known in ("never ran", "not run", "whether this code ran", "cannot be proved"):
        if known in why:
            rest = why.partition("cannot be proved: ")[2]
            return f"{known}: {rest.partition(', ')[0]}" if rest else known
    return why[:40]
