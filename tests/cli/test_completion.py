"""What a shell is told that a word may become."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.cli import goprobe
from tests.support.go import build, running

SPINNING = """package main

import (
	"fmt"
	"time"
)

func main() { fmt.Println("ready"); time.Sleep(time.Hour) }
"""


def completed(line: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = len(line.split()) if line.endswith(" ") else len(line.split()) - 1
    told = {"COMP_WORDS": line, "COMP_CWORD": str(words), "_GOPROBE_COMPLETE": "bash_complete"}
    offered = goprobe(env=told).text.splitlines()
    return [item.partition(",")[2] or item for item in offered]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("goprobe gor", ["goroutines"]),
        ("goprobe heap --ret", ["--retained"]),
        ("goprobe heap 1 --format p", ["pprof"]),
        ("goprobe escape --fail-on dead,conf", ["dead,confirmed_heap", "dead,confirmed_stack"]),
        ("goprobe completion z", ["zsh"]),
        ("goprobe trace ./ma", ["./ma"]),
    ],
)
def test_words(line: str, offered: list[str]) -> None:
    assert completed(line) == offered


def test_processes() -> None:
    with running(build(SPINNING)) as program:
        assert str(program.pid) in completed(f"goprobe heap {str(program.pid)[:-1]}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    script = goprobe("completion", shell)
    assert script.code == 0
    assert "_GOPROBE_COMPLETE" in script.text


def test_bash_takes_it() -> None:
    script = goprobe("completion", "bash").text
    told = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p goprobe"], capture_output=True, text=True, check=True
    )
    assert "_goprobe_completion" in told.stdout


def test_other_shells_are_refused() -> None:
    refused = goprobe("completion", "tcsh")
    assert (refused.code, refused.out) == (2, b"")
    assert "there is no completion for 'tcsh'" in refused.err
