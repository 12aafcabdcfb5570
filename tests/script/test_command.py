"""`goprobe script` as a command: exit codes, what is said, scripts that misbehave, recordings."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Ran, goprobe, started
from tests.support.go import build
from tests.support.waiting import until

Ask = Callable[..., Ran]

# It writes on stderr alone, so that what a script prints is all of stdout.
PROGRAM = """package main

import "os"

//go:noinline
func work(n int) int { return n * 2 }

func main() {
	msg := "Hello, script!"
	total := 0
	for i := 0; i < 3; i++ {
		total += work(i)
	}
	println(msg, total, len(os.Args))
}
"""
WALK = """
for stop in program.run(["main.main", "main.work"]):
    print(stop.where, stop.line, stop.goroutine, stop.get("n") and stop["n"].value.text)
    print(stop.locate(stop.pc), stop.read(stop.sp, 8).hex())
print(program.exit.code, args)
"""


def target() -> Path:
    return build(PROGRAM, flags=("-gcflags=all=-N -l",))


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def run(text: str, *arguments: str | Path, **keywords: Any) -> Ran:
        path = tmp_path / "script.py"
        path.write_text(text)
        return goprobe("script", path, target(), *arguments, **keywords)

    return run


def test_a_script_that_is_content(ask: Ask) -> None:
    done = ask(WALK, "--", "one", "--two", "a b")
    assert done.code == 0, done.err
    lines = done.text.splitlines()
    assert [line.split()[0] for line in lines[::2]] == ["main.main", *["main.work"] * 3, "0"]
    assert lines[-1] == "0 ('one', '--two', 'a b')"
    assert "Hello, script! 6 4" in done.err
    assert "goprobe:" not in done.err


def test_a_failed_assertion_names_its_line(ask: Ask, tmp_path: Path) -> None:
    done = ask("stop = next(program.run(['main.work']))\nassert stop.line == 1\n")
    assert done.code == 1
    path = tmp_path / "script.py"
    assert f"goprobe: {path}:2: assertion failed: stop.line == 1" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit(True)", 1, ""),
        ("sys.exit('nothing for it')", 1, "goprobe: nothing for it"),
        ("sys.exit(['a', 'list'])", 1, "goprobe: ['a', 'list']"),
        ("raise ValueError('no good')", 1, "script.py:3: ValueError: no good"),
        ("def f():\n    return 1 // 0\nf()", 1, "script.py:4: ZeroDivisionError"),
        ("stop['nothing']", 2, "no variable nothing in scope"),
        ("stop['nothing']", 2, "script.py:3"),
        ("program.break_at('main.absent')", 2, "main.absent"),
        ("raise KeyboardInterrupt", 130, ""),
    ],
)
def test_how_a_script_may_end(ask: Ask, ending: str, code: int, said: str) -> None:
    done = ask(f"import sys\nstop = next(program.run(['main.main']))\n{ending}\n")
    assert (done.code, said in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


def test_a_script_whose_thread_hangs(ask: Ask) -> None:
    text = "import threading, time\ndef work():\n    while True: time.sleep(0.05)\n"
    done = ask(text + "threading.Thread(target=work).start()\n", "--timeout", "3")
    assert (done.code, done.out) == (4, b"")
    assert "did not end within 3 s" in done.err
    ends = text.replace("while True: time.sleep(0.05)", "time.sleep(0.2); print('over')")
    done = ask(ends + "threading.Thread(target=work).start()\n")
    assert (done.code, done.out) == (0, b"over\n")


@pytest.mark.parametrize(
    "hang",
    [
        "import time\ntime.sleep(600)",
        "while True:\n    pass",
        "while True:\n    try:\n        while True: pass\n    except Exception:\n        pass",
        "while True:\n    try:\n        while True: pass\n    except:\n        pass",
    ],
)
def test_a_script_that_hangs(ask: Ask, hang: str) -> None:
    done = ask(f"next(program.run(['main.main']))\n{hang}\n", "--timeout", "3")
    assert done.code == 4
    assert "did not end within 3 s" in done.err or "did not get there" in done.err
    assert "Traceback" not in done.err


def test_what_cannot_be_run(ask: Ask, tmp_path: Path) -> None:
    broken = ask("if True\n    pass\n")
    assert (broken.code, "script.py:1: expected ':'" in broken.err) == (2, True), broken.err
    nul = ask("print('a')\0")
    assert (nul.code, "null bytes" in nul.err) == (2, True), nul.err
    absent = goprobe("script", tmp_path / "absent.py", target())
    assert (absent.code, "no such script" in absent.err) == (2, True)
    folder = goprobe("script", tmp_path, target())
    assert (folder.code, "is a directory" in folder.err) == (2, True)
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    assert goprobe("script", tmp_path / "binary.py", target()).code == 2
    nothing = goprobe("script", tmp_path / "script.py")
    assert (nothing.code, "--replay" in nothing.err) == (2, True)
    for done in (broken, nul, absent, folder, nothing):
        assert "Traceback" not in done.err


FORKS = """
import os, sys
stops = program.run(["main.main", "main.work"])
next(stops)
child = os.fork()
if child == 0:
    {child}
