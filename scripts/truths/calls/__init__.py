"""Programs that call in random ways, for `goprobe calls`: what each call was passed, what it gave
and how it ended are held against what the program writes down of it. Each call has a number of its
own, its parameter `id`."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

from goprobe.api.calls import Call, CalledWith
from goprobe.errors import UsageError
from goprobe.model.calls import CallRecord
from goprobe.model.codec import from_json
from scripts.truths.answer import Answer, Peers, equal, not_told, right, wrong
from scripts.truths.calls.writing import write
from scripts.truths.choices import Choices
from scripts.truths.kind import PIE, PLAIN, UNOPTIMIZED, Build, Case, Program
from tests.support.cli import command, environment

_SECONDS = 120.0
_SHOWN = 2000
_ARGUMENTS = re.compile(r"\[.*\]")


class Calls:
    name = "calls"
    builds = (PLAIN, UNOPTIMIZED, PIE)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        return write(choices)

    def ask(self, case: Case) -> Iterator[Answer]:
        truth, told = case.directory / "truth.jsonl", case.directory / "told.jsonl"
        patterns = case.program.notes["patterns"]
        assert isinstance(patterns, list)
        asked = command(
            "calls", "--args", "--results", "--json", "-o", told, case.binary, *patterns,
            "--", truth,
        )  # fmt: skip
        ran = subprocess.run(
            asked, cwd=case.directory, env=environment(), capture_output=True, timeout=_SECONDS
        )
        if ran.returncode or not truth.exists() or not told.exists():
            said = ran.stderr.decode(errors="replace")[-_SHOWN:]
            yield wrong("goprobe answers", truth="code 0", told=f"{ran.returncode}: {said}")
            return
        calls = {each["id"]: each for each in map(json.loads, truth.read_text().splitlines())}
        yield from _judged(calls, told.read_bytes().splitlines())

    def peers(self, case: Case) -> Peers:
        return {}


def _judged(calls: dict[int, Any], lines: list[bytes]) -> Iterator[Answer]:
    *records, report = lines
    functions = {each["function"] for each in calls.values()}
    seen: Counter[int] = Counter()
    unnumbered: Counter[str] = Counter()
    for line in records:
        call = Call(from_json(line, CallRecord))
        function = _bare(call)
        if function not in functions:
            continue  # a literal within one of them
        if call.args.why:
            unnumbered[function] += 1
            yield not_told("a call's number", call.args.why)
            continue
        if "id" not in call.args:
            unnumbered[function] += 1
            yield wrong(f"arguments of {function}", truth="id is one", told=repr(call.args))
            continue
        number = int(call.args["id"].py)
        seen[number] += 1
        if number not in calls:
            yield wrong(f"call {number}", truth="there is none", told=repr(call))
        else:
            yield from _held(calls[number], call)
    if not json.loads(report).get("lost"):
        yield from _each_once(calls, seen, unnumbered)


def _each_once(
    calls: dict[int, Any], seen: Counter[int], unnumbered: Counter[str]
) -> Iterator[Answer]:
    for number in calls:
        function = calls[number]["function"]
        if not seen[number] and unnumbered[function]:
            unnumbered[function] -= 1
        elif seen[number] != 1:
            asked = f"call {number} of {function}"
            yield wrong(asked, truth="it was made once", told=f"told {seen[number]} times")
    for function, more in unnumbered.items():
        if more:
            yield wrong(f"calls of {function}", truth="as many as it wrote", told=f"{more} more")


def _bare(call: Call) -> str:
    """Without type arguments; a literal's name goes on behind them."""
    return _ARGUMENTS.sub("", call.function)


def _held(truth: Any, call: Call) -> Iterator[Answer]:
    about = f"{truth['function']} call {truth['id']}"
    yield equal(about, truth["function"], _bare(call))
    yield equal(about, truth["end"], call.end)
    yield from _values(f"{about} argument", truth["args"], call.args)
    if truth["end"] == "return" and call.end == "return":
        yield from _values(f"{about} result", truth["results"], call.results)


def _values(about: str, truth: list[Any], told: CalledWith) -> Iterator[Answer]:
    """The last ones: a receiver stands before the arguments."""
    if told.why:
        yield not_told(about, told.why)
        return
    for number, own in enumerate(truth):
        asked = f"{about} {number}"
        try:
            value = told[number - len(truth)]
        except UsageError:
            yield wrong(asked, truth=repr(own), told=f"there are only {len(told)}")
            continue
        if value.report.why:
            yield not_told(asked, value.report.why)
            continue
        try:
            same = _same(own, value)
        except UsageError as error:
            yield not_told(asked, str(error))
            continue
        yield right(asked) if same else wrong(asked, truth=repr(own), told=repr(value))


def _same(own: Any, value: Any) -> bool:
    """Errors are told as the struct that they are: their text is in it."""
    if isinstance(own, dict) and "error" in own:
        return own["error"] in value.text and value != None  # noqa: E711
    if own is None:
        return bool(value == None)  # noqa: E711
    return type(value.py) is type(own) and bool(value.py == own)


KIND = Calls()
