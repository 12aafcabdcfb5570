"""`goprobe completion`: what makes a shell complete commands, options and their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from goprobe.cli.declare import Argument

_FILES = frozenset(("FILE", "FILE.py", "TARGET", "PACKAGE", "BINARY", "PATH", "OLD.json"))
_SHELLS = ("bash", "zsh", "fish")


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


def completes_files(metavar: str) -> bool:
    """Whether a value of this name is a file's."""
    return metavar in _FILES


def values_of(metavar: str) -> Iterator[tuple[str, str]]:
    """What a value of this name may be, each with what it stands for."""
    if metavar == "PROCESS":
        from goprobe.analysis.ps import likely_programs

        yield from ((str(pid), command) for pid, command in likely_programs())
    elif metavar == "TOPIC":
        from goprobe.cli.manual import TOPICS

        yield from ((name, title) for name, (title, _) in TOPICS.items())
    elif metavar == "FORMAT":
        from goprobe.report import all_formats

        yield from ((name, "") for name in all_formats())
    elif metavar in ("VERDICT,...", "WHAT,..."):
        from goprobe.report.verdicts import MEANINGS

        if metavar == "WHAT,...":
            yield "new-heap", "A place that did not allocate in the baseline."
            yield "more-allocations=5%", "A place that allocates so much more than in it."

        yield from ((verdict.value, meaning) for verdict, meaning in MEANINGS.items())
    else:
        yield from ((word, "") for word in metavar.split("|") if "|" in metavar)
