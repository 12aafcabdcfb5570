"""A question can be followed by hand: CONTRIBUTING lists the files, and the list is true."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from scripts.lib.following import TELLING, Story, story_of
from tests.support.go import build, running
from tests.support.heap import TESTDATA

ROOT = Path(__file__).parents[1]
MOST = 25


@cache
def story() -> Story:
    with running(build(TESTDATA / "described.go")) as program:
        return story_of(["heap", str(program.pid), "--types"], program.pid)


def listed() -> list[list[str]]:
    """The files of CONTRIBUTING's two lists."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.split("### Follow a question")[1].split("\n### ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    return [[line.split()[0] for line in block.splitlines()] for block in blocks]


def test_the_files_are_those_of_the_run() -> None:
    own, common = listed()
    assert own == [step.file for step in story().own]
    assert common == [step.file for step in story().common]


def test_they_are_few() -> None:
    assert len(story().own) <= MOST


def test_each_is_called_from_one_read_before() -> None:
    """From the command line to the text that is printed, without a gap."""
    read: set[str] = set()
    known = {step.file for step in story().common}
    for step in story().own:
        assert not read or step.caller in read | known, step
        assert not read or step.caller.startswith(TELLING), step
        read.add(step.file)
    assert {"cli/heap.py", "analysis/heap/heap.py", "target/live.py"} < read
    assert {"runtime/objecttypes.py", "report/text/heap.py"} < read
