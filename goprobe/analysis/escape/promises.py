"""`//goprobe:heap`, `//goprobe:noalloc` and their like: the promises of a source file.

A comment at the end of a line speaks of that line; one on a line of its own of the next line, and
above a function (its doc comment too) of the function's own code, wherever that was inlined. Where
a line opens a block, a literal or a call, what is said of its allocations is said of all up to
their end; `heap` and `stack` speak of what the line itself makes. What looks like a promise and is
none is told with what is wrong: nobody is to rely on what nobody reads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from goprobe.toolchain.gosource import code_only, tokens

RUN = ("heap", "stack", "noalloc")
"""What a run tells of."""
PROVEN = ("nosplit", "nodynamic", "noassert")
"""What the machine code alone tells of; noalloc, too, where it is to be deep."""
ALLOW = "allow-alloc"
WORDS = (*RUN, *PROVEN, ALLOW)
DEEP, ONCE, PANICS = "deep", "after the first call", "except panics"

_COMMENT = re.compile(r"//(\s*)goprobe:(\s*)([\w-]*)([^\n]*)")
_REASON = re.compile(r'\s*"([^"\n]+)"')
_REMARK = re.compile(r"//|--|—|\(|:|;|,")
# In a remark "stack" and "heap" may be what they are in English.
_ANOTHER = re.compile(
    r"(?:and\b|&&?|[,;+|])?\s*(?:goprobe:)?(noalloc|nosplit|nodynamic|noassert)\b"
)
_CLAUSE = re.compile(r"\s*(?:case\b.*|default\s*):\s*$")
_OF_A_LINE = ("heap", "stack")
_FUNCTION = re.compile(r"func\b")
_LITERAL = re.compile(r"\bfunc\s*\(")
_DECLARES = re.compile(r"[^\W\d]")  # what begins with a line is at the package's own level
_DECLARED = re.compile(
    r"func\s*(?:\(\s*(?:\w+\s+)?(\*?)\s*(\w+)\s*(?:\[[^\]]*\])?\s*\)\s*)?(\w+)\s*[(\[]"
)
_NO_CODE = re.compile(r"(type|import|package|const)\b")
_LINE = re.compile(r"(?://line |/\*line )(.*?):(\d+)(?::(\d+))?(?:\*/)?", re.DOTALL)


_WORDS_BEHIND = re.compile(rf"^(?:\s*(?:{DEEP}|{PANICS}|{ONCE})\b)*")


class LineRange(msgspec.Struct, frozen=True):
    """The lines [first, last] of a file, as the compiler calls both (`//line` renames them)."""

    file: str
    first: int
    last: int

    def holds(self, file: str, line: int) -> bool:
        return self.file == file and self.first <= line <= self.last


class Promise(msgspec.Struct, frozen=True):
    """A comment and the code of which it speaks. `function`: that of a whole one; `around` is the
    function in which a promise of a statement stands. `problem` says why it is none. `deep`
    ones reach into callees, `once` means after the first call of a sync.Once, `panics_apart` that
    the records of panics that were recovered break it not. `reason` is that of
    an exemption (allow-alloc), and `named` the function of a promise that stands nowhere in the
    source (--promise): its `spans` are those of that function where its source is here."""

    file: str
    line: int
    word: str
    spans: tuple[LineRange, ...]
    function: bool
    around: tuple[LineRange, ...] = ()
    problem: str = ""
    deep: bool = False
    once: bool = False
    panics_apart: bool = False
    reason: str = ""
    named: str = ""

    def holds(self, file: str, line: int) -> bool:
        return any(span.holds(file, line) for span in self.spans)

    @property
    def text(self) -> str:
        """Its words, as one may write them."""
        said = ((self.deep, DEEP), (self.panics_apart, PANICS), (self.once, ONCE))
        return " ".join(filter(None, (self.word, *(w for is_so, w in said if is_so), self.named)))

    @property
    def is_proven(self) -> bool:
        """Whether the machine code is to tell of it, whatever runs."""
        return self.deep or self.word in PROVEN


def promises_in(file: str, text: str) -> Iterator[Promise]:
    """The promises of a source file, and what was meant to be one."""
    source = _Source(file, text)
    for token in tokens(text):
        match = _COMMENT.match(token[0])
        if match and (problem := _problem(match)) is not None:
            number = text.count("\n", 0, token.start()) + 1
            details = _details(match[3], match[4]) if not problem else {}
            yield replace(
                source.promise(number, match[3], problem or details.pop("problem", "")), **details
            )


def promise_named(text: str) -> Promise:
    """One of `--promise 'pkg.(*T).Method noalloc deep'`, for code that one cannot annotate."""
    name, _, rest = text.strip().partition(" ")
    word, _, more = rest.strip().partition(" ")
    details = _details(word, f" {more}")
    problem = details.pop("problem", "")
    if word not in WORDS or word == ALLOW:
        problem = f"--promise takes a function and one of {', '.join((*RUN, *PROVEN))}"
    problem = problem.replace("a comment", "a --promise")
    return replace(Promise("", 0, word, (), True, problem=problem, named=name), **details)


def declared_in(lines: Iterable[str]) -> list[str]:
    """The functions that lines of source declare, as a promise names them: F, T.F, (*T).F."""
    names = []
    for line in lines:
        if line.startswith("func") or "; func" in line:
            for star, receiver, name in _DECLARED.findall(line):
                own = f"(*{receiver})." if star else f"{receiver}." if receiver else ""
                names.append(f"{own}{name}")
    return names


def name_declared(line: str) -> str:
    """The name alone of the function that a line of source declares, "" where it declares none."""
    match = _DECLARED.match(line)
    return match[3] if match else ""


def spans_around(file: str, text: str, line: int) -> tuple[LineRange, ...]:
    """The function of a source file that a line belongs to, literals in it included; () for none,
    where it shares its lines, and where `//line` says that they are others."""
    source = _Source(file, text)
    if not source.is_plain or not 0 < line <= text.count("\n") + 1:
        return ()
    return source.around(line) if source.is_alone(line) else ()


def _problem(match: re.Match[str]) -> str | None:
    """What is wrong with a comment's word; None where it only mentions goprobe."""
    before, between, word = match[1], match[2], match[3]
    if not before and not between:
        return "" if word in WORDS else f"there is no such promise; there are {', '.join(WORDS)}"
    if word in WORDS or get_close_matches(word.lower(), WORDS):
        return "a promise has no spaces in it: //goprobe:noalloc"
    return None


