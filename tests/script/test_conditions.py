"""Conditions in Go's expression grammar, against functions of Python that say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.api.script.goexpr import parse
from goprobe.errors import NoSuchElementError, UsageError
from tests.support import go

SESSIONS = Path(__file__).parents[2] / "testdata" / "sessions"
UNOPTIMISED = ("-gcflags=all=-N -l",)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-7 / 2", -3), ("-7 % 3", -1), ("7 % -3", 1),
        ("1 < 2 && 2 < 1 || true", True), ("true || 1 / 0 == 1", True), ("!false", True),
        ("0x1F == 31", True), ("1_000 == 1000", True), ("'a' == 97", True), ("2.5 * 2 == 5", True),
        (r'"a\n\x41" == "a' "\\n" r'A"', True), ("`a\\n` == `a`", False), ("a.b.c == 3", True),
        ("a - b - c == -4", True), ("1 == 1 == true", True),
    ],
)  # fmt: skip
def test_the_grammar(text: str, value: object) -> None:
    def scope(name: str) -> object:
        known = {"a": 1, "b": 2, "c": 3}
        if name == "a.b" or name not in known:
            raise NoSuchElementError(name)
        return known[name]

    if text.startswith("a.b"):
        with pytest.raises(UsageError):
            parse(text)(scope)
        return
    assert parse(text)(scope) == value


@pytest.mark.parametrize(
    "text",
    ["", "a ==", "a b", "(a", "a[1", "a.", "a = 1", "a == 'ab", "&a", "#", "a." * 3000, "(" * 500,
     "1 +* 2", '"open', "len(a", "a ==== b"],
)  # fmt: skip
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(UsageError, match="the condition"):
        parse(text)


@pytest.fixture(params=go.matrix(), scope="module")
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("flags", [UNOPTIMISED, ()])
def test_stops_for_which_it_is_true(release: str, flags: tuple[str, ...]) -> None:
    binary = str(go.build(SESSIONS / "steps.go", go=release, flags=flags))

    def seen(when: goprobe.Condition) -> list[tuple[int, int]]:
        with goprobe.launch(binary, stdout=2) as program:
            stops = program.run(["main.fib"], when=when)
            return [(int(stop["n"]), len(stop.frames)) for stop in stops]

    told = seen("n*2 == 10 && n < 6")
    assert told == seen(lambda stop: stop["n"] == 5)
    assert len(told) == 21  # fib(12) calls fib(5) as often as fib(8) is large


def test_of_what_a_condition_may_name(release: str) -> None:
    binary = str(go.build(SESSIONS / "values.go", go=release, flags=UNOPTIMISED))

    def lines(where: str, when: str) -> int:
        with goprobe.launch(binary, stdout=2) as program:
            return sum(1 for _ in program.run([where], when=when))

    assert lines("main.here", "step == 1") == 1
    assert lines("main.here", "counter == 42") == 3  # of the stop's own package
    assert lines("main.here", 'main.counter > 41 && main.table["a"].Y == 2') == 3
    assert lines("main.inner", "n == 21") == 1
    with pytest.raises(KeyError, match="no variable stepp in scope"):
        lines("main.here", "stepp == 1")
    with pytest.raises(UsageError, match="is no truth value"):
        lines("main.here", "step")


def test_stops_of_one_goroutine(release: str) -> None:
    binary = str(go.build(SESSIONS / "writes.go", go=release, flags=UNOPTIMISED))
    with goprobe.launch(binary, stdout=2) as program:
        assert [s.goroutine for s in program.run(["main.begin"], goroutine=1)] == [1, 1]
    with goprobe.launch(binary, stdout=2) as program:
        assert [s.goroutine for s in program.run(["main.begin"], goroutine=99)] == []
