"""Several packages looked at at a time: the same is told as of one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from goprobe.analysis.escape.escape import EscapeRequest, Mode, escape
from goprobe.model.codec import from_json
from goprobe.model.escape import EscapeReport, Verdict
from tests.escape.corpus import go_environment
from tests.escape.hardship import GO, module

_LIBRARY = """\
package {name}

import "fmt"

//go:noinline
func New(i int) *int {{ return &i }}

//goprobe:noalloc
//go:noinline
func Sum(a []int) (n int) {{ for _, v := range a {{ n += v }}; return n }}

//go:noinline
func Text(i int) string {{ return fmt.Sprint("n", i) }}
"""
_TEST = """\
package {name}

import ("testing"; "fmt"; "os"; "time"; "io")

var s any

func TestA(t *testing.T) {{
    time.Sleep({pause} * time.Millisecond)
    for i := range 10 {{ s = New(i + {number}) }}
    s = Text(Sum([]int{{1, {number}}}))
    fmt.Println("said by {name}")
    fmt.Fprintln(os.Stderr, "complained by {name}")
    if in, err := io.ReadAll(os.Stdin); len(in) > 0 || err != nil {{ t.Error("there is input") }}
    {more}
}}
"""


def _module(folder: Path, more: dict[str, str], pauses: dict[str, int]) -> Path:
    files = {}
    for number, name in enumerate("abcde"):
        values = {"name": name, "number": number, "pause": pauses.get(name, 0)}
        files[f"{name}/{name}.go"] = _LIBRARY.format(**values)
        files[f"{name}/{name}_test.go"] = _TEST.format(**values, more=more.get(name, ""))
    return module(folder, {"go.mod": "module example.com/m\n\ngo 1.22\n", **files})


def _told(folder: Path, at_once: int, stdout: Path, stderr: Path) -> EscapeReport:
    with go_environment(), stdout.open("w") as out, stderr.open("w") as complaints:
        return escape(
            EscapeRequest(
                targets=("./...",),
                mode=Mode.TEST,
                go=GO,
                cwd=folder,
                stdout=out.fileno(),
                stderr=complaints.fileno(),
                timeout=60.0,
                at_once=at_once,
            )
        )


def _seen(report: EscapeReport) -> list[object]:
    sites = [
        (s.file, s.line, s.col, s.function, s.verdict, s.hits, s.allocations, s.flow)
        for s in report.sites
    ]
    held = [(a.file, a.line, a.held, a.why) for a in report.assertions]
    return [sites, held, report.failed, report.exit, report.partial, report.functions]


@pytest.mark.parametrize("more", [{}, {"b": 't.Error("bad")'}, {"a": "os.Exit(3)"}])
def test_the_same_is_told_as_of_one_after_the_other(tmp_path: Path, more: dict[str, str]) -> None:
    folder = _module(tmp_path / "m", more, {"a": 700})
    one, two = (
        _told(folder, at_once, tmp_path / f"out{at_once}", tmp_path / f"err{at_once}")
        for at_once in (1, 2)
    )
    assert _seen(one) == _seen(two)
    assert {s.file for s in two.sites} >= {f"{name}/{name}.go" for name in "abcde"}
    assert any(s.verdict == Verdict.CONFIRMED_HEAP and s.hits == 10 for s in two.sites)
    assert len([a for a in two.assertions if a.held]) == 5
    said = (tmp_path / "out2").read_text()
    lines = [line for line in said.splitlines() if line.startswith("said by")]
    assert lines == [f"said by {name}" for name in "abcde"]
    complaints = (tmp_path / "err2").read_text()
    assert complaints == (tmp_path / "err1").read_text()
    assert complaints == "".join(f"complained by {name}\n" for name in "abcde")


def test_each_runs_as_often_as_is_asked(tmp_path: Path) -> None:
    folder = _module(tmp_path / "m", {}, {})
    done = _goprobe(folder, tmp_path / "report.json", "--repeat", "3")
    assert done.wait(120) == 0
    report = from_json((tmp_path / "report.json").read_bytes(), EscapeReport)
    assert any(s.least == s.most == 10 for s in report.sites)


def _goprobe(folder: Path, report: Path, *options: str) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-m", "goprobe", "escape", "--test", "--go", GO, "--json")
    with go_environment():
        return subprocess.Popen(
            (*command, "-o", str(report), *options, "./..."),
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_ended_leaves_no_test_running(tmp_path: Path, number: int) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    mark = f'os.WriteFile("{marks}/" + fmt.Sprint(os.Getpid()), nil, 0o666); '
    wait = "time.Sleep(100 * time.Second)"
    folder = _module(tmp_path / "m", dict.fromkeys("abcde", mark + wait), {})
    goprobe = _goprobe(folder, tmp_path / "report.json")
    deadline = time.monotonic() + 120
    while len(list(marks.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    running = [int(mark.name) for mark in marks.iterdir()]
    assert len(running) >= min(2, len(os.sched_getaffinity(0)))
    goprobe.send_signal(number)
    if number == signal.SIGINT:  # ends these runs; those of the others begin
        time.sleep(3)
        assert not [pid for pid in running if Path(f"/proc/{pid}").exists()]
        goprobe.send_signal(signal.SIGTERM)
    goprobe.wait(30)
    pids = [int(mark.name) for mark in marks.iterdir()]
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
