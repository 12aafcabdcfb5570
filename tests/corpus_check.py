"""Holds a trace report against the expectations of a program of the corpus.

Works on the report as its JSON reads (dicts and lists), so that it says what a user's script
would see, and so that another witness (GDB) can be held against the same expectations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.corpus import Fact, Program, Release, Site, Want, wants_of

Node = dict[str, Any]
Printed = Mapping[str, Sequence[int]]

STATES = ("live", "not_yet", "register", "constant", "optimized_out", "unreadable")
KINDS = (
    *("text", "rodata", "data", "bss", "heap", "goroutine_stack", "system_stack", "runtime"),
    *("c_heap", "library", "file", "vdso", "reserved", "unmapped"),
)


def printed_addresses(output: str) -> dict[str, list[int]]:
    """What a program said of itself: its lines `at NAME 0x…`, by name and in order."""
    found: dict[str, list[int]] = {}
    for name, number in re.findall(r"^at (\S+) 0x([0-9a-f]+)\s*$", output, re.MULTILINE):
        found.setdefault(name, []).append(int(number, 16))
    return found


@dataclass(frozen=True, slots=True)
class Mismatch:
    program: str
    place: str
    want: str
    got: str

    def __str__(self) -> str:
        return f"{self.program} {self.place}: want {self.want}; got {self.got}"


@dataclass(slots=True)
class Checker:
    """One report of one program. `only` keeps to the facts that a lesser witness knows;

    with `partial` it need not know them of every variable.
    """

    program: Program
    release: Release
    build: str
    report: Node
    printed: Printed
    only: Callable[[Fact], bool] = lambda fact: True
    partial: bool = False
    mismatches: list[Mismatch] = field(default_factory=list)
    checked: int = 0

    def run(self) -> list[Mismatch]:
        for site in self.program.sites_of(self.release, self.build):
            stops = [stop for stop in self.report["stops"] if self._is_at(stop, site)]
            if len(stops) != site.hits:
                place = f"{site.file}:{site.line}"
                self._miss(place, f"{site.hits} stops at {site.where}", f"{len(stops)}")
            self._site(site, stops)
        for want in wants_of(self.program.at_exit, self.release, self.build):
            self._facts(want, self.report, {}, None)
        return self.mismatches

    def _is_at(self, stop: Node, site: Site) -> bool:
        by_line = {(s.file, s.line) for s in self.program.sites if s.at_line}
        here = (stop["file"].rpartition("/")[2], stop["line"])
        if site.at_line:
            return here == (site.file, site.line)
        return here not in by_line and stop["function"] == site.where

    def _site(self, site: Site, stops: list[Node]) -> None:
        for want in wants_of(site.wants, self.release, self.build):
            seen: list[Node] = []
            for hit, stop in enumerate(stops, 1):
                if want.selector.hits is None or hit in want.selector.hits:
                    context = {k: _at_hit(v, hit, len(stops)) for k, v in self.printed.items()}
                    seen += self._facts(want, stop, context, hit)
            self._over_hits(want, seen)

    def _facts(
        self, want: Want, stop: Node, printed: dict[str, int], hit: int | None
    ) -> list[Node]:
        place = f"{want.file}:{want.line}" + (f" (hit {hit})" if hit else "")
        if want.name.startswith("@"):
            return self._check(want, place, stop, lambda fact: stop_fact(fact, stop))
        node = find(stop, want)
        facts = {fact.key for fact in want.facts}
        if "absent" in facts:
            self.checked += 1
            if node is not None:
                self._miss(place, f"{want.name} absent", _brief(node))
            return []
        if node is None and self.partial and "." in want.name.replace("[", "."):
            return []
        if node is None:
            self._miss(place, want.name, f"nothing of that name among {_names(stop)}")
            return []
        judge = Judge(node, stop, self.report.get("map", []), printed, want)
        return self._check(want, place, node, judge.fact)

    def _check(
        self, want: Want, place: str, node: Node, judge: Callable[[Fact], str | None]
    ) -> list[Node]:
        for fact in want.facts:
            if not self.only(fact):
                continue
            self.checked += 1
            try:
                got = judge(fact)
            except LookupError as error:
                if self.partial:
                    continue
                got = f"no {error} ({_brief(node)})"
            if got is not None:
                self._miss(place, f"{want.name} {fact}", got)
        return [node]

    def _over_hits(self, want: Want, seen: list[Node]) -> None:
        place = f"{want.file}:{want.line}"
        keys = {fact.key for fact in want.facts if self.only(fact)}
        if "moves" in keys and len({node["address"] for node in seen}) < 2:
            self._miss(place, f"{want.name} moves", "one address at every hit")
        if "steady" in keys and len({node.get("from_high") for node in seen}) != 1:
            self._miss(place, f"{want.name} steady", f"{[n.get('from_high') for n in seen]}")

    def _miss(self, place: str, want: str, got: str) -> None:
        self.mismatches.append(Mismatch(self.program.name, place, want, got))


def _at_hit(values: Sequence[int], hit: int, hits: int) -> int:
    return values[hit - 1] if len(values) == hits else values[-1]


def _brief(node: Node) -> str:
    keys = ("state", "why", "type", "address", "moved")
    said = [f"{key}={node[key]}" for key in keys if node.get(key)]
    value = node.get("value")
    return " ".join([*said, f"value={value['text'][:200]}" if value else "no value"])


def _names(stop: Node) -> str:
    return ", ".join(f"{v['name']}[{v['frame']}]" for v in stop["variables"])


# --- finding what a want means


def _segments(path: str) -> list[str]:
    return re.findall(r'\[(?:"[^"]*"|[^\]"])*\]|[^.\[\]]+', path)


def _children(node: Node | None) -> Iterator[Node]:
    """The elements of a node, or of what it points at, however many pointers away."""
    while node is not None:
        yield from node.get("elements", ())
        node = node.get("data")


def _child(node: Node, segment: str) -> Node | None:
    names = {segment, segment.removeprefix("[").removesuffix("]")}
    return next((child for child in _children(node) if child["name"] in names), None)


def _variables(stop: Node, name: str, frame: str | None) -> list[Node]:
    found = [v for v in stop["variables"] if v["name"] == name]
    if frame is not None:
        names = [f["function"] for f in stop["frames"]]
        found = [v for v in found if names[v["frame"]] in frame.split("|")]
    # Innermost frame first; in it an inner block's variable comes before those that it hides.
    return sorted(found, key=lambda v: int(v["frame"]))


def find(stop: Node, want: Want) -> Node | None:
    """The variable or element that a want speaks of."""
    frame = next((fact.value for fact in want.facts if fact.key == "frame"), None)
    index = 1 if any(fact.key == "shadowed" for fact in want.facts) else 0
    return _walk(stop, want.name, frame, index)


def _walk(stop: Node, path: str, frame: str | None = None, index: int = 0) -> Node | None:
    first, *rest = _segments(path)
    candidates = _variables(stop, first, frame)
    node = candidates[index] if len(candidates) > index else None
    for segment in rest:
        node = _child(node, segment) if node is not None else None
    return node


# --- judging one fact; each judge returns None when it holds, else what is there


def _same(fact: Fact, got: object) -> str | None:
    text = str(got).lower() if isinstance(got, bool) else str(got)
    if fact.op == "~":
        return None if re.match(fact.value, text, re.DOTALL) else text
    return None if text in fact.value.split("|") else text


def _number(text: str) -> int:
    return int(text, 0)


def stop_fact(fact: Fact, stop: Node) -> str | None:
    if fact.key == "goroutine":
        who = stop["goroutine"]
        kind = "main" if who == 1 else "0" if who == 0 else "other"
        return None if fact.value in (kind, str(who)) else str(who)
    if fact.key in ("frames", "inlined"):
        frames = [f for f in stop["frames"] if fact.key == "frames" or f["inlined"]]
        names = [f["function"] for f in frames]
        wanted = [names[: one.count(",") + 1] == one.split(",") for one in fact.value.split("|")]
        return None if any(wanted) else ",".join(names)
    if fact.key == "code":
        return _same(fact, stop["exit"].get("code"))
    return _same(fact, stop[fact.key])


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges facts of one variable or element."""

    node: Node
    stop: Node
    map: Sequence[Node]
    printed: Mapping[str, int]
    want: Want

    def fact(self, fact: Fact) -> str | None:
        if fact.op == "":
            return self._word(fact.key)
        if fact.key == "frame":
            return None
        special = {
            "printed": self._printed,
            "data.printed": self._printed,
            "value.printed": self._printed,
            "points_to": self._refers,
            "shares": self._refers,
            "elements": self._elements,
        }
        return special.get(fact.key, self._plain)(fact)

    def _word(self, word: str) -> str | None:
        node = self.node
        if word in STATES:
            return None if node.get("state", "live") == word else _brief(node)
        if word in KINDS:
            kind = self._kind()
            return None if kind == word else f"{kind} ({_brief(node)})"
        if word == "no_data":
            return None if "data" not in node else f"data at {node['data']['address']}"
        if word in ("moved", "not_moved"):
            return None if node.get("moved", False) == (word == "moved") else _brief(node)
        if word in ("shadowed", "steady", "moves"):
            return None
        return f"a fact that means nothing: {word}"

    def _kind(self) -> str:
        if "location" in self.node:
            return str(self.node["location"]["kind"])
        address = _number(self.node["address"])
        regions = (r for r in self.map if _number(r["low"]) <= address < _number(r["high"]))
        return next((str(r["kind"]) for r in regions), "unmapped")

    def _plain(self, fact: Fact) -> str | None:
        node, key = self.node, fact.key
        if key == "data":
            return _same(fact, node["data"]["location"]["kind"])
        if key == "value":
            return _same(fact, node["value"]["text"])
        if key in ("len", "cap", "dynamic_type"):
            return _same(fact, node["value"][key])
        if key == "text":
            return _same(fact, node["data"]["text"])
        if key in ("type", "size", "register", "why"):
            return _same(fact, node[key])
        return self._detail(fact)

    def _detail(self, fact: Fact) -> str | None:
        of_data = fact.key.startswith("data.")
        key = fact.key.removeprefix("data.")
        place = self.node["data"] if of_data else self.node
        if of_data and key in place:
            return _same(fact, place[key])
        return _same(fact, place["location"]["detail"][key])

    def _elements(self, fact: Fact) -> str | None:
        node: Node | None = self.node
        while node is not None and "elements" not in node:
            node = node.get("data")
        if node is None:
            raise LookupError("elements")
        return _same(fact, len(node["elements"]))

    def _printed(self, fact: Fact) -> str | None:
        said = self.printed[fact.value]
        node = self.node["data"] if fact.key == "data.printed" else self.node
        text = node["value"]["text"] if fact.key == "value.printed" else node["address"]
        got = _number(text)
        return None if got == said else f"{got:#x}, where the program says {said:#x}"

    def _refers(self, fact: Fact) -> str | None:
        path, _, offset = fact.value.partition("+")
        other = _walk(self.stop, path)
        if other is None:
            return f"no {path} here"
        base = other if fact.key == "points_to" else other["data"]
        target = _number(base["address"]) + int(offset or 0)
        got = _number(self.node["data"]["address"])
        return None if got == target else f"{got:#x}, where {fact.value} is {target:#x}"


