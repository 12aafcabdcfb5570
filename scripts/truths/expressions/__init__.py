"""Expressions: conditions and Python's values, held against the values that a program has.

The programs are those of the variables. At the lines at which their values are known Go expressions
about them are evaluated three times: at the stop, by a breakpoint's condition in a run of its own,
and by Python's operators on the values that a script is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

import goprobe
from goprobe.api.script.goexpr import condition
from goprobe.errors import GoprobeError, UsageError
from scripts.truths.answer import Answer, Peers, equal, not_told, right, wrong
from scripts.truths.choices import Choices
from scripts.truths.expressions.claims import (
    REFUSED,
    Claim,
    Truth,
    claims,
    is_known,
    part_of,
    text_of,
)
from scripts.truths.kind import PLAIN, UNOPTIMIZED, Build, Case, Program
from scripts.truths.variables import KIND as VARIABLES
from scripts.truths.variables.ask import innermost
from scripts.truths.variables.told import Node
from scripts.truths.variables.types import SIGNED, UNSIGNED
from scripts.truths.variables.visits import Expected, Level, expected, witnessed

_SECONDS = 60.0
_MOST_STOPS = 40
_OF_EACH = 2  # claims about a variable at a line
_ALONE = 2  # of them tried as conditions of breakpoints


class Expressions:
    name = "expressions"
    builds = (UNOPTIMIZED, PLAIN)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        program = VARIABLES.write(choices, go, PLAIN)
        return Program(program.files, {**program.notes, "seed": choices.below(1 << 30)})

    def ask(self, case: Case) -> Iterator[Answer]:
        passed = expected(witnessed(case), lines=True)
        stops = [s for s in passed if s.where.startswith("main.go:")]
        whole, stops = len(stops) <= _MOST_STOPS, stops[:_MOST_STOPS]
        if not stops:
            return
        seed = case.program.notes["seed"]
        assert isinstance(seed, int)
        made = _made(Choices(Random(seed)), stops)
        with (case.directory / "said").open("wb") as output:
            yield from _at_stops(case, stops, made, output.fileno())
            for where, claim, truths in _of_runs(stops, made)[:_ALONE] if whole else ():
                yield _alone(case, where, claim, truths, output.fileno())

    def peers(self, case: Case) -> Peers:
        return {}


KIND = Expressions()


def _named(level: Level, claim: Claim) -> Node | None:
    """The value of the variable that a claim is about, by what its name means there."""
    variable = innermost(level, claim.name)
    if variable is None or variable.constant:
        return None
    return level.values.get(variable)


def _truth(level: Level, claim: Claim) -> Truth:
    node = _named(level, claim)
    return None if node is None else claim.truth(node)


def _made(choices: Choices, stops: list[Expected]) -> dict[str, list[Claim]]:
    """Of each line: claims about the values that its variables have when it is come to first."""
    made: dict[str, list[Claim]] = {}
    for stop in stops:
        if stop.where in made:
            continue
        level, mine = stop.levels[0], list[Claim]()
        for variable, node in level.values.items():
            if innermost(level, variable.name) is variable and not variable.constant:
                mine += claims(choices, variable.name, node, _OF_EACH)
        made[stop.where] = mine
    return made


def _at_stops(
    case: Case, stops: list[Expected], made: dict[str, list[Claim]], output: int
) -> Iterator[Answer]:
    coming = iter(stops)
    program = goprobe.launch(str(case.binary), timeout=_SECONDS, stdout=output)
    with program:
        for stop in program.run(list(made)):
            wanted = next(coming, None)
            if wanted is None:
                break
            if stop.where != wanted.where:
                yield wrong("the next stop", truth=wanted.where, told=stop.where)
                return
            for claim in made[wanted.where]:
                truth = _truth(wanted.levels[0], claim)
                asked = f"{wanted.where}: {claim.text}"
                if truth is not None:
                    yield _answered(asked, truth, partial(_evaluated, program, stop, claim))
                node = _named(wanted.levels[0], claim)
                if node is not None:
                    yield from _in_python(f"{wanted.where}: {claim.name}", stop, claim, node)


def _evaluated(program: goprobe.Program, stop: goprobe.Stop, claim: Claim) -> bool:
    return condition(claim.text)(lambda name: program._named(stop, name))


def _answered(asked: str, truth: object, evaluate: Callable[[], object]) -> Answer:
    try:
        return equal(asked, truth, evaluate())
    except GoprobeError as error:
        if truth == REFUSED and isinstance(error, UsageError):
            return right(asked)
        return not_told(asked, _reason(str(error)))
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:  # a condition's crash
        return wrong(asked, truth=str(truth), told=repr(error))


def _reason(text: str) -> str:
    return " ".join("N" if any(c in "0123456789[.'" for c in w) else w for w in text.split())[:90]


def _in_python(asked: str, stop: goprobe.Stop, claim: Claim, node: Node) -> Iterator[Answer]:
    """The value at the end of a claim's path, through Python's operators."""
    for step in claim.path:
        found = part_of(node, step)
        if found is None or (step is None and found[0] != "struct"):
            return  # of a pointer Python's operators take the address, as Go's do
        node = found
    if not is_known(node):
        return
    asked = f"{asked}{list(claim.path)} in Python"

    def value() -> Any:
        at: Any = stop[claim.name]
        for step in claim.path:
            if step is not None:
                at = at[step]
        return at

    kind = node[0]
    nil = kind in ("ptr", "slice", "map", "chan", "func", "interface") and node[2] == "nil"
    if kind in ("ptr", "slice", "map", "chan", "func", "interface"):
        yield _answered(f"{asked} == None", nil, lambda: value() == None)  # noqa: E711
    elif kind in SIGNED or kind in UNSIGNED:
        number = int(node[2], 0)
        yield _answered(f"{asked} == {number}", True, lambda: value() == number)
        yield _answered(f"int({asked})", number, lambda: int(value()))
    elif kind == "bool":
        yield _answered(f"bool({asked})", node[2] == "true", lambda: bool(value()))
    elif kind == "string" and node[2] <= 1024:
        yield _answered(f"bytes({asked})", text_of(node), lambda: bytes(value()))
    elif kind in ("float32", "float64") and not math.isnan(float(node[2])):
        yield _answered(f"float({asked})", float(node[2]), lambda: float(value()))
    if kind in ("slice", "map", "string", "chan") and not nil:
        yield _answered(f"len({asked})", node[2], lambda: len(value()))


def _of_runs(
    stops: list[Expected], made: dict[str, list[Claim]]
) -> list[tuple[str, Claim, list[bool]]]:
    """Claims of which each pass of their line says whether they hold, first those that hold at some
    only."""
    found = []
    for where, mine in made.items():
        levels = [stop.levels[0] for stop in stops if stop.where == where]
        for claim in mine:
            truths = [_truth(level, claim) for level in levels]
            if None not in truths and REFUSED not in truths:
                found.append((where, claim, [t is True for t in truths]))
    return sorted(found, key=lambda each: len(set(each[2])), reverse=True)


def _alone(case: Case, where: str, claim: Claim, truths: list[bool], output: int) -> Answer:
    """How often the program stops at a line by the condition alone."""
    asked = f"{where} when {claim.text}"
    try:
        program = goprobe.launch(str(case.binary), timeout=_SECONDS, stdout=output)
        with program:
            count = sum(1 for _ in program.run([where], when=claim.text))
    except GoprobeError as error:
        return not_told(asked, _reason(str(error)))
    return equal(asked, sum(truths), count)
