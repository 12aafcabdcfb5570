"""A Go program that is built and started for its calls to be told: no GDB is needed for that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from goprobe.binary.elf.elf import ElfFile
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import read_maps
from goprobe.process.spawn import reap, start_stopped
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import Facts
from goprobe.runtime.layout.shipped import shipped_layout
from goprobe.runtime.world import load_bias
from goprobe.target.goprocess import GoProcess
from goprobe.toolchain.built import made_of

_MOMENT = 5.0


@contextmanager
def launched(
    target: str,
    args: Sequence[str] = (),
    *,
    optimized: bool = False,
    go: str = "",
    flags: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
    stdin: int = 0,
    stdout: int = 1,
    stderr: int = 2,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[GoProcess]:
    """The program, standing before its first instruction; at the end of the `with` it is gone.

    Raises as find_go and build do, and NotGoError where the target is no Go program.
    """
    _, built = made_of(target, go, optimized=optimized, flags=flags, progress=progress)
    program = GoProgram(ElfFile(built.binary, shown_as=str(built.binary)))
    binary = os.path.realpath(built.binary)
    pid = start_stopped(
        os.fspath(built.binary), args, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env
    )
    try:
        bias = load_bias(program, read_maps(pid), binary, entry_point(pid))
        if program.stripped:  # g's number is all that is asked for
            program.adopt(Facts(shipped_layout(program.go), {}))
        yield GoProcess(pid, program, bias)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
        reap(pid, _MOMENT)
