from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import textwrap
import time

import pytest

from goprobe.cli.progress import Progress


def test_a_short_wait_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet_seconds=60) as progress:
        progress("building")
        progress("running")
    assert capfd.readouterr().err == ""


def test_a_long_one_is_a_line_for_each_message_that_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(quiet_seconds=0) as progress:
        for message in ("one \x1b[2J", "two"):
            progress(message)
            shown = f"goprobe: {message}\n".replace("\x1b", "\\x1b")
            until(lambda shown=shown: shown in stream.getvalue())
        progress("")
    assert stream.getvalue() == "goprobe: one \\x1b[2J\ngoprobe: two\n"


def until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_terminal_gets_one_line_that_is_gone_at_the_end() -> None:
    program = """
    import time
    from goprobe.cli.progress import Progress
    with Progress(quiet_seconds=0) as progress:
        progress("compiling " + "x" * 500)
        time.sleep(0.5)
    """
    terminal, inside = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stderr=inside)
    os.close(inside)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        shown += part
        if not part:
            break
    child.wait()
    os.close(terminal)
    drawn = shown.decode().split("\r\x1b[K")
    assert drawn[-1] == ""
    assert any("compiling xxx" in line for line in drawn)
    assert "\n" not in shown.decode()
    assert max(len(line) for line in drawn) < 80
