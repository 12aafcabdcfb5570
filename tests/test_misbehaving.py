"""What becomes of a trace when the program misbehaves: testdata/misbehaving."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from goprobe.analysis.trace.trace import TraceRequest, trace
from goprobe.errors import BuildError, TargetGoneError, TargetTimeoutError
from goprobe.model.codec import to_builtins
from goprobe.model.trace import TraceReport
from tests.support import go
from tests.support.gdb import gdbs

PROGRAMS = Path(__file__).parent.parent / "testdata" / "misbehaving"
DEBUG = ("-gcflags=all=-N -l",)


@pytest.fixture(params=go.matrix())
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def traced(name: str, release: str, *breaks: str, timeout: float = 60) -> TraceReport:
    binary = go.build(PROGRAMS / f"{name}.go", go=release, flags=DEBUG)
    gdb = str(gdbs()[-1].path)
    return trace(TraceRequest(target=str(binary), breaks=breaks, gdb=gdb, timeout=timeout))


@pytest.mark.parametrize(
    ("name", "stops", "ends"),
    [
        ("chatty", 1, {"code": 0}),
        ("deadlock", 2, {"code": 2}),
        ("escapes", 2, {"code": 0}),
        ("exit3", 2, {"code": 3}),
        ("forks", 2, {"code": 0}),
        ("killed", 2, {"signal": "SIGKILL"}),
        ("nilderef", 2, {"code": 2}),
        ("overflow", 2, {"code": 2}),
        ("panics", 2, {"code": 2}),
        ("signals", 2, {"code": 0}),
        ("slowinit", 2, {"code": 0}),
        ("threads", 2, {"code": 0}),
    ],
)
def test_how_it_ended_is_told(
    name: str, stops: int, ends: dict[str, object], release: str, capfd: pytest.CaptureFixture[str]
) -> None:
    report = traced(name, release)
    assert to_builtins(report.exit) == ends
    assert len(report.stops) == stops


def test_signals_are_the_programs_own(release: str, capfd: pytest.CaptureFixture[str]) -> None:
    traced("signals", release)
    assert capfd.readouterr().out == "100 true <nil> 2500000 true\n"


def test_a_program_that_prints_a_lot(release: str, capfd: pytest.CaptureFixture[str]) -> None:
    traced("chatty", release)
    said = capfd.readouterr()
    assert said.out.count("\n") == 100_000 and said.err.count("\n") == 10_000


def test_an_end_before_any_stop(release: str) -> None:
    with pytest.raises(TargetGoneError, match="ended with exit code 0 before it reached"):
        traced("immediate", release)
    with pytest.raises(TargetGoneError, match=r"before it reached main\.main"):
        traced("immediate", release, "main.main")


def test_a_place_that_is_never_reached(release: str) -> None:
    with pytest.raises(TargetTimeoutError, match=r"did not reach main\.unreached within 1 s"):
        traced("forever", release, "main.unreached", timeout=1)


def test_a_program_that_never_ends_has_its_stops(release: str) -> None:
    report = traced("forever", release, timeout=2)
    assert [stop.function for stop in report.stops] == ["main.main"]
    assert report.exit.code is report.exit.signal is msgspec.UNSET
    assert any("ended" in warning for warning in report.warnings)


def test_a_program_that_becomes_another(release: str, capfd: pytest.CaptureFixture[str]) -> None:
    report = traced("execs", release)
    assert [stop.function for stop in report.stops][:2] == ["main.main", "fmt.Println"]
    assert "another program" in capfd.readouterr().out


def test_no_string_reaches_the_report_raw(release: str) -> None:
    report = traced("escapes", release)
    shown = str(to_builtins(report))
    assert all(char.isprintable() for char in shown)
    texts = {v.name: v.value.text for v in report.stops[1].variables if v.value}
    assert texts["title"] == r"\x1b]0;owned\a"
    assert texts["invalid"] == r"\xff\xfe\x80 \xc3"
    assert texts["override"] == r"safe\u202egnp.exe"


def test_a_program_that_does_not_compile(tmp_path: Path, release: str) -> None:
    source = tmp_path / "nocompile.go"
    source.write_text((PROGRAMS / "nocompile.go.txt").read_text())
    with pytest.raises(BuildError) as caught:
        trace(TraceRequest(target=str(source), go=str(go.toolchain(release))))
    places = re.findall(r"nocompile\.go:(\d+:\d+): ", caught.value.output)
    assert places == ["7:2", "7:7", "8:14"]


def test_standard_input_is_ours(release: str) -> None:
    binary = go.build(PROGRAMS / "stdin.go", go=release, flags=DEBUG)
    command = [sys.executable, "-m", "goprobe", "trace", str(binary)]
    command += ["--break", "stdin.go:15", "--json", "--gdb", str(gdbs()[-1].path)]
    done = subprocess.run(command, input="first\nsecond\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "line 1: first" in done.stderr and "end after 2" in done.stderr
    report = msgspec.json.decode(done.stdout)
    seen = [
        v["value"]["text"] for s in report["stops"] for v in s["variables"] if v["name"] == "line"
    ]
    assert seen == ["first", "second"]
