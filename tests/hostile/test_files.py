"""Files that never end, or that nobody writes to, under every name that goprobe is given."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goprobe.analysis.trace.gosource import call_arguments, line_of
from goprobe.errors import UsageError
from goprobe.files import read_regular
from tests.support.cli import HELLO, command, environment, goprobe
from tests.support.go import build, running
from tests.support.heap import TESTDATA

SECONDS = 10


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    yield path


@pytest.fixture(params=["fifo", "/dev/zero", "folder", "missing"])
def endless(request: pytest.FixtureRequest, fifo: Path, tmp_path: Path) -> Path:
    """No regular file."""
    (tmp_path / "folder").mkdir()
    known = {"fifo": fifo, "folder": tmp_path / "folder", "missing": tmp_path / "missing"}
    return known.get(request.param, Path(request.param))


def test_every_command_that_is_given_a_name(endless: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("program.run_to_end()\n")
    for arguments in (
        ("trace", endless),
        ("explain", endless),
        ("escape", endless),
        ("script", endless, HELLO),
        ("script", script, endless),
        ("script", script, "--replay", endless),
        ("heap", endless, "--exe", HELLO),
        ("maps", endless, "--exe", endless),
        ("heap", str(os.getpid()), "--diff", endless),
    ):
        begun = time.monotonic()
        ran = goprobe(*arguments, timeout=60)
        assert ran.code in (2, 3), (arguments, ran.err)
        assert "bug" not in ran.err and "Traceback" not in ran.err, (arguments, ran.err)
        assert time.monotonic() - begun < 3 * SECONDS, arguments


def test_sources_are_read_with_a_bound(endless: Path) -> None:
    assert line_of(str(endless), 1) == ""
    assert call_arguments(str(endless), 1, "f") is None


def test_a_line_directive_that_names_a_device(fifo: Path, tmp_path: Path) -> None:
    """The compiler takes over what `//line` says, and so does the debug information."""
    for name in ("/dev/zero", str(fifo)):
        source = (
            f'package main\n\nimport "fmt"\n\nfunc main() {{\n//line {name}:1\n'
            '\tfmt.Println("here", 42)\n}\n'
        )
        binary = build(source)
        ran = goprobe("trace", binary, "--timeout", "20", timeout=60)
        assert ran.code == 0, ran.err
        page = tmp_path / "page.html"
        assert goprobe("trace", binary, "--format", "html", "-o", page, timeout=60).code == 0


def test_pipes_of_a_shell_are_read(tmp_path: Path) -> None:
    """What `<(command)` names, but for binaries, which are looked about in."""
    script = "import sys; sys.exit(7)"
    done = subprocess.run(
        ["bash", "-c", f'{" ".join(command("script"))} <(echo "{script}") {HELLO}'],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 7, done.stderr


def test_files_have_a_bound(tmp_path: Path, fifo: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="too large"):
        read_regular(sparse, 1 << 20)
    assert line_of(str(sparse), 1) == ""
    with pytest.raises(UsageError, match="nobody writes"):
        read_regular(fifo, 10, pipes=True)
    with pytest.raises(UsageError, match="not a regular file"):
        read_regular(fifo, 10)


@pytest.mark.parametrize("limit", [90, 130, 160, 200, 300])  # MiB of address space
def test_little_memory_is_told_as_such(limit: int) -> None:
    with running(build(TESTDATA / "zoo.go")) as program:
        for asked in (("heap", "--types", "--retained"), ("goroutines",), ("where", "0x10")):
            told = command(asked[0], str(program.pid), *asked[1:])
            done = subprocess.run(
                ["bash", "-c", f'ulimit -v {limit * 1024}; exec "$@"', "-", *told],
                env=environment(),
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode in (0, 3), done.stderr
            assert "bug" not in done.stderr and "OpenBLAS" not in done.stderr, done.stderr
            assert done.returncode == 0 or "memory" in done.stderr or "space" in done.stderr