def _details(word: str, rest: str) -> dict[str, Any]:
    """What stands behind a promise's word. A remark may follow; what looks like one of the words
    that are known, and is none, is a problem."""
    if word == ALLOW:
        match = _REASON.match(rest)
        return {"reason": match[1]} if match else {"problem": f'{ALLOW} needs its reason: "…"'}
    text = " ".join(_REMARK.split(rest, maxsplit=1)[0].split())
    behind = _WORDS_BEHIND.sub("", rest).lstrip()
    if another := _ANOTHER.match(behind):
        return {"problem": f"it promises one thing: {another[1]} needs a comment of its own"}
    details: dict[str, Any] = {}
    panics_apart = (PANICS, "panics_apart")
    for phrase, field in ((DEEP, "deep"), panics_apart, (ONCE, "once"), panics_apart):
        if text == phrase or text.startswith(f"{phrase} "):
            text = text[len(phrase) :].strip()
            details[field] = True
    first = text.split(" ")[0].lower()
    if get_close_matches(first, (DEEP, "after", "except"), cutoff=0.75):
        return {"problem": f"behind {word} there may be: {DEEP}, {PANICS}, {ONCE}"}
    if details.get("deep") and word not in ("noalloc", *PROVEN):
        return {"problem": f"{word} speaks of its own lines: it is never deep"}
    return details


