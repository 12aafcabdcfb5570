"""The corpus: small Go programs whose expectations stand in their own source, as comments.

Programs lie in testdata/programs: one file each, or one directory with a go.mod. Their comments:

    // go: 1.22+                     only these Go releases (also `1.21-1.24`, `1.26`)
    // needs: gcc                    only where this program is installed
    // builds: debug opt pie         the builds to trace (default: debug)
    // exit: 2                       the exit code it ends with (default 0)

    x := f()                         // stop
        breaks at this line; it must be hit exactly once. `// stop hits=3`: three times.
    // stop at main.f                on a line of its own: breaks there (hits=N here too)

    // want: NAME FACT...
        holds at the nearest `// stop` above it, at every hit. NAME is a variable of the innermost
        frame that has one of this name, or a path of elements: `node.next.val`, `s[1].X`,
        `m["k"]`, `m["k"][0]`; a step goes through pointers and interfaces by itself.
        `@stop` stands for the stop, `@exit` for the end of the program.

Both take selectors, in this order, each at most once: `want@1.25+`, `want[opt]`, `want#2`
(the second hit; `#2-4`, `#2+`), also together: `want@1.21-1.24[opt]#2: ...`.
A want without a build holds in the debug and pie builds, `[all]` means every build.
The same holds for stops, except that a stop without a build is there in every build.

Facts are words and KEY=VALUE; a VALUE with spaces stands in "..." (Go escapes) or in backquotes;
KEY~VALUE matches a regular expression from the start, A|B are alternatives.

    live, not_yet, register ...      the state; `absent`: no such variable is in scope
    heap, goroutine_stack ...        the kind of its own location
    moved, not_moved                 whether the compiler moved it to the heap
    shadowed                         means the variable of that name that an inner one hides
    frame=main.main                  means the variable of this function's frame
    value= len= cap= dynamic_type=   of the value
    type= size= register= why~       of the variable
    elements=N                       how many elements it, or what it points at, has
    text= data.size= data.type=      of what its header points at; `data=heap` its kind; `no_data`
    KEY= data.KEY=                   any other key is one of the location's detail (size_class=16)
    printed=K data.printed=K         this address is the one that the program printed as `at K 0x…`
    value.printed=K                  the same for the value of a pointer that points nowhere
    points_to=PATH points_to=PATH+8  its data lies where this other variable lies
    shares=PATH shares=PATH+8        its data lies where this other variable's data lies
    steady, moves                    over the hits: from_high stays, the address changes

Of the stop: function= line= reason~ goroutine=main|other|0 frames=main.f,main.main inlined=main.f
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).parent.parent / "testdata" / "programs"

Release = tuple[int, int]


class CorpusError(ValueError):
    """A comment of the corpus that means nothing; says the file and the line."""


@dataclass(frozen=True, slots=True)
class Range:
    """An inclusive range of releases or of hits; `high` None is open."""

    low: Release | int
    high: Release | int | None

    def __contains__(self, item: Release | int) -> bool:
        # Release pairs and hit numbers never meet: each Range is made by one of the two parsers.
        above: bool = item >= self.low  # type: ignore[operator]
        return above and (self.high is None or item <= self.high)  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which release, build and hit of its stop a comment speaks of; None is any."""

    releases: Range | None = None
    build: str | None = None
    hits: Range | None = None

    def covers(self, release: Release, build: str, default: tuple[str, ...]) -> bool:
        if self.releases is not None and release not in self.releases:
            return False
        if self.build is None:
            return build in default
        return self.build in ("all", build)


@dataclass(frozen=True, slots=True)
class Fact:
    """`key` alone is a word (op ""); otherwise `op` is = or ~."""

    key: str
    op: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.key}{self.op}{self.value!r}" if self.op else self.key


