"""What others paste into their repositories: the action, the hooks, the container file."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from goprobe.cli import COMMANDS
from goprobe.cli.options import parameters_of
from tests.support.cli import PROJECT, environment

SOURCE = """package main

var kept []int

func main() {
	kept = make([]int, 1000) //goprobe:noalloc
}
"""


def test_the_action_tells_one_run_in_three_ways(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.21\n")
    (tmp_path / "main.go").write_text(SOURCE)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "goprobe"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m goprobe "$@"\n')
    program.chmod(0o755)
    env = environment(
        PACKAGES=".", ARGUMENTS="--fail-on spilled_to_heap", SARIF="out.sarif",
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"), GITHUB_OUTPUT=str(tmp_path / "output"),
    )  # fmt: skip
    done = subprocess.run(
        [PROJECT / "scripts/lib/action.sh"], cwd=tmp_path, capture_output=True, text=True,
        env=env | {"PATH": f"{program.parent}:{env['PATH']}", "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "::error file=main.go,line=6," in done.stdout
    assert '"ruleId": "promise"' in (tmp_path / "out.sarif").read_text()
    assert "### goprobe escape: 1 failure" in (tmp_path / "summary").read_text()
    assert (tmp_path / "output").read_text() == "sarif=out.sarif\n"


def test_the_action_runs_that_script_and_hands_it_its_inputs() -> None:
    action = (PROJECT / "action.yml").read_text()
    assert "scripts/lib/action.sh" in action
    for name in re.findall(r"\$([A-Z_]{5,})", (PROJECT / "scripts/lib/action.sh").read_text()):
        assert name in action or name.startswith("GITHUB_")
    assert not re.search(r"run:.*\$\{\{", action)  # inputs never stand in a script's own text


def test_the_hooks_are_command_lines_that_there_are() -> None:
    hooks = (PROJECT / ".pre-commit-hooks.yaml").read_text()
    entries = re.findall(r"entry: goprobe (\S+) (.*)", hooks)
    assert len(entries) == 2
    for name, options in entries:
        command = next(c for c in COMMANDS if c.name == name)
        known = {f for p in parameters_of(command.run) for f in getattr(p.declared, "flags", ())}
        assert set(options.split()) <= known


def test_no_value_of_the_hooks_reads_as_another_mapping() -> None:
    # YAML takes ": " in what stands without quotes for a mapping, and pre-commit refuses the file.
    for name in (".pre-commit-hooks.yaml", "action.yml"):
        for line in (PROJECT / name).read_text().partition("runs:")[0].splitlines():
            _, _, value = line.strip().removeprefix("- ").partition(": ")
            assert value.startswith(('"', "#")) or ": " not in value, (name, line)
