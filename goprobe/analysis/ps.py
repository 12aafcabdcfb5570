"""`goprobe ps`: the Go programs that run on this machine."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from msgspec import UNSET, UnsetType

from goprobe.analysis.audit import finished
from goprobe.errors import GoprobeError, TargetGoneError, UnreadableError
from goprobe.model.ps import PsReport, RunningProgram
from goprobe.model.report import head
from goprobe.process.proc.discovery import membership
from goprobe.process.proc.procfs import read_proc, resident_bytes
from goprobe.process.proc.sockets import listening_ports
from goprobe.runtime.goroutines.table import count_alive
from goprobe.target.goimages import may_hold_go
from goprobe.target.live import Target, open_target

_COMMAND_LIMIT = 4096
_FORBIDDEN, _NOT_GO = "the kernel forbids it", "not Go"


def ps(progress: Callable[[str], None] = lambda text: None) -> PsReport:
    """Every process with a Go program in it, by number; none is stopped."""
    programs: list[RunningProgram] = []
    hidden = 0
    progress("looking for Go processes")
    for pid in _pids():
        match _look(pid):
            case RunningProgram() as program:
                programs.append(program)
            case why:
                hidden += why == _FORBIDDEN
    return finished(PsReport(**head(0, ""), programs=tuple(programs), hidden=hidden), ())


def likely_programs() -> Iterator[tuple[int, str]]:
    """The number and command of each process that seems to hold a Go program, found quickly."""
    for pid in _pids():
        try:
            if may_hold_go(pid):
                yield pid, _command(pid)
        except (GoprobeError, OSError):
            continue


def _pids() -> Iterator[int]:
    own = os.getpid()
    numbers = sorted(int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal())
    return (pid for pid in numbers if pid != own)


def _look(pid: int) -> RunningProgram | str:
    """What is known of a process; why it is left out where it holds no Go program, or is gone."""
    try:
        _executable(pid)
    except PermissionError:
        return _FORBIDDEN
    except OSError:  # a kernel's thread, or gone
        return _NOT_GO
    try:
        return _described(pid) if may_hold_go(pid) else _NOT_GO
    except (GoprobeError, OSError):  # it has ended meanwhile
        return _NOT_GO


def _described(pid: int) -> RunningProgram:
    """Raises GoprobeError or OSError where the process is gone."""
    command, rss, user = _command(pid), resident_bytes(pid), _user(_owner(pid))
    try:
        target = open_target(pid)
        count, why = _goroutines(target)
    except TargetGoneError:
        raise
    except (GoprobeError, UnreadableError, OSError) as error:
        _executable(pid)  # what ends loses its files first, and has a number for a while
        return RunningProgram(
            pid=pid, user=user, go="", stripped=False, rss=rss, command=command, why=str(error)
        )
    belongs = membership(pid)
    return RunningProgram(
        pid=pid,
        user=user,
        go=target.program.go.version,
        stripped=target.program.stripped,
        rss=rss,
        goroutines=count,
        ports=listening_ports(pid),
        unit=belongs.unit,
        container=belongs.container,
        command=command,
        why=why,
    )


def _executable(pid: int) -> Path:
    """Raises OSError where the process has none (any more)."""
    return Path(f"/proc/{pid}/exe").readlink()


def _goroutines(target: Target) -> tuple[int | UnsetType, str]:
    reader = target.reader()
    try:
        return count_alive(reader, target.layout, target.root("allgs")), ""
    except UnreadableError as error:
        return UNSET, f"its goroutines cannot be read: {error.why}"
    except KeyError:
        return UNSET, "its goroutines were not found"
    finally:
        reader.close()


def _command(pid: int) -> str:
    words = read_proc(pid, "cmdline", _COMMAND_LIMIT).rstrip(b"\0").split(b"\0")
    return " ".join(os.fsdecode(word) for word in words)


def _owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@lru_cache
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
