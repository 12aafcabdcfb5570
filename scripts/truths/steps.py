"""Programs that write down which of their lines run, what their functions give and what a variable
is given: a session that steps, finishes and watches has to come by the very same.

Each statement notes its own line before it does anything, so the order of notes is the order in
which lines are come to. Loop heads and labels note nothing, and what a session sees of them is not
judged. Other goroutines run all the while.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

import goprobe
from goprobe.errors import GoprobeError
from scripts.truths.answer import Answer, Peers, equal, wrong
from scripts.truths.choices import Choices
from scripts.truths.kind import UNOPTIMIZED, Build, Case, Program

_HEAD = """package main

import (
	"encoding/json"
	"os"
)

var lines, given, results [1 << 14]int
var nl, ng, nr, w, lw, noise int

//go:noinline
func spin(n int) int {
	var pad [32]int
	if n > 0 {
		pad[n%32] = spin(n-1)
	}
	return pad[n%32] + n
}

func busy() {
	for {
		noise += spin(50)
	}
}

func done() {
	told := map[string][]int{"lines": lines[:nl], "given": given[:ng], "results": results[:nr]}
	json.NewEncoder(os.Stdout).Encode(told)
}
"""
_NOTE = "lines[nl] = @LINE@; nl++; "
_WRITE = _NOTE + "s += {n}; lw = w; w = s % ({n} + 1); if w != lw {{ given[ng] = w; ng++ }}"
_WAYS = ("next", "step", "finish", "watch", "until")
_MOST_STEPS = 600
_RECORD = 1000  # a result is noted as its function's number times this, and itself


class Steps:
    name = "steps"
    builds = (UNOPTIMIZED,)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        way = choices.one_of(_WAYS)
        count = choices.between(1, 4)
        functions = [_function(choices, number, count) for number in range(1, count + 1)]
        noisy = choices.below(3)
        main = [
            "func main() {",
            *["\tgo busy()"] * noisy,
            "\ts := 1",
            f"\t{_WRITE.format(n=3)}",
            *_block(choices, 1, 1, count, 2),
            *(f"\t{_NOTE}s += f{number}(s)" for number in range(1, count + 1)),
            "\tdone()",
            "}",
        ]
        text = _HEAD + "\n".join([*(line for each in functions for line in each), *main]) + "\n"
        numbered = "\n".join(
            line.replace("@LINE@", str(number)) for number, line in enumerate(text.split("\n"), 1)
        )
        return Program({"main.go": numbered}, {"way": way, "function": choices.between(1, count)})

    def ask(self, case: Case) -> Iterator[Answer]:
        way, out = str(case.program.notes["way"]), case.directory / "told.json"
        try:
            with out.open("wb") as file, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = goprobe.launch(str(case.binary), stdout=file.fileno(), timeout=100.0)
                with program:
                    told = _ASKED[way](program, case)
                    if program.exit is None:
                        _clear(program)
                        program.run_to_end()
        except GoprobeError as error:
            yield wrong(f"a session that asks {way}", truth="it goes through", told=str(error))
            return
        yield from _judged(way, told, json.loads(out.read_bytes()), case)

    def peers(self, case: Case) -> Peers:
        return {}


# Writing


def _function(choices: Choices, number: int, count: int) -> list[str]:
    return [
        "//go:noinline",
        f"func f{number}(s int) int {{",
        *_block(choices, 1, number + 1, count, 2),
        f"\t{_NOTE}results[nr] = {number}*{_RECORD} + s%{_RECORD}; nr++; return s % {_RECORD}",
        "}",
        "",
    ]


def _block(choices: Choices, tabs: int, first: int, last: int, depth: int) -> list[str]:
    """Statements that call functions `first` to `last` alone, so that every program ends."""
    made: list[str] = []
    for _ in range(choices.between(1, 4)):
        made += _statement(choices, tabs, first, last, depth)
    return made


def _statement(choices: Choices, tabs: int, first: int, last: int, depth: int) -> list[str]:
    indent, n = "\t" * tabs, choices.between(1, 9)
    kind = choices.weighted(
        (4, "plain"), (3, "write"), (3, "call"), (2, "if"), (2, "for"), (1, "switch"),
        (1, "closure"), (1, "defer"), (1, "two calls"),
    )  # fmt: skip
    if kind in ("if", "for", "switch", "closure", "defer") and not depth:
        kind = "plain"
    if kind in ("call", "two calls") and first > last:
        kind = "write"

    def inner() -> list[str]:
        return _block(choices, tabs + 1, first, last, depth - 1)

    note = f"{indent}{_NOTE}"
    match kind:
        case "write":
            return [indent + _WRITE.format(n=n)]
        case "call":
            return [f"{note}s += f{choices.between(first, last)}(s + {n})"]
        case "two calls":
            a, b = choices.between(first, last), choices.between(first, last)
            return [f"{note}s = (s + f{a}(f{b}(s+{n}))) % {_RECORD}"]
        case "if":
            no = [f"{indent}}} else {{", *inner()] if choices.chance(50) else []
            return [f"{note}if s%{n + 1} < {n // 2 + 1} {{", *inner(), *no, f"{indent}}}"]
        case "for":
            return [f"{indent}for i := 0; i < {n % 4}; i++ {{", *inner(), f"{indent}}}"]
        case "switch":
            return [
                f"{note}switch s % 3 {{", f"{indent}case 0:", *inner(), f"{indent}default:",
                *inner(), f"{indent}}}",
            ]  # fmt: skip
        case "closure":
            return [f"{indent}func() {{", *inner(), f"{indent}}}()"]
        case "defer":
            return [
                f"{indent}func() {{", f"{indent}\tdefer func() {{", f"{note}s += {n}",
                f"{indent}\t}}()", *inner(), f"{indent}}}()",
            ]  # fmt: skip
    return [f"{note}s += {n}"]


# Asking


def _clear(program: goprobe.Program) -> None:
    for where in ("main.main", "main.f1", "main.f2", "main.f3", "main.f4"):
        program.clear(where)


def _walked(program: goprobe.Program, step: str) -> list[Any]:
    """Lines come to, each with how deep, until main is at its end."""
    stop: goprobe.Stop | None = next(program.run(["main.main"]))
    assert stop is not None
    program.clear("main.main")
    came = [(stop.line, len(stop.frames), stop.function)]
    for _ in range(_MOST_STEPS):
        stop = stop.next() if step == "next" else stop.step()
        if stop is None or stop.function == "main.done" or stop.function == "runtime.main":
            return came
        came.append((stop.line, len(stop.frames), stop.function))
    return [*came, (0, 0, "")]


def _by_next(program: goprobe.Program, case: Case) -> list[Any]:
    return _walked(program, "next")


def _by_step(program: goprobe.Program, case: Case) -> list[Any]:
    return _walked(program, "step")


def _by_finish(program: goprobe.Program, case: Case) -> list[Any]:
    told: list[Any] = []
    for stop in program.run([f"main.f{case.program.notes['function']}"]):
        back = stop.finish()
        told.append(int(back.results[0]) if back is not None else None)
    return told


def _by_watch(program: goprobe.Program, case: Case) -> list[Any]:
    stop = next(program.run(["main.main"]))
    program.clear("main.main")
    return [(int(hit.old), int(hit.new)) for hit in stop.watch(program["main.w"])]


def _by_until(program: goprobe.Program, case: Case) -> list[Any]:
    """From the beginning of each call of a function to its last line."""
    text = _text(case)
    number = case.program.notes["function"]
    last = _last_line(text, number)
    told: list[Any] = []
    for stop in program.run([f"main.f{number}"]):
        there = stop.until(last)
        told.append((there.line, there.function) if there is not None else None)
    return told


def _text(case: Case) -> list[str]:
    return case.program.files["main.go"].split("\n")


def _last_line(text: list[str], number: object) -> int:
    """Where the function of that number notes what it gives."""
    return next(i for i, line in enumerate(text, 1) if f"results[nr] = {number}*" in line)


_ASKED = {
    "next": _by_next, "step": _by_step, "finish": _by_finish, "watch": _by_watch,
    "until": _by_until,
}  # fmt: skip


# Judging


def _judged(way: str, told: list[Any], truth: Any, case: Case) -> Iterator[Answer]:
    text = _text(case)
    noting = {n for n, line in enumerate(text, 1) if "lines[nl] = " in line}
    number = case.program.notes["function"]
    own = [r % _RECORD for r in truth["results"] if r // _RECORD == number]
    match way:
        case "next":
            mine = noting & _lines_stepped(text)
            lines = [line for line in truth["lines"] if line in mine]
            if len(lines) < _MOST_STEPS // 4:
                visited = _visited(told, mine, all_depths=False)
                yield equal("lines of next", lines, _without_ways_out(visited, lines, text))
        case "step":
            if len(truth["lines"]) < _MOST_STEPS // 4:
                visited = _without_ways_out(_visited(told, noting), truth["lines"], text)
                yield equal("lines of step", truth["lines"], visited)
        case "finish":
            yield equal("results of finish", own, told)
        case "watch":
            before = [0, *truth["given"]]
            pairs = list(zip(before, truth["given"], strict=False))
            yield equal("writes that a watch told", pairs, told)
        case "until":
            last = _last_line(text, number)
            yield equal("where until came to", [(last, f"main.f{number}")] * len(own), told)


def _lines_stepped(text: list[str]) -> set[int]:
    """Those of main itself: a closure is a function of its own, which `next` goes over."""
    start = text.index("func main() {")
    mine: set[int] = set()
    closed = 0  # tabs of the closure that the line is in
    for number, line in enumerate(text[start:], start + 1):
        tabs = len(line) - len(line.lstrip("\t"))
        if not closed and line.strip() == "func() {":
            closed = tabs
        elif closed and tabs == closed and line.strip() == "}()":
            closed = 0
        elif not closed:
            mine.add(number)
    return mine


def _visited(told: list[Any], noting: set[int], *, all_depths: bool = True) -> list[int]:
    """Without the lines that a return comes back to in their middle."""
    made, before, at = list[int](), 0, dict[int, int]()
    for line, depth, _ in told:
        back = all_depths and depth < before and at.get(depth) == line
        if line in noting and not back:
            made.append(line)
        before, at[depth] = depth, line
    return made


def _without_ways_out(told: list[int], truth: list[int], text: list[str]) -> list[int]:
    """The jump out of a case or a branch may be of its switch's or if's line (seen of Go 1.24 and
    1.27, -N -l)."""
    made: list[int] = []
    for line in told:
        expected = truth[len(made)] if len(made) < len(truth) else 0
        branches = re.search(r"\b(switch|if) s%| switch s ", text[line - 1])
        if line == expected or not branches or line not in made:
            made.append(line)
    return made


KIND = Steps()