@dataclass(frozen=True, slots=True)
class Want:
    file: str
    line: int
    selector: Selector
    name: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """A place to stop at. `where` is as goprobe's --break takes it."""

    file: str
    line: int
    where: str
    at_line: bool
    hits: int
    selector: Selector
    wants: tuple[Want, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """`target` is the file or the directory."""

    name: str
    target: Path
    releases: Range | None
    needs: tuple[str, ...]
    builds: tuple[str, ...]
    exit: int
    sites: tuple[Site, ...]
    at_exit: tuple[Want, ...]

    def runs_on(self, release: Release) -> bool:
        return self.releases is None or release in self.releases

    def sites_of(self, release: Release, build: str) -> tuple[Site, ...]:
        every = ("debug", "opt", "pie")
        return tuple(s for s in self.sites if s.selector.covers(release, build, every))


def wants_of(wants: Sequence[Want], release: Release, build: str) -> Iterator[Want]:
    """Those wants that speak of this release and build."""
    return (w for w in wants if w.selector.covers(release, build, ("debug", "pie")))


_DIRECTIVE = re.compile(r"^// (go|needs|builds|exit): (.+)$")
_COMMENT = re.compile(
    r"// (?P<what>stop|want)(?:@(?P<go>[\d.+-]+))?(?:\[(?P<build>\w+)\])?(?:#(?P<hits>[\d+-]+))?"
    r"(?P<rest>$|:? .*$)"
)
_FACT = re.compile(
    r'\s+(?P<key>[a-z_][\w.]*)(?:(?P<op>[=~])(?P<value>"(?:[^"\\]|\\.)*"|`[^`]*`|\S*))?'
)
_NAME = re.compile(r"\s*(@stop|@exit|[^\W\d]\w*(?:\.[&\w]+|\[(?:\"[^\"]*\"|[^\]\"])*\])*)(?=\s|$)")


def parse_range(text: str, number: type[int] | None = None) -> Range:
    """`2`, `2-4`, `2+` of hits (number=int) or `1.21`, `1.21-1.24`, `1.25+` of releases."""

    def one(part: str) -> Release | int:
        return number(part) if number is not None else parse_release(part)

    if text.endswith("+"):
        return Range(one(text[:-1]), None)
    low, _, high = text.partition("-")
    return Range(one(low), one(high or low))


def parse_release(text: str) -> Release:
    """`1.26.6` and `go1.26` are (1, 26)."""
    major, minor = text.removeprefix("go").split(".")[:2]
    return int(major), int(minor)


def _unquote(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    if not text.startswith('"'):
        return text
    escaped = re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", text)
    return str(json.loads(escaped))


def _facts(text: str) -> tuple[Fact, ...]:
    facts, end = [], 0
    while text[end:].strip():
        found = _FACT.match(text, end)
        if found is None:
            raise CorpusError(f"no fact: {text[end:].strip()}")
        facts.append(Fact(found["key"], found["op"] or "", _unquote(found["value"] or "")))
        end = found.end()
    return tuple(facts)


def _selector(found: re.Match[str]) -> Selector:
    return Selector(
        parse_range(found["go"]) if found["go"] else None,
        found["build"],
        parse_range(found["hits"], int) if found["hits"] else None,
    )


class _Reader:
    """Collects the comments of a program's files in order."""

    def __init__(self) -> None:
        self.directives: dict[str, str] = {}
        self.sites: list[Site] = []
        self.at_exit: list[Want] = []

    def read(self, path: Path) -> None:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            try:
                self._line(path.name, number, line)
            except ValueError as error:
                raise CorpusError(f"{path}:{number}: {error}") from error

    def _line(self, file: str, number: int, line: str) -> None:
        if found := _DIRECTIVE.match(line):
            self.directives[found[1]] = found[2]
        elif found := _COMMENT.search(line):
            if found["what"] == "stop":
                self._stop(file, number, found, bool(line[: found.start()].strip()))
            else:
                self._want(file, number, found)
        elif re.search(r"//\s*(want|stop)\b[@:\[#]", line):
            raise CorpusError("looks like an expectation, but is none")

    def _stop(self, file: str, number: int, found: re.Match[str], at_line: bool) -> None:
        place = re.fullmatch(r"(?: at (\S+))?((?: hits=\d+)?)", found["rest"])
        if place is None or at_line == bool(place[1]):
            raise CorpusError("a stop is `// stop` after code or `// stop at WHERE` without")
        hits = int(place[2].partition("=")[2] or 1)
        where = f"{file}:{number}" if at_line else place[1]
        self.sites.append(Site(file, number, where, at_line, hits, _selector(found), ()))

    def _want(self, file: str, number: int, found: re.Match[str]) -> None:
        rest = found["rest"].removeprefix(":")
        name = _NAME.match(rest)
        if name is None:
            raise CorpusError("a want needs a name")
        facts = _facts(rest[name.end() :])
        if not facts:
            raise CorpusError("a want needs a fact")
        want = Want(file, number, _selector(found), name[1], facts)
        if want.name == "@exit":
            self.at_exit.append(want)
        elif not self.sites:
            raise CorpusError("a want needs a stop above it")
        else:
            last = self.sites[-1]
            fields = (last.file, last.line, last.where, last.at_line, last.hits, last.selector)
            self.sites[-1] = Site(*fields, (*last.wants, want))


def parse(target: Path) -> Program:
    """Raises CorpusError where a comment cannot be understood."""
    reader = _Reader()
    for path in sorted(target.rglob("*.go")) if target.is_dir() else [target]:
        reader.read(path)
    directives = reader.directives
    return Program(
        name=target.stem,
        target=target,
        releases=parse_range(directives["go"]) if "go" in directives else None,
        needs=tuple(directives.get("needs", "").split()),
        builds=tuple(directives.get("builds", "debug").split()),
        exit=int(directives.get("exit", "0")),
        sites=tuple(reader.sites),
        at_exit=tuple(reader.at_exit),
    )


def programs() -> list[Program]:
    """The whole corpus, by name."""
    files = sorted(PROGRAMS.glob("*.go"))
    modules = sorted(path.parent for path in PROGRAMS.glob("*/go.mod"))
    return [parse(target) for target in (*files, *modules)]
