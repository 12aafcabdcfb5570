"""An edited script plays a recording as far as what was asked then reaches, and is told the end."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.errors import UsageError
from tests.support import go

SOURCE = Path("testdata/sessions/asked.go")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "session"
    binary = str(go.build(SOURCE, flags=("-gcflags=all=-N -l",)))
    with goprobe.launch(binary, stdout=2, record=path) as program:
        for stop in program.run(["main.count"]):
            assert stop["by"] >= 1 and stop["half"] >= 1.0
            assert stop.variables and program["main.counter"] >= 0
            stop.read(int(program["main.counter"].address or 0), 8)
            back = stop.finish()
            assert back is not None and back.results["text"] == "sum" and back.line
    return path


def test_other_questions_in_another_order(recording: Path) -> None:
    with goprobe.replay(recording) as program:
        sums: list[int] = []
        for stop in program.run(["main.count"], when="half > 0.5"):
            counter = program["main.counter"]
            assert counter.py == sum(sums) and counter.py == program["main.counter"].py
            assert stop.read(int(counter.address or 0), 2)[0] == counter.py
            assert {"by", "half"} <= {v.name for v in stop.variables}
            back = stop.finish()
            assert back is not None and back.function == "main.main"
            sums.append(back.results["sum"].py - sum(sums))
        assert sums == [1, 2, 3] and program.exit == goprobe.Exit(code=7)


def test_a_shorter_script(recording: Path) -> None:
    with goprobe.replay(recording) as program:
        assert next(program.run(["main.count"]))["half"] == 1.0


@pytest.mark.parametrize("edit", ["asks", "goes", "stops", "stops less"])
def test_where_it_ends_is_said(recording: Path, edit: str) -> None:
    with goprobe.replay(recording) as program, pytest.raises(UsageError) as raised:
        if edit == "stops less":
            next(program.run())
        stop = next(program.run(["main.count"]))
        if edit == "asks":
            stop.heap()
        elif edit == "goes":
            stop.next()
        else:
            program.break_at("main.open")
    told = {
        "asks": r"asks heap\(\), and that was not asked there",
        "goes": r"asks step\('next', .*\), but .* asked step\('finish', ",
        "stops": r"asks break_at\('main.open'\), and that was not asked there",
        "stops less": r"asks resume\(\), but .* asked break_at\('main.count'\) before",
    }[edit]
    raised.match(told)


def test_a_refused_step_leaves_the_stop_as_it_is(tmp_path: Path) -> None:
    binary = str(go.build(SOURCE, flags=("-gcflags=all=-N -l",)))
    with goprobe.launch(binary, stdout=2, record=tmp_path / "r") as program:
        stop = next(program.run(["main.count"]))
        assert stop["by"] == 1
        with pytest.raises(UsageError):
            stop.until(1)
    with goprobe.replay(tmp_path / "r") as program:
        stop = next(program.run(["main.count"]))
        with pytest.raises(UsageError):
            stop.until(1)
        assert stop["by"] == 1
