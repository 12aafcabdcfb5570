"""`goprobe trace` as users type it, on real programs."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from iced_x86 import Decoder

from goprobe.binary.elf.elf import ElfFile
from tests.report.screen import cells, lines, raw_characters
from tests.support.cli import HELLO, command, environment, goprobe, started
from tests.support.go import build

SLEEPER = """package main

import (
	"fmt"
	"time"
)

func main() {
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
"""


def source(folder: Path, text: str, name: str = "main.go") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text)
    return file


def without_progress(told: str) -> str:
    """What stderr has besides progress, which a slow machine shows and a fast one does not."""
    return "".join(
        line for line in told.splitlines(True) if not line.startswith("goprobe: building ")
    )


def test_hello_is_answered_first() -> None:
    ran = goprobe("trace", HELLO)
    assert (ran.code, without_progress(ran.err)) == (0, "")
    shown = ran.text.splitlines()
    assert shown[0] == "Hello, Go!"
    assert shown[1].startswith("msg is a string header on the stack of goroutine 1; its 10 bytes,")
    assert "◄ msg's header" in ran.text
    assert '◄ "Hello, Go!"' in ran.text
    assert max(map(cells, lines(ran.out))) <= 80


def test_json_is_all_that_stdout_carries_and_is_valid() -> None:
    ran = goprobe("trace", HELLO, "--json")
    assert ran.code == 0
    assert without_progress(ran.err) == "Hello, Go!\n"
    (msg,) = [v for v in ran.json["stops"][1]["variables"] if v["name"] == "msg"]
    assert (msg["state"], msg["size"], msg["location"]["kind"]) == ("live", 16, "goroutine_stack")
    assert (msg["data"]["location"]["kind"], msg["data"]["text"]) == ("rodata", "Hello, Go!")


def test_the_optimised_build_is_answered_through_the_call() -> None:
    ran = goprobe("trace", HELLO, "--optimized")
    answer = ran.text.split("Memory, as Go sees it")[0]
    assert ran.code == 0
    assert '"Hello, Go!"  10 bytes' in answer
    assert "found as argument" in " ".join(answer.split())


def test_both_builds_side_by_side() -> None:
    ran = goprobe("trace", HELLO, "--compare", "--json")
    assert ran.code == 0
    fates = {change["name"]: change["fate"] for change in ran.json["changes"]}
    assert fates["msg"] in ("constant", "gone")
    assert ran.json["unoptimized_code"] > ran.json["optimized_code"] > 0


def test_a_file_gets_the_report_and_stdout_the_programs_output(tmp_path: Path) -> None:
    ran = goprobe("trace", HELLO, "-o", tmp_path / "report.txt")
    assert (ran.code, ran.text) == (0, "Hello, Go!\n")
    assert (tmp_path / "report.txt").read_text().startswith("msg is a string header")


def test_arguments_and_input_are_the_programs(tmp_path: Path) -> None:
    echo = source(
        tmp_path,
        'package main\n\nimport (\n\t"fmt"\n\t"io"\n\t"os"\n)\n\nfunc main() {\n'
        "\tread, _ := io.ReadAll(os.Stdin)\n\tfmt.Println(os.Args[1:], string(read))\n}\n",
    )
    ran = goprobe("trace", echo, "--", "-v", "*", "", "--", "ä b", stdin=b"typed")
    assert ran.code == 0
    assert ran.text.startswith("[-v *  -- ä b] typed\n")


def test_variables_asked_for(tmp_path: Path) -> None:
    ran = goprobe("trace", HELLO, "--var", "msg", "--break", "hello.go:7", "--json")
    (stop,) = ran.json["stops"]
    assert [v["name"] for v in stop["variables"]] == ["msg"]
    ran = goprobe("trace", HELLO, "--var", "nosuch", "--optimized")
    assert ran.code == 0
    assert "No variable called nosuch is in scope at these stops." in ran.text
    ran = goprobe("trace", HELLO, "--var", "mgs", "--optimized")
    assert ran.code == 0
    assert "nearest: msg" in ran.text  # of one that is left out the optimiser leaves no name
    ran = goprobe("trace", HELLO, "--var", "mgs")
    assert ran.code == 2
    assert "goprobe: no variable mgs is in scope at any stop\n  nearest: msg\n" in ran.err


BAD_LINES = [
    (["trace"], 2, "missing argument 'TARGET'"),
    (["trace", "nosuch.go"], 2, "nosuch.go"),
    (["trace", HELLO, "more"], 2, "unexpected extra argument"),
    (["trace", HELLO, "--format", "yaml"], 2, "no format 'yaml'"),
    (["trace", HELLO, "--timeout", "soon"], 2, "is no length of time"),
    (["trace", HELLO, "-o", "/nonexistent/file"], 2, "cannot write /nonexistent/file"),
    (["trace", HELLO, "--optimized", "--compare"], 2, "--compare builds both ways"),
    (["trace", HELLO, "--break", "main.mian"], 2, "main.mian"),
    (["trace", HELLO, "--break", "*0x10"], 2, "nothing is mapped there"),
    (["trace", HELLO, "--break", ""], 2, "the place to stop at is empty"),
    (["trace", "/bin/sh"], 2, "not a Go program"),
    (["trace", HELLO, "--go", "/nonexistent/go"], 3, "/nonexistent/go"),
    (["trace", HELLO, "--gdb", "/nonexistent/gdb"], 3, "/nonexistent/gdb"),
]


def test_no_breakpoint_is_put_into_data() -> None:
    regions = goprobe("trace", HELLO, "--json").json["map"]
    data = next(region["low"] for region in regions if region["kind"] == "data")
    ran = goprobe("trace", HELLO, "--break", f"*{data}")
    assert (ran.code, "there is no code (rw-p)" in ran.err) == (2, True), ran.err


def test_a_compiled_program_is_not_built_another_way() -> None:
    plain = str(build(Path(HELLO), flags=("-gcflags=all=-N -l",)))
    ran = goprobe("trace", plain, "--compare")
    assert (ran.code, ran.out) == (2, b"")
    assert "is compiled already, one way only" in ran.err.splitlines()[0]
    warned = goprobe("trace", plain, "--optimized", "--json").json["warnings"]
    assert any("compiled without the optimiser" in warning for warning in warned)
    fast = str(build(Path(HELLO)))
    assert goprobe("trace", fast, "--optimized", "--json").json["warnings"] == []


@pytest.mark.parametrize(("line", "code", "told"), BAD_LINES)
def test_what_cannot_be_done_is_one_sentence(line: list[str | Path], code: int, told: str) -> None:
    ran = goprobe(*line)
    assert (ran.code, ran.out) == (code, b"")
    first = next(line for line in ran.err.splitlines() if "building" not in line)
    assert first.startswith("goprobe: ")
    assert told in first
    assert "Traceback" not in ran.err


def test_the_compilers_lines_come_unchanged(tmp_path: Path) -> None:
    bad = source(tmp_path, "package main\n\nfunc main() { undefined() }\n", "bad.go")
    ran = goprobe("trace", bad)
    assert (ran.code, ran.out) == (2, b"")
    assert "./bad.go:3:15: undefined: undefined\n" in ran.err


def test_a_file_that_go_cannot_read_is_named_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source(tmp_path, "", "empty.go")
    monkeypatch.chdir(tmp_path)
    ran = goprobe("trace", "empty.go")
    assert (ran.code, ran.err.splitlines()[-1]) == (2, "goprobe: empty.go does not build")


def test_no_breakpoint_within_an_instruction() -> None:
    binary = str(build(Path(HELLO), flags=("-gcflags=all=-N -l",)))
    (stop,) = goprobe("trace", binary, "--break", "main.main", "--json").json["stops"]
    after = int(stop["pc"], 16)
    code = next(iter(Decoder(64, ElfFile(binary).read(after, 15), ip=after)))
    ran = goprobe("trace", binary, "--break", f"*{code.next_ip - 1:#x}")
    assert (ran.code, ran.out) == (2, b"")
    assert "in the middle of an instruction of main.main" in ran.err
    assert f"the instruction begins at {after:#x}" in ran.err
    assert goprobe("trace", binary, "--break", f"*{code.next_ip:#x}").code == 0


def test_a_file_that_a_line_directive_names(tmp_path: Path) -> None:
    text = "package main\n\n//line grammar.y:40\nfunc main() {\n\tprintln(1)\n}\n"
    (stop,) = goprobe("trace", source(tmp_path, text), "--break", "grammar.y:41", "--json").json[
        "stops"
    ]
    assert (stop["file"].rpartition("/")[2], stop["line"]) == ("grammar.y", 41)


GENERIC = """package main

type box[T any] struct{ v T }

func (b *box[T]) get() T { return b.v }

func main() { println((&box[string]{"a"}).get(), (&box[int]{1}).get()) }
"""


def test_methods_of_generic_types_are_found_as_they_are_shown(tmp_path: Path) -> None:
    file = source(tmp_path, GENERIC)

    def stops(where: str) -> list[str]:
        found = goprobe("trace", file, "--break", where, "--json").json["stops"]
        return [stop["function"] for stop in found]

    shown = stops("main.(*box).get")
    assert len(shown) == 2
    assert stops(shown[0]) == shown
    assert stops("main.(*box[int]).get") == shown[:1]


def test_a_program_that_ends_before_any_stop(tmp_path: Path) -> None:
    ran = goprobe("trace", HELLO, "--break", "fmt.Errorf")
    assert ran.code in (2, 4)
    assert ran.err.startswith("goprobe: ")


def test_a_program_that_never_gets_there(tmp_path: Path) -> None:
    binary = build(SLEEPER)
    ran = goprobe("trace", binary, "--break", "main.main", "--timeout", "2", "--json")
    assert ran.code == 0
    assert ran.json["exit"] == {}
    assert any("2 s" in warning for warning in ran.json["warnings"])


def test_hostile_strings_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    text = r"\x1b]0;owned\a\x9b2J\u202egpj.exe\xff\u2028 世界"
    program = source(
        tmp_path,
        f'package main\n\nimport "os"\n\nfunc main() {{\n\tmsg := "{text}"\n'
        "\tos.Stderr.Close()\n\tprintln(len(msg))\n}\n",
    )
    for options in ([], ["--json"], ["-v"]):
        ran = goprobe("trace", program, "--break", "main.go:8", *options)
        assert ran.code == 0
        assert raw_characters(ran.out) == set()
        assert "\\u202egpj.exe" in ran.text
        assert "世界" in ran.text


def test_a_plain_terminal_gets_ascii() -> None:
    ran = goprobe("trace", HELLO, env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    assert ran.code == 0
    assert ran.out.isascii()


def test_colour_is_for_terminals_without_no_color() -> None:
    def on_terminal(**extra: str) -> bytes:
        terminal, inside = pty.openpty()
        child = subprocess.Popen(
            command("trace", HELLO),
            env=environment(TERM="xterm", **extra),
            stdout=inside,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        os.close(inside)
        shown = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        os.close(terminal)
        assert child.wait() == 0
        return shown

    assert b"\x1b[" in on_terminal()
    assert b"\x1b[" not in on_terminal(NO_COLOR="1")
    assert b"\x1b[" not in goprobe("trace", HELLO, env={"TERM": "xterm"}).out


@pytest.mark.parametrize(
    ("number", "code", "told"), [(signal.SIGINT, 0, "interrupted"), (signal.SIGTERM, 143, "")]
)
def test_an_interrupt_leaves_no_process_behind(
    number: signal.Signals, code: int, told: str
) -> None:
    child = started(
        ["trace", build(SLEEPER), "--break", "main.main"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with child:
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == b"ready\n"
        family = psutil.Process(child.pid).children(recursive=True)
        assert family
        child.send_signal(number)
        assert child.wait(60) == code
        assert child.stderr.read() == b""
        said = child.stdout.read().decode()
        assert told in said and bool(said) is bool(told)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def test_a_reader_that_leaves_early_is_no_error() -> None:
    child = started(["trace", HELLO], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        assert without_progress(child.stderr.read().decode()) == ""
        assert child.wait(120) in (141, 4)


@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)], ids=["optimised", "plain"])
def test_numbers_of_another_package_are_told(flags: tuple[str, ...]) -> None:
    text = """package main

import (
	"os"
	"strconv"
)

func main() { os.Stdout.WriteString(strconv.FormatInt(int64(len(os.Args))*1234, 10)) }
"""
    ran = goprobe("trace", str(build(text, flags=flags)), "--break", "strconv.FormatInt")
    assert "strconv.FormatInt:" in ran.text and "i 1234 int64" in " ".join(ran.text.split())
    assert "has a value yet" not in ran.text


def test_a_variable_of_a_package_is_of_no_frame() -> None:
    asked = Path(HELLO).with_name("sessions") / "asked.go"
    ran = goprobe("trace", str(asked), "--break", "main.count", "--var", "counter")
    assert ran.code == 2
    assert "main.counter is a variable of a package, and of no frame" in ran.err
    assert 'program["main.counter"]' in ran.err
