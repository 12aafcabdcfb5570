"""What every run pays before it does anything: kept small by what is not imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
HEAVY = {"rich", "jinja2", "numpy", "elftools", "psutil", "pygdbmi", "iced_x86"}


def loaded_by(code: str) -> set[str]:
    """The top-level modules in a fresh Python after the code."""
    program = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    "code",
    [
        "from goprobe.cli import COMMANDS; from goprobe.cli.parse import parse\n"
        "parse(['trace', 'hello.go', '--json'], COMMANDS)",
        "import goprobe.report",
        f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n"
        "from tests.report.samples import hello; from goprobe.report import *\n"
        "render(hello(), 'json', RenderOptions())",
    ],
    ids=["parsing", "formats", "json"],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    assert not HEAVY & loaded_by(code)


def test_nothing_is_imported_before_an_interrupt_is_quiet() -> None:
    """What Python imports while its own handler is in place it tells of with a traceback."""
    code = (
        "import sys; before = set(sys.modules); import goprobe.__main__; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["__future__", "goprobe", "goprobe.__main__"], done.stderr


BLOCKING = subprocess.run(["env", "--block-signal=INT", "true"], capture_output=True).returncode


@pytest.mark.skipif(BLOCKING != 0, reason="this env cannot block signals")
def test_an_interrupt_while_python_starts_is_quiet() -> None:
    """With scripts/goprobe, which has it wait until goprobe begins."""
    command = [str(PROJECT / "scripts" / "goprobe"), "ps"]
    for delay in range(0, 200, 8):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        ) as program:
            time.sleep(delay / 1000)
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGINT)
            _, said = program.communicate(timeout=60)
        assert b"Traceback" not in said
        assert program.returncode in (0, -signal.SIGINT, 128 + signal.SIGINT)