assert os.waitpid(child, 0)[1] == {status}
seen = [stop.where for stop in stops]
assert seen == ["main.work"] * 3, seen
print(program.exit.code)
"""


@pytest.mark.parametrize(
    ("child", "status"),
    [
        ("os._exit(0)", 0),
        ("sys.exit(0)", 0),
        ("sys.exit(3)", 3 << 8),
        ("raise ValueError", 1 << 8),
        ("next(stops)", 2 << 8),
    ],
)
def test_a_script_that_forks(ask: Ask, tmp_path: Path, child: str, status: int) -> None:
    recording = tmp_path / "recording"
    done = ask(FORKS.format(child=child, status=status), "--record", recording)
    assert (done.code, done.text) == (0, "0\n"), done.err
    lines = recording.read_bytes().splitlines()
    assert [b'"end":true' in line for line in lines] == [False] * (len(lines) - 1) + [True]


def test_a_recording_plays_without_go_and_gdb(ask: Ask, tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    live = ask(WALK, "--record", recording, "--", "x")
    assert live.code == 0, live.err
    bare = {"PATH": "", "GOPROBE_GO": "", "GOPROBE_GDB": ""}
    played = goprobe("script", tmp_path / "script.py", "--replay", recording, env=bare)
    assert (played.code, played.out) == (0, live.out), played.err
    data = recording.read_bytes()
    for size, code, out in ((len(data) - 20, 0, live.out), (len(data) // 2, 2, None)):
        recording.write_bytes(data[:size])
        cut = goprobe("script", tmp_path / "script.py", "--replay", recording, env=bare)
        assert (cut.code, "cut short" in cut.err) == (code, True)
        assert out is None or cut.out == out
    both = ask(WALK, "--record", recording, "--replay", recording)
    assert both.code == 2


def _traced_and_running(parent: int) -> bool:
    """Whether a child of a goprobe that GDB holds uses a processor."""
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in task.read_text().split():
            for path in Path(f"/proc/{child}/task").glob("*/status"):
                told = path.read_text()
                if "\nState:\tR" in told and "\nTracerPid:\t0\n" not in told:
                    return True
    return False


def test_ctrl_c_leaves_what_was_whole(tmp_path: Path) -> None:
    recording, script = tmp_path / "recording", tmp_path / "script.py"
    text = "stop = next(program.run(['main.work']))\nprint(stop.function, flush=True)\n"
    script.write_text(f"{text}program.run_to_end()\n")
    endless = build(
        "package main\n\n//go:noinline\nfunc work() {\n}\n\nfunc main() {\n\twork()\n"
        "\tfor {\n\t}\n}\n"
    )
    live = started(
        ["script", script, endless, "--record", recording],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert live.stdout and live.stdout.readline() == b"main.work\n"
    until(lambda: _traced_and_running(live.pid), "the program runs on from its stop")
    live.send_signal(signal.SIGINT)
    live.communicate(timeout=30)
    assert live.returncode == 130
    played = goprobe("script", script, "--replay", recording, env={"PATH": ""})
    assert (played.code, played.out) == (2, b"main.work\n"), played.err
    assert "ended while it asked resume()" in played.err
    script.write_text(text)
    played = goprobe("script", script, "--replay", recording, env={"PATH": ""})
    assert (played.code, played.out) == (0, b"main.work\n"), played.err
    assert "all that is whole was played" in played.err


def test_a_failed_script_leaves_a_whole_recording(ask: Ask, tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    text = "stop = next(program.run(['main.work']))\nprint(stop.function)\nassert not stop.line\n"
    live = ask(text, "--record", recording)
    played = goprobe("script", tmp_path / "script.py", "--replay", recording, env={"PATH": ""})
    assert (live.code, played.code) == (1, 1)
    assert live.out == played.out == b"main.work\n"


ENDS = """
import os, signal, time

def gone():
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if not os.path.exists(f"/proc/{{program.pid}}/mem"):
            return
        with open(f"/proc/{{program.pid}}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] in "ZX":
                return
@program.on("main.work")
def _(stop):
    {ending}
print(program.run_to_end())
"""


@pytest.mark.parametrize(
    ("ending", "code", "told"),
    [
        (
            "while stop: stop = stop.until(14) if stop.function == 'main.main' else stop.finish()",
            0,
            "code=0",
        ),
        ("program.clear('main.work'); program.run_to_end()", 0, "code=0"),
        ("os.kill(program.pid, signal.SIGKILL)", 0, "SIGKILL"),
        ("os.kill(program.pid, 9); gone(); stop.goroutines(); stop.read(stop.sp, 8)", 4, ""),
        ("program.close(); stop.read(stop.sp, 8)", 2, ""),
        ("program.close()", 4, ""),
    ],
)
def test_a_target_that_ends_during_a_callback(ask: Ask, ending: str, code: int, told: str) -> None:
    done = ask(ENDS.format(ending=ending))
    assert (done.code, told in done.text) == (code, True), done.err
    assert "Traceback" not in done.err and "bug in goprobe" not in done.err


def test_a_target_that_crashes_ends_the_session(ask: Ask, tmp_path: Path) -> None:
    crash = build("package main\n\nfunc main() {\n\tvar p *int\n\tprintln(*p)\n}\n")
    (tmp_path / "crash.py").write_text("print(program.run_to_end().code)\n")
    done = goprobe("script", tmp_path / "crash.py", crash)
    assert (done.code, done.text) == (0, "2\n"), done.err
