"""`goprobe completion`: what makes a shell complete commands, options and their values."""

from __future__ import annotations

import importlib
import importlib.util
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Annotated

from goprobe.cli.declare import Argument

_FILES = frozenset(("FILE", "FILE.py", "TARGET", "PACKAGE", "BINARY", "PATH", "OLD.json"))
_SHELLS = ("bash", "zsh", "fish")
_TOGETHER = "attached"
"""The module of goprobe.model that has the reports of several commands."""


class Completion:
    name = "completion"
    takes_program_args = False

    def run(
        self,
        *,
        shell: Annotated[str, Argument(metavar="|".join(_SHELLS), help="The shell.")],
    ) -> int:
        """Print what makes a shell complete goprobe: commands, options, processes, formats.

        For bash: eval "$(goprobe completion bash)" in ~/.bashrc; for zsh the same in ~/.zshrc; for
        fish: goprobe completion fish > ~/.config/fish/completions/goprobe.fish
        """
        from goprobe.cli.parse import completion_script
        from goprobe.errors import UsageError

        if shell not in _SHELLS:
            raise UsageError(
                f"there is no completion for {shell!r}", hint=f"shells: {', '.join(_SHELLS)}"
            )
        print(completion_script(shell))
        return 0


def _name(command: str) -> str:
    """What a process is called by its command line."""
    return PurePath(command.split(" ")[0]).name


def completes_files(metavar: str) -> bool:
    """Whether a value of this name is a file's."""
    return metavar in _FILES


def values_of(metavar: str, command: str) -> Iterator[tuple[str, str]]:
    """What a value of this name may be for a command, each with what it stands for."""
    if metavar == "PROCESS":
        from goprobe.analysis.ps import likely_programs

        programs = list(likely_programs())
        yield from ((str(pid), command) for pid, command in programs)
        names = Counter(_name(command) for _, command in programs)
        yield from ((name, "") for name, count in names.items() if name and count == 1)
    elif metavar == "TOPIC":
        from goprobe.cli.manual import TOPICS

        yield from ((name, title) for name, (title, _) in TOPICS.items())
        yield "man", "The manual page"
    elif metavar == "FORMAT":
        yield from ((name, "") for name in _formats_of(command))
    elif metavar in ("VERDICT,...", "WHAT,..."):
        from goprobe.report.verdicts import MEANINGS

        if metavar == "WHAT,...":
            yield "new-heap", "A place that did not allocate in the baseline."
            yield "more-allocations=5%", "A place that allocates so much more than in it."

        yield from ((verdict.value, meaning) for verdict, meaning in MEANINGS.items())
    else:
        yield from ((word, "") for word in metavar.split("|") if "|" in metavar)


def _formats_of(command: str) -> tuple[str, ...]:
    """Those of its report, which is called as the command is; of a command without one all."""
    from goprobe.model.report import Report, report_name
    from goprobe.report import all_formats, formats

    for module in (command, _TOGETHER):
        if importlib.util.find_spec(f"goprobe.model.{module}") is None:
            continue
        for named in vars(importlib.import_module(f"goprobe.model.{module}")).values():
            is_report = isinstance(named, type) and issubclass(named, Report)
            if is_report and report_name(named) == command:
                return formats(named)
    return all_formats()
