"""Signals that are held back, in whatever order their blocks end."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from goprobe.deferredsignals import signals_deferred, stops_held
from goprobe.process.spawn import start_stopped
from tests.support.cli import goprobe
from tests.support.go import build

ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}


def blocked() -> set[signal.Signals | int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_blocks_within_each_other() -> None:
    before = blocked()
    with signals_deferred() as outer:
        assert blocked() == before | ENDS | STOPS and outer == before
        with signals_deferred() as inner:
            assert inner == before
        assert blocked() == before | ENDS | STOPS
    assert blocked() == before


def test_blocks_that_end_in_any_order() -> None:
    before = blocked()
    one, other = ExitStack(), ExitStack()
    one.enter_context(stops_held())
    with signals_deferred():
        other.enter_context(stops_held())
        one.close()
        assert blocked() == before | ENDS | STOPS
    assert blocked() == before | STOPS
    other.close()
    assert blocked() == before


def test_what_was_blocked_before_stays_so() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    try:
        with stops_held(), signals_deferred() as before:
            assert signal.SIGTSTP in before and signal.SIGINT not in before
        assert signal.SIGTSTP in blocked()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})


def test_a_program_that_is_started_meanwhile_has_none_of_it() -> None:
    with stops_held(), signals_deferred():
        pid = start_stopped("/bin/sleep", ["60"])
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"SigBlk:\t{0:016x}\n" in status
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


MASK = """
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\\n") {
		if strings.HasPrefix(line, "SigBlk") {
			fmt.Println(line)
		}
	}
}
"""


def test_traced_and_counted_programs_have_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "mask.go").write_text(MASK)
    wanted = f"SigBlk:\t{0:016x}"
    assert wanted in goprobe("trace", build(MASK), "--break", "main.main").text
    assert wanted in goprobe("escape", tmp_path / "mask.go", cwd=tmp_path).text
