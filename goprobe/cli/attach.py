"""What the commands that look at a running process have in common. None of them uses GDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from goprobe.cli.options import Output, Process

if TYPE_CHECKING:
    from goprobe.target.core import CoreTarget
    from goprobe.target.live import AnyTarget, Target

R = TypeVar("R")


def opened(process: Process) -> AnyTarget:
    """The process that is called so, or the core file of that name (`--exe` names its binary)."""
    from goprobe.process.guardian.guardian import guardian
    from goprobe.process.proc.headroom import first_victim
    from goprobe.target.live import open_target

    if process.exe or names_file(process):
        target: AnyTarget = _opened_core(process)
    else:
        guardian().watch_ourselves()  # it is itself no victim
        first_victim()
        target = open_target(
            process.pid,
            assume_go=process.assume_go,
            image=process.image,
            max_stop=process.most_seconds,
        )
        _tell_images(target)
        _tell_of_threads(process, target)
    if by := target.program.elf.undecoded:
        from goprobe.cli.run import say

        say(
            f"goprobe: the debug information is compressed by {by}, which cannot be undone here: "
            "the program is read as one without"
        )
        say("  Python 3.14 knows zstd, and so does goprobe with `pip install zstandard`")
    if target.program.info.known_by:
        from goprobe.cli.run import say

        say(f"goprobe: read as a program of {target.program.go}: {target.program.info.known_by}")
    return target


def names_file(process: Process) -> bool:
    """Whether a core file is meant. A program in this folder is called as its process is."""
    from pathlib import Path

    from goprobe.elfheaders import ET_DYN, ET_EXEC, HEADER_SIZE, is_elf

    name = process.process
    path = Path(name)
    if process.is_number:
        return False
    if "/" in name or not path.is_file():
        return path.exists() and ("/" in name or not path.is_dir())
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_SIZE)
    except OSError:
        return True
    return not is_elf(head) or int.from_bytes(head[16:18], "little") not in (ET_EXEC, ET_DYN)


def _tell_of_threads(process: Process, target: Target) -> None:
    """Where there are so many that stopping them takes long, say so before it is done."""
    from goprobe.process.ptrace.stoplimit import LONG, estimate

    seconds = estimate(target.identity.threads)
    if seconds > LONG and not process.max_stop:
        from goprobe.cli.run import say

        say(
            f"goprobe: process {target.pid} has {target.identity.threads:,} threads: it will stand "
            f"still for about {seconds * 1e3:.0f} ms (--max-stop 50ms refuses that)"
        )


def _tell_images(target: Target) -> None:
    """Where it is not plain which Go program is read, say so."""
    from goprobe.cli.run import say

    own, executable = target.program.elf.shown_as, target.identity.executable
    if own != executable:
        say(f"goprobe: read is the Go program {own}, which is loaded into {executable}")
    for other in target.beside:
        say(f"goprobe: {other.path} is a Go program of its own: --image {other.name} reads it")


def _opened_core(process: Process) -> CoreTarget:
    from goprobe.target.core import open_core

    return open_core(process.process, process.exe, assume_go=process.assume_go)


def answer(
    process: Process,
    output: Output,
    report_type: type[R],
    ask: Callable[[AnyTarget, Callable[[str], None]], R],
    code: Callable[[R], int] = lambda report: 0,
) -> int:
    """Opens the process, asks (what takes long tells of its progress), writes the report, which is
    a `report_type`. Returns the exit code, which is the report's `code`."""
    from goprobe.cli.output import destination
    from goprobe.cli.progress import Progress

    place = destination(output, report_type)
    with Progress() as progress:
        progress(f"reading {process.process}")
        target = opened(process)
        report = ask(target, progress)
    place.deliver(report)
    tell_of_stop(process, report)
    return ended(target, code(report))


def tell_of_stop(process: Process, report: object) -> None:
    """Where it was longer than was promised, say so."""
    pause = getattr(report, "pause_us", 0) / 1e6
    if pause > process.most_seconds:
        from goprobe.cli.run import say

        say(
            f"goprobe: the process stood still for {pause * 1e3:.0f} ms, longer than the "
            f"{process.most_seconds * 1e3:g} ms of --max-stop"
        )


def ended(target: AnyTarget, code: int = 0) -> int:
    """The exit code of a report that has been made: another one where its process is no more."""
    from goprobe.errors import TargetGoneError
    from goprobe.process.proc.identity import incarnation

    if target.is_core:
        return code
    try:
        incarnation(target.pid)
        return code
    except TargetGoneError as error:
        from goprobe.cli.run import say

        say(f"goprobe: process {target.pid} has ended since goprobe began to look at it")
        return error.exit_code
