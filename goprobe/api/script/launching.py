"""Programs for scripts: launched, or played from a recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from goprobe.analysis.trace.prepare import Launch
from goprobe.api.script.driver import Driver
from goprobe.api.script.live import LiveDriver
from goprobe.api.script.program import Program
from goprobe.api.script.recording import Recorder
from goprobe.api.script.replaying import Replayer
from goprobe.api.several import several
from goprobe.api.streams import Stream, descriptor
from goprobe.errors import UsageError
from goprobe.files import write_all


@contextmanager
def _readable(stdin: bytes | Stream) -> Iterator[int]:
    """A descriptor for the program to read from."""
    if not isinstance(stdin, bytes | bytearray | memoryview):
        yield descriptor(stdin, "stdin (where it is not bytes)")
        return
    made = os.memfd_create("goprobe-stdin")
    try:
        write_all(made, stdin)
        os.lseek(made, 0, os.SEEK_SET)
        yield made
    finally:
        os.close(made)


def launch(
    target: str | Path,
    args: Sequence[str] = (),
    *,
    optimized: bool = False,
    go: str = "",
    gdb: str = "",
    timeout: float | None = 60.0,
    record: str | Path | None = None,
    stdout: Stream = 1,
    stdin: bytes | Stream = 0,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    flags: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Program:
    """Build a Go program and hold it before its first instruction.

    `target` is a .go file, a package or a binary, `flags` are for `go build`. The program gets
    `env` besides our environment, begins in the directory `cwd`, reads `stdin` (the bytes
    themselves, a descriptor or an open file) and writes to `stdout` (one of the last two).
    `timeout` in seconds bounds how long it runs in all, None does not; `record` names a file to
    record the session in.

    Raises UsageError, BuildError, NoGoError, NoGdbError, NotPermittedError.
    """
    if cwd is not None and not Path(cwd).is_dir():
        raise UsageError(f"there is no directory {cwd}")
    with _readable(stdin) as readable:
        driver: Driver = LiveDriver(
            Launch(
                target=str(target),
                args=several(args, "args"),
                optimized=optimized,
                go=go,
                gdb=gdb,
                timeout=timeout,
                stdout=descriptor(stdout, "stdout"),
                stdin=readable,
                flags=several(flags, "flags"),
                env=None if env is None else {**os.environ, **env},
                cwd=None if cwd is None else str(cwd),
                progress=progress,
            )
        )
    if record is not None:
        try:
            driver = Recorder(driver, Path(record))
        except BaseException:
            driver.close()
            raise
    return Program(driver)


def replay(recording: str | Path) -> Program:
    """A program played from a recording, as far as that goes: see `Program.incomplete`. Raises
    UsageError where it is none, or damaged."""
    replayer = Replayer(Path(recording))
    return Program(replayer, replayer.incomplete)
