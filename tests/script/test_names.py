"""A name means what it means in Go's source where the program stands, or nothing is told of it:
never another function's variable that happens to be called so."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.errors import NoSuchElementError, UsageError
from tests.support.go import build

SOURCE = Path(__file__).parents[2] / "testdata" / "sessions" / "names.go"
LINES = {
    text.rpartition("// ")[2]: f"names.go:{number}"
    for number, text in enumerate(SOURCE.read_text().splitlines(), 1)
    if "// " in text and text.startswith("\t")
}


@pytest.fixture(scope="module", params=["-N -l", "-l"])
def program(request: pytest.FixtureRequest) -> str:
    return str(build(SOURCE, flags=(f"-gcflags={request.param}",)))


def count(program: str, where: str, when: str) -> int:
    with goprobe.launch(program) as launched:
        return sum(1 for _ in launched.run([where], when=when))


def test_a_variable_of_the_package_comes_before_those_of_callers(program: str) -> None:
    assert count(program, "main.leaf", "mode == 3") == 3
    assert count(program, "main.leaf", "mode == 7") == 0


def test_what_a_constant_hides_is_not_meant(program: str) -> None:
    with pytest.raises(UsageError, match="n has no value here"):
        count(program, LINES["hidden by a constant"], "n == 4")


def test_what_a_closure_has_not_captured_is_not_looked_for_elsewhere(program: str) -> None:
    with pytest.raises(UsageError, match=r"x has no value here: .*its source declares it"):
        count(program, LINES["not captured"], "x == 6")
    with goprobe.launch(program) as launched:
        stop = next(launched.run([LINES["not captured"]]))
        with pytest.raises(UsageError, match="its source declares it"):
            int(stop["x"])


def test_a_name_that_is_given_a_value_anew_is_the_same_variable() -> None:
    unoptimised = str(build(SOURCE, flags=("-gcflags=-N -l",)))
    assert count(unoptimised, LINES["the same x"], "x == 6 && n == 4") == 1


def test_what_an_inlined_closure_has_captured_is_said_to_be_the_outer_functions() -> None:
    optimised = str(build(SOURCE))
    with goprobe.launch(optimised) as launched:
        stop = next(launched.run(["main.mark"]))
        assert stop.frames[1].inlined and stop.frames[2].function == "main.literal"
        for name, hint in (("n", "frame(2)"), ("nowhere", "")):
            with pytest.raises(NoSuchElementError, match="was inlined") as told:
                _ = stop.frame(1)[name]
            assert told.value.hint.endswith(hint)


def test_where_the_runtime_panics_the_users_variables_are_meant() -> None:
    program = str(build(SOURCE, flags=("-gcflags=-N -l",)))
    assert count(program, goprobe.PANIC, "len(p) == 1 && len(e) == 0") == 1
    with goprobe.launch(program) as launched:
        stop = next(launched.run([goprobe.PANIC]))
        assert stop["p"].py == [1] and stop.frames[0].function == "runtime.gopanic"
        assert stop.panic is not None and stop.panic.message == "1"
