"""What every run pays before it does anything: kept small by what is not imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from goprobe.version import __version__

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


def test_a_program_that_is_known_is_run_without_a_decoder_of_instructions() -> None:
    assert not {"numpy", "iced_x86"} & loaded_by("import goprobe.analysis.escape.runs")


def test_a_trace_starts_without_the_tracers_that_scripts_need() -> None:
    code = (
        "import sys, goprobe.analysis.trace.trace; "
        "print(*(name for name in sys.modules if name.endswith('tracer')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == []


def test_nothing_is_imported_before_an_interrupt_is_quiet() -> None:
    """What Python imports while its own handler is in place it tells of with a traceback."""
    code = (
        "import sys; before = set(sys.modules); import goprobe.__main__; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["__future__", "goprobe", "goprobe.__main__"], done.stderr


STANDING = """import _signal, sys
print(_signal.getsignal(_signal.SIGINT) is _signal.SIG_DFL, "re" in sys.modules)
sys.exit(0)
"""


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("how", ["what pip installs", "-m"])
def test_an_interrupt_is_quiet_before_goprobe_is_looked_for(
    tmp_path: Path, how: str, ignored: bool
) -> None:
    """A package in its place says how things stand when it is imported; one that a shell runs in
    the background, where SIGINT is ignored, goes on so."""
    package = tmp_path / "goprobe"
    package.mkdir()
    script = PROJECT / "scripts" / "installed" / "goprobe"
    own = "" if how != "-m" else (PROJECT / "goprobe" / "__init__.py").read_text()
    (package / "__init__.py").write_text(own.partition("TYPE_CHECKING")[0] + STANDING)
    done = subprocess.run(
        [sys.executable, *(("-m", "goprobe") if how == "-m" else (str(script),)), "ps"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN) if ignored else None,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split()[0] == str(not ignored), done
    assert how == "-m" or done.stdout.split()[1] == "False", done


def test_what_pip_installs_is_that_script() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "scripts" not in settings["project"]
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    script = PROJECT / next(iter(wheel["shared-scripts"]))
    assert os.access(script, os.X_OK) and script.read_text().startswith("#!python\n")
    done = subprocess.run(
        [sys.executable, str(script), "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("goprobe ")


@pytest.mark.parametrize("options", [["--version"], ["--version", "--"]])
def test_the_version_alone_is_told_at_once(options: list[str]) -> None:
    """As the command line tells it, which takes four times as long to load."""
    command = [sys.executable, "-X", "importtime", "-m", "goprobe", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"goprobe {__version__}\n"
    assert ("goprobe.cli" in done.stderr) == (len(options) > 1)


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
