"""What to run, and with which tools: from what was typed to a program that is built and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from goprobe.binary.elf.elf import ElfFile
from goprobe.process.gdb.process import GdbProcess
from goprobe.runtime.image.program import GoProgram
from goprobe.target.goprocess import GoProcess
from goprobe.toolchain.built import Built, made_of, prebuilt
from goprobe.toolchain.find import GdbTool, GoTool, find_gdb

Progress = Callable[[str], None]


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: `stdin`, `stdout` and `stderr` are the file descriptors that it gets.

    `flags` are for the build; `env` is all of its environment, where that is not ours. `timeout`
    bounds how long the program runs in all, in seconds; None: nothing does. `started` is its GDB
    where that runs already; `process` one that runs already, in place of a program to start.
    """

    target: str
    args: tuple[str, ...] = ()
    optimized: bool = False
    go: str = ""
    gdb: str = ""
    timeout: float | None = 60.0
    stdout: int = 1
    stderr: int = 2
    stdin: int = 0
    flags: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    progress: Progress | None = None
    started: GdbProcess | None = None
    process: GoProcess | None = None


class Prepared(msgspec.Struct, frozen=True):
    """A program ready to run and the tools to run it with."""

    built: Built
    program: GoProgram
    gdb: GdbTool
    go: GoTool | None


def prepare(launch: Launch) -> Prepared:
    """Find the tools and build the program. Raises as find_go, find_gdb and build do, and
    NotGoError where the target is no Go program."""
    if launch.process is not None:
        program = launch.process.program
        return Prepared(prebuilt(launch.target), program, find_gdb(launch.gdb), None)
    go, built = made_of(
        launch.target,
        launch.go,
        optimized=launch.optimized,
        flags=launch.flags,
        progress=launch.progress,
    )
    program = GoProgram(ElfFile(built.binary, shown_as=str(built.binary)))
    return Prepared(built, program, find_gdb(launch.gdb), go)