class _Source:
    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._code = code_only(text).split("\n")
        self._places = list(_places(file, text, len(self._code)))
        self.is_plain = all(place == (file, n) for n, place in enumerate(self._places, 1))

    def promise(self, number: int, word: str, problem: str) -> Promise:
        first = number
        if not self._line(number).strip():
            below = range(number + 1, len(self._code) + 1)
            first = next((n for n in below if self._line(n).strip()), number)
        above_function = first > number and bool(_FUNCTION.match(self._line(first)))
        if above_function:
            last = self._end_of_function(first)
        else:
            last = first if word in _OF_A_LINE else self._end_of_statement(first)
        if not problem and (first == number or not above_function):
            problem = self._speaks_of_nothing(first)
        if not problem and above_function and not self.is_alone(first):
            problem = "what follows the function on its line needs a line of its own"
        around = () if above_function else self.around(first)
        return Promise(
            self._file, number, word, self._spans(first, last), above_function, around, problem
        )

    def _line(self, number: int) -> str:
        return self._code[number - 1]

    def _speaks_of_nothing(self, number: int) -> str:
        line = self._line(number).strip()
        if not line:
            return "there is no code below it"
        if _NO_CODE.match(line):
            return f"it speaks of `{line.split()[0]}`, which is no code"
        return ""

    def around(self, number: int) -> tuple[LineRange, ...]:
        """The function that a line belongs to, or the literal of what stands in none; () for what
        belongs to neither."""
        first, last = self._function_around(number)
        if not first:
            first, last = self._literal_around(number)
        return self._spans(first, last) if first else ()

    def is_alone(self, number: int) -> bool:
        """Whether nothing else is declared on the lines of the function that a line belongs to."""
        first, last = self._function_around(number)
        depth, ended = 0, False
        for line in self._code[max(first - 1, 0) : last]:
            for character in line:
                if ended and not character.isspace():
                    return False
                depth += (character in "([{") - (character in ")]}")
                ended |= character == ";" and depth == 0
        return True

    def _function_around(self, number: int) -> tuple[int, int]:
        """The first and the last line of the function that a line belongs to, (0, 0) for none."""
        for first in range(number, 0, -1):
            if _FUNCTION.match(self._line(first)):
                last = self._end_of_function(first)
                return (first, last) if number <= last else (0, 0)
        return 0, 0

    def _literal_around(self, number: int) -> tuple[int, int]:
        """The innermost function literal around a line of a declaration, (0, 0) for none."""
        for first in range(number, 0, -1):
            line = self._line(first)
            if _LITERAL.search(line) and (last := self._end_of_statement(first)) >= number:
                return first, last
            if _DECLARES.match(line):
                break
        return 0, 0

    def _end_of_function(self, first: int) -> int:
        """The line of the brace that ends a function's body: nothing follows it on its line."""
        depth = 0
        for number in range(first, len(self._code) + 1):
            line = self._line(number).rstrip()
            for at, character in enumerate(line):
                depth += (character == "{") - (character == "}")
                if character == "}" and depth == 0 and at == len(line) - 1:
                    return number
        return first

    def _end_of_statement(self, first: int) -> int:
        """The line that closes all that a line opens; of a clause the last before the next."""
        depth, clause = 0, bool(_CLAUSE.match(self._line(first)))
        for number in range(first, len(self._code) + 1):
            line = self._line(number)
            if clause and not depth and number > first and _CLAUSE.match(line):
                return number - 1
            for character in line:
                if clause and not depth and character == "}":
                    return number - 1
                depth = max(0, depth + (character in "([{") - (character in ")]}"))
            if not (depth or clause):
                return number
        return first

    def _spans(self, first: int, last: int) -> tuple[LineRange, ...]:
        spans: list[LineRange] = []
        for file, line in self._places[first - 1 : last]:
            if spans and spans[-1].file == file and spans[-1].last == line - 1:
                spans[-1] = LineRange(file, spans[-1].first, line)
            else:
                spans.append(LineRange(file, line, line))
        return tuple(spans)


def _places(file: str, text: str, lines: int) -> Iterator[tuple[str, int]]:
    """File and line of each line as the compiler calls them (cmd/compile, syntax/nodes.go)."""
    changes = dict(line_directives(file, text))
    at_file, at_line = file, 1
    for number in range(1, lines + 1):
        at_file, at_line = changes.get(number, (at_file, at_line))
        yield at_file, at_line
        at_line += 1


def line_directives(file: str, text: str) -> Iterator[tuple[int, tuple[str, int]]]:
    """The lines from which on others are meant: a `//line` at a line's beginning speaks of the
    next, a `/*line*/` of its own."""
    known = file
    for token in tokens(text):
        match = _LINE.fullmatch(token[0])
        starts = token.start() == 0 or text[token.start() - 1] == "\n"
        whole_line = token[0].startswith("//")
        if match is None or (whole_line and not starts):
            continue
        if match[1]:
            known = os.path.normpath(Path(file).parent / match[1])
        elif match[3] is None:
            known = file
        number = text.count("\n", 0, token.end()) + 1 + whole_line
        yield number, (known, int(match[2]))
