"""What a command is to the rest of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Command(Protocol):
    """One command, in one file of this package, listed in `goprobe.cli.COMMANDS`.

    `run` declares its options by its signature and its help by its docstring, as `options` reads
    them; it does the work and returns the exit code, or raises a GoprobeError. What a command
    needs beyond the standard library it imports inside `run`: the file itself is imported for
    every command.
    """

    @property
    def name(self) -> str: ...

    @property
    def takes_program_args(self) -> bool:
        """Whether everything after `--` goes to the Go program."""

    @property
    def run(self) -> Callable[..., int]: ...
