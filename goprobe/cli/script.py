"""`goprobe script`: drive a Go program stop by stop from a Python file."""

from __future__ import annotations

import sys
from typing import Annotated

from goprobe.cli.declare import Argument, Context, Option, program_args
from goprobe.cli.options import Patience, Tools
from goprobe.errors import UsageError


class Script:
    name = "script"
    takes_program_args = True

    def run(
        self,
        context: Context,
        *,
        file: Annotated[str, Argument(metavar="FILE.py", help="The script.")],
        target: Annotated[
            str, Argument(metavar="TARGET", help="A .go file, a package or a Go binary.")
        ] = "",
        optimized: Annotated[
            bool, Option("--optimized", help="Build as users ship: with the optimiser on.")
        ] = False,
        record: Annotated[
            str, Option("--record", metavar="FILE", help="Record the session in FILE.")
        ] = "",
        replay: Annotated[
            str, Option("--replay", metavar="FILE", help="Play a recording; needs no Go.")
        ] = "",
        tools: Tools,
        patience: Patience,
    ) -> int:
        """Run a Python script that drives a Go program: it is given `program` and `args`.

        The script's exit code is goprobe's; a failed assertion or an exception makes it 1.
        """
        from goprobe.api.script.launching import launch, replay as replayed
        from goprobe.api.script.runner import read_script, run_script
        from goprobe.cli.progress import Progress
        from goprobe.cli.run import say

        source = read_script(file)
        args = program_args(context)
        if replay:
            if record:
                raise UsageError("--record and --replay exclude each other")
            program = replayed(replay)
            args = args or program.info.args
        elif not target:
            raise UsageError("name the Go program to drive, or a recording with --replay FILE")
        else:
            with Progress() as progress:
                program = launch(
                    target,
                    args,
                    optimized=optimized,
                    go=tools.go,
                    gdb=tools.gdb,
                    timeout=patience.seconds,
                    record=record or None,
                    progress=progress,
                )
        with program:
            code = run_script(file, source, program, args, timeout=patience.seconds)
            sys.stdout.flush()
        if program.incomplete:
            say(f"goprobe: of {replay} all that is whole was played: {program.incomplete}")
        return code
