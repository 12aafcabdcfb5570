"""From a command line to the call it asks for. Only this file and options.py know typer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, cast

import typer
import typer.core

from goprobe import __version__
from goprobe.cli.command import Command
from goprobe.cli.options import flatten
from goprobe.errors import UsageError

PROGRAM = "goprobe"

_HELP = {"help_option_names": ["-h", "--help"]}
_SEPARATOR = "--"
# Newer typers carry click inside, older ones stand on it: the class is found, not imported.
_PARSE_ERROR = cast(
    type[Exception], next(k for k in typer.BadParameter.__mro__ if k.__name__ == "ClickException")
)


class _Plain(typer.core.TyperCommand):
    """A usage line as manuals have it, without braces around what is required."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]


class _WithProgramArgs(_Plain):
    """Shows in its usage line where the program's arguments go."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- ARGS...]"]


def parse(arguments: Sequence[str], commands: Sequence[Command]) -> Callable[[], int]:
    """The work that the command line asks for, ready to be called.

    Help and version are printed here. Raises UsageError, with where to find help.
    """
    chosen = _command_named(_first_word(arguments), commands)
    own, program = list(arguments) or ["--help"], []
    if chosen is not None and chosen.takes_program_args and _SEPARATOR in own:
        border = own.index(_SEPARATOR)
        own, program = own[:border], own[border + 1 :]
    # Building an application of every command takes typer longer than all that goprobe does
    # before the target starts: where the command is known, the others are left out.
    app = _application(commands if chosen is None else (chosen,))
    try:
        result = typer.main.get_command(app).main(
            args=own, prog_name=PROGRAM, standalone_mode=False, obj=program
        )
    except _PARSE_ERROR as error:
        raise _usage_error(error) from None
    return result if callable(result) else lambda: int(result or 0)


def _first_word(arguments: Sequence[str]) -> str:
    """The command's name: none of goprobe's own options, before it, takes a value."""
    return next((word for word in arguments if not word.startswith("-")), "")


def _command_named(name: str, commands: Sequence[Command]) -> Command | None:
    return next((command for command in commands if command.name == name), None)


def _application(commands: Sequence[Command]) -> typer.Typer:
    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, context_settings=_HELP, no_args_is_help=True
    )
    app.callback()(_goprobe)
    for command in commands:
        shape = _WithProgramArgs if command.takes_program_args else _Plain
        app.command(command.name, cls=shape, context_settings=_HELP)(flatten(command.run))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _goprobe(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Says of every address in a Go process what it is, whose it is and how it is known."""


def _usage_error(error: BaseException) -> UsageError:
    told = cast(Any, error)
    context = getattr(told, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    sentence = str(told.format_message()).strip().rstrip(".")
    hint = f"{path} --help lists what there is"
    if "extra argument" in sentence and isinstance(getattr(told, "cmd", None), _WithProgramArgs):
        hint = "arguments of the Go program go after --"
    return UsageError(_lower_first(sentence), hint=hint)


def _lower_first(sentence: str) -> str:
    head, rest = sentence[:1], sentence[1:]
    return head.lower() + rest if rest[:1].islower() or rest[:1] == " " else sentence
