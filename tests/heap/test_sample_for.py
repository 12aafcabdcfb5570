"""Sampling turned on for a while in a program that has it off, and turned off again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from goprobe.target.live import open_target
from tests.support.cli import PROJECT, environment, goprobe as command
from tests.support.go import Running, build, running
from tests.support.heap import TESTDATA


@pytest.fixture(scope="module", params=["", "-s -w"], ids=["whole", "stripped"])
def binary(request: pytest.FixtureRequest, go: str) -> Path:
    flags = [f"-ldflags={request.param}"] if request.param else []
    return build(TESTDATA / "unprofiled.go", go=go, flags=flags)


@pytest.fixture
def program(binary: Path) -> Iterator[Running]:
    with running(binary) as program:
        yield program


def _rate(pid: int) -> int:
    """Of the program, as it is in its memory."""
    address = open_target(pid).root("MemProfileRate")
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        return int.from_bytes(os.pread(memory.fileno(), 8, address), "little")


def test_what_the_linker_turned_off_is_said(program: Running) -> None:
    done = command("heap", str(program.pid), "--sites")
    assert done.code == 0, done.err
    text = " ".join(done.text.split())
    assert "By allocation site" in text
    assert "the linker turned sampling off, for nothing in the program reads the profile" in text
    assert "--sample-for 30s turns it on" in text
    assert "since the start" not in text  # what was sampled was so at times only


def test_sampling_is_on_for_so_long_and_off_again(program: Running) -> None:
    assert _rate(program.pid) == 0
    done = command(
        "heap", str(program.pid), "--sample-for", "1s", "--rate", "1", "--types", "--json"
    )
    assert done.code == 0, done.err
    sites = [
        s
        for s in done.json["sites"]
        if s["stack"][s.get("allocator", 0)]["function"] == "main.made"
    ]
    assert done.json["sampling"]["rate"] == 1 and done.json["sampling"]["linked"] is False
    assert sum(s["now_objects"] for s in sites) >= 2 * 64  # all that are there: a job and its body
    types: Counter[str] = Counter()
    for site in sites:
        types.update({name: t["objects"] for name, t in site.get("types", {}).items()})
    if not open_target(program.pid).program.stripped:  # else no global says what it leads to
        assert 64 <= types["main.job"] <= 65 and {
            name for name in types if not name.startswith("runtime.")
        } <= {"main.job", "[]uint8 backing", "?"}
    assert not [a for a in done.json["audit"] if not a["holds"]]
    assert _rate(program.pid) == 0
    text = command("heap", str(program.pid), "--sample-for", "100ms", "--rate", "4096").text
    assert "sampled for 0.1 s, one object for each 4,096 bytes" in " ".join(text.split())
    assert _rate(program.pid) == 0


def test_what_was_sampled_before_is_not_told_again(program: Running) -> None:
    words = ("heap", str(program.pid), "--rate", "1", "--json", "--sample-for")
    long, short = (command(*words, time).json["sampling"] for time in ("2s", "200ms"))
    assert 0 < short["alloc_objects"] < long["alloc_objects"]
    assert short["now_objects"] <= short["alloc_objects"]
    text = " ".join(command(*words[:4], "--sample-for", "200ms").text.split())
    assert "of that in use by now" in text and "by the last collection" not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_is_put_back_when_goprobe_is_ended(program: Running, number: signal.Signals) -> None:
    words = ["-m", "goprobe", "heap", str(program.pid), "--sample-for", "60s", "--rate", "77777"]
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as goprobe:
        _until(lambda: _rate(program.pid) == 77777)
        # What is there now is not the program's own: a second one would put that back.
        second = command("heap", str(program.pid), "--sample-for", "1s", "--rate", "5")
        assert second.code != 0 and "another goprobe has this changed" in second.err
        goprobe.send_signal(number)
    _until(lambda: _rate(program.pid) == 0)


def _until(holds: object) -> None:
    deadline = time.monotonic() + 20
    assert callable(holds)
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def test_a_core_cannot_sample_and_rates_need_a_time(program: Running) -> None:
    assert command("heap", str(program.pid), "--rate", "5").code == 2
    assert command("heap", str(program.pid), "--raw").code == 2
    assert command("heap", str(program.pid), "--sample-for", "nonsense").code == 2
    for rate in ("-1", "0"):
        assert command("heap", str(program.pid), "--sample-for", "1s", "--rate", rate).code == 2


def test_who_allocated_what_is_gone_is_told_first(go: str) -> None:
    """It was hidden: only what is left was told by site."""
    source = """package main

import (
	"fmt"
	"time"
)

var sink []byte

//go:noinline
func churn() {
	for i := 0; i < 2000; i++ {
		sink = make([]byte, 1000)
	}
}

func main() {
	fmt.Println("ready")
	for {
		churn()
		time.Sleep(20 * time.Millisecond)
	}
}
"""
    with running(build(source, go=go)) as program:
        done = command("heap", str(program.pid), "--sample-for", "1s", "--rate", "4096")
    assert done.code == 0, done.err
    told = " ".join(done.text.split("By allocation site")[1].split())
    first = told.partition("of it in use, from ")[2]
    assert first.startswith("main.churn ")
