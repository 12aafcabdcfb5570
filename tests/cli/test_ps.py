"""`goprobe ps`: which Go programs run here, as users ask for it."""

from __future__ import annotations

import getpass
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from msgspec.structs import replace

from goprobe.analysis.ps import ps
from goprobe.model.ps import PsReport, RunningProgram
from goprobe.model.report import Tool
from goprobe.report import RenderOptions, render
from tests.report.screen import lines
from tests.support.cli import environment, goprobe
from tests.support.go import build, matrix, running, toolchain

PROGRAM = """package main

import "fmt"

func main() {
	for i := 0; i < 40; i++ {
		go func() { select {} }()
	}
	fmt.Println("ready")
	var forever chan int
	for i := 0; ; i++ {
		if i == 1 {
			go func() { for { fmt.Scanln() } }()
			<-forever
		}
	}
}
"""


@pytest.fixture(scope="module", params=[(go, flags) for go in matrix() for flags in ("", "-s -w")])
def told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What is said of one running program, and what is right."""
    go, flags = request.param
    with running(build(PROGRAM, go=go, flags=[f"-ldflags={flags}"])) as program:
        listed = goprobe("ps", "--json")
        counted = goprobe("goroutines", str(program.pid), "--json")
        resident = goprobe("maps", str(program.pid), "--json").json["rss"]
        text = goprobe("ps", env=environment(COLUMNS="100"))
    mine = [p for p in listed.json["programs"] if p["pid"] == program.pid]
    assert len(mine) == 1
    return {
        **mine[0],
        "go wanted": str(toolchain(go)),
        "stripped wanted": bool(flags),
        "rows": [line.split() for line in lines(text.out)],
        "goroutines wanted": len(counted.json["goroutines"]),
        "rss wanted": resident,
    }


def test_a_running_program_is_told(told: dict[str, Any]) -> None:
    assert told["user"] == getpass.getuser()
    assert told["go"] in told["go wanted"]
    assert told["stripped"] == told["stripped wanted"]
    assert told["goroutines"] == told["goroutines wanted"] > 40
    assert abs(told["rss"] - told["rss wanted"]) < 4 << 20
    assert told["command"].endswith("/program")
    assert "why" not in told


def test_the_table_has_a_line_for_it(told: dict[str, Any]) -> None:
    (row,) = [row for row in told["rows"] if row[:1] == [str(told["pid"])]]
    assert row[:3] == [str(told["pid"]), told["user"], told["go"]]
    assert ("yes" in row) == told["stripped wanted"]


def test_other_programs_are_not_listed() -> None:
    ran = goprobe("ps", "--json")
    assert ran.code == 0, ran.err
    listed = ran.json["programs"]
    assert os.getpid() not in [program["pid"] for program in listed]


def test_programs_that_end_meanwhile_are_left_out() -> None:
    """Each `ps` meets some in every state of their end: looked for, read, not yet waited for."""
    short = build('package main\n\nimport "time"\n\nfunc main() { time.Sleep(3e6) }\n')
    done = Event()

    def run_again() -> None:
        while not done.is_set():
            subprocess.run([short], check=True)

    with ThreadPoolExecutor(3) as runs:
        again = [runs.submit(run_again) for _ in range(3)]
        try:
            told = [program for _ in range(100) for program in ps().programs]
        finally:
            done.set()
    assert all(run.exception() is None for run in again)
    assert not [program.why for program in told if program.command == str(short) and program.why]


def test_the_page_has_the_table() -> None:
    page = goprobe("ps", "--format", "html")
    assert page.code == 0
    assert '<th scope="col" class="num">pid</th>' in page.text


def test_of_a_process_with_all_there_is_nothing_is_cut_but_a_very_long_command() -> None:
    """Where the rest leaves no room for the command it stands below its row."""
    full = RunningProgram(
        pid=22921, user="root", go="1.24.11", stripped=True, rss=477 << 20, goroutines=100_028,
        ports=(42765,), container="0123456789ab" + "0" * 52,
        command="/root/.cache/shop/085af910cb815710b8d8f8ea/crowd 10000 1",
    )  # fmt: skip
    long = replace(full, pid=22922, command="go build " + "-gcflags=truth " * 40)
    report = PsReport(pid=0, go=Tool(""), programs=(full, long))
    told = lines(render(report, "text", RenderOptions(width=80)))
    assert max(map(len, told)) <= 80 and len(told) < 12
    assert "22921  root  1.24.11  yes        477 MiB     100,028   :42765  0123456789ab" in told
    assert f"       {full.command}" in told
