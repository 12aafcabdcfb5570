"""How commands declare their options: annotations that `parse` makes click's parameters of.

    target: Annotated[str, Argument(metavar="TARGET", help="What to run.")],
    json: Annotated[bool, Option("--json", help="Write JSON.")] = False,

The annotated type says how a word is read: str, int, float, bool (a flag), list[str] (repeatable,
or for an argument any number of words); a default makes it optional.
"""

from __future__ import annotations

import msgspec


class Argument(msgspec.Struct, frozen=True):
    """A word by its position; `hidden` ones are explained in the command's own text."""

    metavar: str = ""
    help: str = ""
    hidden: bool = False


class Option:
    """A named option with its spellings ("-o", "--output")."""

    def __init__(
        self,
        *flags: str,
        metavar: str = "",
        help: str = "",  # noqa: A002
        hidden: bool = False,
    ) -> None:
        self.flags = flags
        self.metavar = metavar
        self.help = help
        self.hidden = hidden


class Context(msgspec.Struct, frozen=True):
    """What a command may ask of its command line: `args` are the words after `--`."""

    args: tuple[str, ...] = ()


def program_args(context: Context) -> tuple[str, ...]:
    """What stood after `--`: the arguments of the Go program."""
    return context.args
