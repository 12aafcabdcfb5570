"""What a shell is told that a word may become."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import environment, goprobe
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
        ("goprobe goroutines 1 --format ", ["text", "json", "html"]),
        ("goprobe escape --fail-on dead,conf", ["dead,confirmed_heap", "dead,confirmed_stack"]),
        ("goprobe completion z", ["zsh"]),
        ("goprobe help ma", ["man"]),
        ("goprobe trace ./ma", ["./ma"]),
    ],
)
def test_words(line: str, offered: list[str]) -> None:
    assert completed(line) == offered


def test_processes(tmp_path: Path) -> None:
    binary = tmp_path / f"spinning-{os.getpid()}"
    shutil.copy(build(SPINNING), binary)
    with running(binary) as program:
        assert str(program.pid) in completed(f"goprobe heap {str(program.pid)[:-1]}")
        assert binary.name in completed(f"goprobe heap {binary.name[:-1]}")


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


@pytest.mark.skipif(not shutil.which("fish"), reason="NO FISH: its completion is NOT tested here")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("goprobe gor", "goroutines"),
        ("goprobe heap --ret", "--retained"),
        ("goprobe escape --fail-on dead,confirmed_h", "dead,confirmed_heap"),
        ("goprobe help gl", "glossary"),
    ],
)
def test_fish_offers(tmp_path: Path, line: str, offered: str) -> None:
    script = tmp_path / "goprobe.fish"
    script.write_bytes(goprobe("completion", "fish").out)
    told = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"),
    )
    assert [word.partition("\t")[0] for word in told.stdout.splitlines()] == [offered]


@pytest.mark.skipif(not shutil.which("zsh"), reason="NO ZSH: its completion is NOT tested here")
def test_zsh_takes_it(tmp_path: Path) -> None:
    script = tmp_path / "goprobe.zsh"
    script.write_bytes(goprobe("completion", "zsh").out)
    asked = "autoload -Uz compinit; compinit -u -D; source $1; print $_comps[goprobe]"
    told = subprocess.run(
        ["zsh", "-f", "-c", asked, "zsh", str(script)], capture_output=True, text=True, check=True
    )
    assert told.stdout == "_goprobe_completion\n"


def test_zsh_is_offered_words_with_what_they_mean() -> None:
    told = {"COMP_WORDS": "goprobe help gl", "COMP_CWORD": "2", "_GOPROBE_COMPLETE": "zsh_complete"}
    assert goprobe(env=told).text.splitlines() == [
        "plain",
        "glossary",
        "The words that reports use",
    ]


def test_other_shells_are_refused() -> None:
    refused = goprobe("completion", "tcsh")
    assert (refused.code, refused.out) == (2, b"")
    assert "there is no completion for 'tcsh'" in refused.err
