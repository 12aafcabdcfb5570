"""`goprobe heap --every`: a line for each look, and the whole at the end, whatever ends it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import command, environment, goprobe
from tests.support.go import Running, build, running

PROGRAM = """package main

import (
	"fmt"
	"time"
)

type page struct{ bytes [4096]byte }

var pages []*page

func main() {
	fmt.Println("ready")
	for {
		pages = append(pages, new(page))
		time.Sleep(2 * time.Millisecond)
	}
}
"""


@pytest.fixture
def program() -> Iterator[Running]:
    with running(build(PROGRAM)) as started:
        yield started


def watching(program: Running, *options: str) -> subprocess.Popen[bytes]:
    words = ("heap", str(program.pid), "--every", "100ms", "--count", "1000", *options)
    return subprocess.Popen(
        command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(COLUMNS="80"),
        # A shell's background job ignores interrupts, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def looks(child: subprocess.Popen[bytes], count: int) -> list[str]:
    assert child.stdout
    return [child.stdout.readline().decode() for _ in range(count)]


def test_each_look_is_a_line_and_says_what_grew(program: Running) -> None:
    ran = goprobe("heap", str(program.pid), "--every", "200ms", "--count", "3")
    assert ran.code == 0
    first, second, third = ran.text.splitlines()[:3]
    assert first.endswith(" objects  " + first.rpartition("  ")[2])
    for line in (second, third):
        assert "/s: " in line
        assert "main.page +" in line
    assert "Since then: +" in ran.text


def test_an_interrupt_ends_it_with_what_was_seen(program: Running) -> None:
    with watching(program) as child:
        told = looks(child, 3)
        assert "main.page +" in told[2]
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert b"Since then: +" in out
    assert b"main.page" in out
    assert Path(f"/proc/{program.pid}/stat").read_text().split()[2] in "SRD"


def test_the_end_of_the_process_ends_it_with_what_was_seen(program: Running) -> None:
    with watching(program) as child:
        looks(child, 3)
        program.process.kill()
        program.process.wait()
        out, said = child.communicate(timeout=60)
    assert child.returncode == 4
    assert b"Since then: +" in out
    assert b"has ended" in said


def test_json_has_the_lines_on_stderr(program: Running) -> None:
    ran = goprobe("heap", str(program.pid), "--every", "100ms", "--count", "2", "--json")
    assert json.loads(ran.out)["diff"]["bytes"] > 0
    assert "main.page +" in ran.err
