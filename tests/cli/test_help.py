"""What the command line says of itself: topics, examples that are command lines, a manual page."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from goprobe.cli import COMMANDS
from goprobe.cli.manual import EXAMPLES, TOPICS
from goprobe.cli.parse import parse
from tests.support.cli import environment, goprobe

LINES = [(name, line) for name, entries in EXAMPLES.items() for line, _ in entries]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_explained_in_eighty_columns(topic: str) -> None:
    ran = goprobe("help", topic, env=environment(COLUMNS="80"))
    assert ran.code == 0
    assert ran.text.startswith(TOPICS[topic][0])
    assert len(ran.text.splitlines()) > 3
    assert max(map(len, ran.text.splitlines())) <= 80


def test_help_lists_topics_and_knows_commands() -> None:
    listed = goprobe("help").text
    assert all(f"  {name}" in listed for name in TOPICS)
    assert goprobe("help", "heap").text == goprobe("heap", "--help").text
    assert "goprobe memory --help" in goprobe("help", "memory").text  # a topic, too
    wrong = goprobe("help", "verdict")
    assert (wrong.code, wrong.err.splitlines()[1].strip()) == (2, "nearest: verdicts")


@pytest.mark.parametrize(("name", "line"), LINES)
def test_examples_are_command_lines(name: str, line: str) -> None:
    if "$(" in line:
        line = line.partition("$(")[2].rpartition(")")[0]
    words = shlex.split(line.partition(" | ")[0])
    assert words[:2] == ["goprobe", name]
    parse(words[1:], COMMANDS)  # nothing is run: that would be the call of what this returns


def test_every_command_tells_examples_and_exit_codes() -> None:
    assert {command.name for command in COMMANDS} == set(EXAMPLES)
    told = goprobe("heap", "--help").text
    assert "goprobe heap shop --retained" in told
    assert "findings" in told.partition("Exit codes:")[2]


def test_the_manual_page_is_roff() -> None:
    page = goprobe("help", "man").text
    assert page.startswith(".TH GOPROBE 1")
    assert all(f"\n.SS goprobe {command.name}" in page for command in COMMANDS)
    man = shutil.which("man")
    if man is None:
        pytest.skip("there is no man here")
    shown = subprocess.run(
        [man, "--warnings", "-l", "-"], input=page.encode(), capture_output=True, check=True
    )
    assert b"--retained" in shown.stdout
    assert shown.stderr == b""
