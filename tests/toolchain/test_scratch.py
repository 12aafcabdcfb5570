"""What a build leaves behind where it is interrupted: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from goprobe.toolchain.scratch import run_tidily, scratch, tidy
from tests.support.cli import command, environment
from tests.support.waiting import until

HELLO = "package main\n\nfunc main() { println(1) }\n"
GO_AHEAD = "import os, sys, time\nopen(os.environ['TMPDIR'] + '/begun', 'w')\ntime.sleep(60)\n"


def lives(marker: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _is_compiler(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("compile", "asm")
    except OSError:
        return False


def begun(folder: Path) -> bool:
    """Whether Go has put something into a folder of its own there."""
    for each in folder.glob("goprobe-build-*"):
        with suppress(FileNotFoundError):  # that of a command before the build, which is over
            if os.listdir(each):  # noqa: PTH208
                return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("home", [True, False], ids=["cached", "without a cache"])
def test_an_interrupted_build(tmp_path: Path, number: signal.Signals, home: bool) -> None:
    for name in ("tmp", "home", "work"):
        (tmp_path / name).mkdir()
    # Another program each time, and all of it is built: else it is done before the signal.
    (tmp_path / "work" / "hello.go").write_text(f"{HELLO}\nvar _ = `{tmp_path}`\n")
    known = environment(TMPDIR=str(tmp_path / "tmp"))
    known = {k: v for k, v in known.items() if not k.startswith(("XDG_", "GOCACHE", "GOTMP"))}
    known["GOFLAGS"] = "-a"
    known["HOME"] = str(tmp_path / "home") if home else "/nonexistent"
    with subprocess.Popen(
        command("trace", "hello.go"),
        env=known,
        cwd=tmp_path / "work",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        # Until Go has begun, in whatever folder, and a compiler of its runs.
        until(lambda: begun(tmp_path / "tmp"), "Go builds", seconds=30)
        until(lambda: any(_is_compiler(pid) for pid in lives(str(tmp_path))), "it compiles")
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + number and b"Traceback" not in told
    assert [p for p in (tmp_path / "tmp").iterdir() if not p.name.startswith("goprobe-0")] == []
    assert [p.name for p in (tmp_path / "work").iterdir()] == ["hello.go"]
    assert lives(str(tmp_path)) == []


def test_what_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    code = f"""
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.run([sys.executable, "-c", {GO_AHEAD!r}])
"""
    driver = f"""
import os, sys
from pathlib import Path
from goprobe.toolchain.scratch import run_tidily
run_tidily([sys.executable, "-c", {code!r}], cwd=Path("/"), env=dict(os.environ),
           stdout=sys.stdout, stderr=sys.stderr)
"""
    with subprocess.Popen(
        [sys.executable, "-c", driver],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
    ) as process:
        while not list(tmp_path.glob("*/begun")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[1].strip().endswith(b"KeyboardInterrupt")
    assert list(tmp_path.iterdir()) == [] and lives(str(tmp_path)) == []


def test_what_one_that_was_killed_left_is_tidied_up(tmp_path: Path) -> None:
    mine, dead = tmp_path / f"goprobe-build-{os.getpid()}-a", tmp_path / "goprobe-build-4194304-a"
    other, strange = tmp_path / "goprobe-build-x", tmp_path / "go-build1"
    for folder in (mine, dead, other, strange):
        (folder / "b001").mkdir(parents=True)
    (tmp_path / "goprobe-build-4194303-link").symlink_to(strange)
    tidy(tmp_path)
    assert not dead.exists()
    assert all(f.exists() for f in (mine, other, strange, strange / "b001"))
    tidy(tmp_path / "nothing")


def test_a_folder_that_cannot_be_made_is_gone_without() -> None:
    with scratch({"TMPDIR": "/proc"}) as folder:
        assert folder is None


def test_output_and_exit_code(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as out, (tmp_path / "err").open("w+b") as err:
        script = "echo out; echo err >&2; exit 3"
        code = run_tidily(
            ["sh", "-c", script], cwd=tmp_path, env=dict(os.environ), stdout=out, stderr=err
        )
    assert (code, (tmp_path / "out").read_text()) == (3, "out\n")
    assert (tmp_path / "err").read_text() == "err\n"
