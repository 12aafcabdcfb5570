from __future__ import annotations

from typing import Annotated

import pytest

from goprobe import __version__
from goprobe.cli import COMMANDS
from goprobe.cli.declare import Argument, Context, Option, program_args
from goprobe.cli.options import Output, Patience, Tools
from goprobe.cli.parse import parse
from goprobe.errors import UsageError


class Recorder:
    """A command that keeps what it was called with."""

    name = "record"
    takes_program_args = True

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def run(
        self,
        context: Context,
        *,
        target: Annotated[str, Argument(metavar="TARGET")] = "",
        names: Annotated[list[str] | None, Option("--var")] = None,
        output: Output,
        tools: Tools,
        patience: Patience,
    ) -> int:
        """Records."""
        seconds = patience.seconds
        self.calls.append((target, names, output, tools, seconds, program_args(context)))
        return 7


class Plain:
    name = "plain"
    takes_program_args = False

    def run(self, *, words: Annotated[list[str], Argument()]) -> int:
        """Counts its words."""
        return len(words)


def test_nothing_runs_before_the_work_is_called() -> None:
    recorder = Recorder()
    work = parse(["record", "hello.go"], [recorder])
    assert recorder.calls == []
    assert work() == 7
    assert recorder.calls == [("hello.go", None, Output(), Tools(), 60.0, ())]


def test_groups_of_options_arrive_whole() -> None:
    recorder = Recorder()
    line = ["record", "x", "--json", "-o", "f", "-v", "--go", "g", "--gdb", "d", "--timeout", "0.5"]
    parse([*line, "--var", "a", "--var", "b"], [recorder])()
    assert recorder.calls == [
        ("x", ["a", "b"], Output("", ["f"], True, True), Tools("g", "d"), 0.5, ())
    ]


@pytest.mark.parametrize(
    ("line", "target", "args"),
    [
        (["x", "--", "a", "-v", "--json", "--"], "x", ("a", "-v", "--json", "--")),
        (["--", "a"], "", ("a",)),
        (["x", "--"], "x", ()),
        (["--json", "x", "--", ""], "x", ("",)),
    ],
)
def test_all_after_the_dashes_belongs_to_the_program(
    line: list[str], target: str, args: tuple[str, ...]
) -> None:
    recorder = Recorder()
    parse(["record", *line], [recorder])()
    assert (recorder.calls[0][0], recorder.calls[0][-1]) == (target, args)


def test_dashes_mean_what_they_always_do_where_no_program_is_run() -> None:
    assert parse(["plain", "--", "-1", "-2"], [Plain()])() == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["recrod"], "recrod"),
        (["record", "--nosuch"], "--nosuch"),
        (["record", "a", "b"], "b"),
        (["record", "--var"], "--var"),
        (["plain"], "words"),
        (["--nosuch"], "--nosuch"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_where_help_is(line: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, [Recorder(), Plain()])
    assert told in caught.value.message.lower()
    assert "\n" not in caught.value.message
    assert "goprobe" in caught.value.hint or "--" in caught.value.hint


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        ("2", 2),
        ("0.5", 0.5),
        ("1e3", 1000),
        ("30s", 30),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1000000", 1e6),
    ],
)
def test_a_timeout_is_a_length_of_time(timeout: str, seconds: float) -> None:
    assert Patience(timeout).seconds == seconds


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon"])
def test_no_other_text_is_a_timeout(timeout: str) -> None:
    with pytest.raises(UsageError, match="no length of time"):
        parse(["record", f"--timeout={timeout}"], [Recorder()])


def test_json_and_another_format_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="contradict"):
        _ = Output(format="html", json=True).format_name
    assert Output(format="json", json=True).format_name == "json"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for line in ([], ["--help"], ["-h"]):
        assert parse(line, COMMANDS)() == 0
        shown = capsys.readouterr().out
        assert all(f"  {command.name}" in shown for command in COMMANDS)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([command, "--help"], COMMANDS)() == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: goprobe {command}")
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["--version"], COMMANDS)() == 0
    assert capsys.readouterr().out == f"goprobe {__version__}\n"