def check(
    program: Program,
    report: Node,
    output: str,
    release: Release,
    build: str,
    only: Callable[[Fact], bool] = lambda fact: True,
    *,
    partial: bool = False,
) -> list[Mismatch]:
    """Every expectation that does not hold; `output` is what the program printed."""
    return Checker(program, release, build, report, printed_addresses(output), only, partial).run()


# --- what holds of every report, whatever the program


def inconsistencies(report: Node) -> list[str]:
    """Where a trace report contradicts itself or the contract."""
    found = []
    for stop in report["stops"]:
        place = f"{stop['file'].rpartition('/')[2]}:{stop['line']}"
        found += [f"{place} {v['name']}: {why}" for v in stop["variables"] for why in _faults(v)]
        found += [f"{place}: unprintable {text!r}" for text in _strings(stop) if _raw(text)]
        names = [(v["name"], v["frame"], v.get("line")) for v in stop["variables"]]
        found += [f"{place} {name}: told twice" for name in set(names) if names.count(name) > 1]
    return found


def _raw(text: str) -> bool:
    return not all(char.isprintable() for char in text)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _faults(variable: Node) -> Iterator[str]:
    state = variable["state"]
    if state == "live" and not {"address", "location", "value"} <= variable.keys():
        yield "live without address, location and value"
    if state != "live" and not variable["why"]:
        yield f"{state} without a reason"
    if state == "not_yet" and variable.keys() & {"value", "data", "elements"}:
        yield "not yet assigned, but with a value"
    if "location" in variable and variable["location"]["address"] != variable["address"]:
        yield "its location is of another address"
    if variable.get("moved") and variable.get("location", {}).get("kind", "heap") != "heap":
        yield "moved to the heap, but not there"
    data = variable.get("data")
    if data and data["location"]["address"] != data["address"]:
        yield "its data's location is of another address"
