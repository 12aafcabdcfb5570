"""From a command line to the call it asks for. Only this file knows click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click

from goprobe.cli.command import Command
from goprobe.cli.completion import completes_files, values_of
from goprobe.cli.declare import Argument, Context
from goprobe.cli.options import REQUIRED, Parameter, bound, parameters_of
from goprobe.errors import UsageError
from goprobe.report.escaping import escape
from goprobe.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PROGRAM = "goprobe"

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
_SEPARATOR = "--"
_ABOUT = "Says of every address in a Go process what it is, whose it is and how it is known."


class _Command(click.Command):
    """A command whose arguments are explained, and where the program's arguments go."""

    def __init__(self, command: Command) -> None:
        self.command = command
        declared = parameters_of(command.run)
        self._explained = [
            (p.declared.metavar, p.declared.help)
            for p in declared
            if isinstance(p.declared, Argument) and p.declared.help and not p.declared.hidden
        ]
        super().__init__(
            command.name,
            callback=self._bound,
            params=[_parameter(p) for p in declared],
            help=command.run.__doc__,
            short_help=_first_sentence(command.run.__doc__ or ""),
            context_settings=_SETTINGS,
        )

    def _bound(self, **given: Any) -> Callable[[], int]:
        # The work is only bound here and done outside of click, whose own way with exceptions
        # (an interrupt, a broken pipe, an end of input) is not ours.
        context = click.get_current_context()
        words = {k: list(v) or None if isinstance(v, tuple) else v for k, v in given.items()}
        return bound(self.command.run, words, Context(tuple(context.obj or ())))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        pieces = super().collect_usage_pieces(ctx)
        return [*pieces, "[-- ARGS...]"] if self.command.takes_program_args else pieces

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self._explained:
            with formatter.section("Arguments"):
                formatter.write_dl(self._explained)
        super().format_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from goprobe.cli.manual import EXAMPLES, EXIT_CODES

        for line, meaning in EXAMPLES.get(self.command.name, ()):
            with formatter.section(f"Example, {meaning}"):
                formatter.write(f"  {line}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl(EXIT_CODES)


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in our order, not the alphabet's


def _parameter(p: Parameter) -> click.Parameter:
    many = get_origin(p.kind) is list or any(get_origin(k) is list for k in get_args(p.kind))
    # click takes even a default of None for one.
    given: dict[str, Any] = {} if p.default in (REQUIRED, None) else {"default": p.default}
    required = p.default is REQUIRED
    given["shell_complete"] = _completer(p.declared.metavar)
    kind = {int: click.INT, float: click.FLOAT}.get(p.kind, click.STRING)
    if isinstance(p.declared, Argument):
        return click.Argument(
            [p.name],
            type=kind,
            nargs=-1 if many else 1,
            required=required,
            metavar=_metavar(p, many),
            **given,
        )
    given |= {"help": p.declared.help, "hidden": p.declared.hidden}
    given["show_default"] = p.kind is not bool and bool(p.default)
    flags = [*p.declared.flags, p.name]
    if p.kind is bool:
        return click.Option(flags, is_flag=True, **given)
    return click.Option(
        flags,
        type=kind,
        multiple=many,
        metavar=p.declared.metavar or None,
        required=required,
        **given,
    )


_Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def _completer(metavar: str) -> _Completer:
    """What a shell is told that a value of this name may be; of several behind commas, the last."""

    def complete(
        context: click.Context, _parameter: object, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        if completes_files(metavar):
            return [CompletionItem(incomplete, type="file")]
        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(f"{before}{comma}{word}", help=escape(about) or None)
            for word, about in values_of(metavar, context.command.name or "")
            if word.startswith(last)
        ]

    return complete


def completion_script(shell: str) -> str:
    """What a shell runs to complete goprobe's command lines. KeyError for one not known."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise KeyError(shell)
    script = made(_application(()), {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source()
    # fish: only the first comma parts the kind from the word, which may have some ("dead,conf").
    return script.replace('string split "," $completion', 'string split -m 1 "," $completion')


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")


def _metavar(p: Parameter, many: bool) -> str:
    shown = p.declared.metavar or p.name.upper()
    shown = f"{shown}..." if many and not shown.endswith("...") else shown
    return shown if p.default is REQUIRED else f"[{shown}]"


def parse(arguments: Sequence[str], commands: Sequence[Command]) -> Callable[[], int]:
    """The work that the command line asks for, ready to be called.

    Help and version are printed here. Raises UsageError, with where to find help.
    """
    chosen = _command_named(_first_word(arguments), commands)
    own, program = list(arguments) or ["--help"], []
    if chosen is not None and chosen.takes_program_args and _SEPARATOR in own:
        border = own.index(_SEPARATOR)
        own, program = own[:border], own[border + 1 :]
    # Where the command is known, the others are not even built.
    application = _application(commands if chosen is None else (chosen,))
    try:
        result = application.main(args=own, prog_name=PROGRAM, standalone_mode=False, obj=program)
    except click.ClickException as error:
        raise _usage_error(error, chosen) from None
    except click.Abort:  # what click makes of Ctrl-C
        raise KeyboardInterrupt from None
    return result if callable(result) else lambda: int(result or 0)


def _first_word(arguments: Sequence[str]) -> str:
    """The command's name: none of goprobe's own options, before it, takes a value."""
    return next((word for word in arguments if not word.startswith("-")), "")


def _command_named(name: str, commands: Sequence[Command]) -> Command | None:
    return next((command for command in commands if command.name == name), None)


def _application(commands: Sequence[Command]) -> click.Group:
    group = _Group(
        PROGRAM,
        help=_ABOUT,
        context_settings=_SETTINGS,
        no_args_is_help=True,
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Show the version and exit.",
            )
        ],
    )
    for command in commands:
        group.add_command(_Command(command))
    return group


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"{PROGRAM} {__version__}")
        context.exit()


def _usage_error(error: click.ClickException, chosen: Command | None) -> UsageError:
    context = getattr(error, "ctx", None)
    path = f"{PROGRAM} {chosen.name}" if chosen else PROGRAM
    path = context.command_path if context is not None else path
    sentence = error.format_message().strip().rstrip(".")
    hint = f"{path} --help lists what there is"
    if isinstance(error, click.MissingParameter) and "PROCESS" in sentence:
        hint = f"goprobe ps lists the Go processes; {hint}"
    command = context.command if context is not None else None
    takes = isinstance(command, _Command) and command.command.takes_program_args
    if "extra argument" in sentence and takes:
        hint = "arguments of the Go program go after --"
    return UsageError(_lower_first(sentence), hint=hint)


def _lower_first(sentence: str) -> str:
    head, rest = sentence[:1], sentence[1:]
    return head.lower() + rest if rest[:1].islower() or rest[:1] == " " else sentence
