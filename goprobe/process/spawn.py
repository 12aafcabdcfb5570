"""Starts a program and leaves it standing at its very first instruction, nobody's tracee.

The child asks to be traced, so exec stops it before the program's first instruction; the parent
then lets go of it with a SIGSTOP, so that whoever attaches next (GDB) finds it standing there.
GDB so never sees the Python process that the child was before, nor a shell.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import select
import signal
import struct
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from goprobe.deferredsignals import signals_deferred
from goprobe.errors import CannotWorkError, GoprobeError, NotPermittedError, UsageError
from goprobe.process.libc import libc
from goprobe.process.proc.capabilities import CAP_SYS_PTRACE, holds, yama_scope
from goprobe.process.proc.procfs import check_proc, read_proc
from goprobe.process.ptrace.constants import PTRACE_DETACH, PTRACE_TRACEME

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
PR_SET_PTRACER = 0x59616D61  # Linux include/uapi/linux/prctl.h
PR_SET_PTRACER_ANY = ctypes.c_ulong(-1)
ADDR_NO_RANDOMIZE = 0x0040000  # <sys/personality.h>

_ptrace = libc.ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_prctl = libc.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_personality = libc.personality
_personality.argtypes = [ctypes.c_ulong]

_REPORT = struct.Struct("=ii")  # step, errno
_TRACE, _CHDIR, _EXEC = range(3)
_MOMENT = 0.01  # seconds
# What Python ignores and a program must find at its default.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


def start_stopped(
    binary: str,
    args: Sequence[str],
    *,
    stdin: int = 0,
    stdout: int = 1,
    stderr: int = 2,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    randomize: bool = False,
) -> int:
    """Start `binary` with `args` (its own name excluded) and return its pid.

    The process stands, with SIGSTOP, before its first instruction. It dies when the calling
    thread ends; it shares our session, process group and the three descriptors given.
    Raises UsageError (no such file, not a program), NotPermittedError, CannotWorkError.
    """
    check_proc(os.getpid())
    argv = [binary, *args]
    environment = dict(os.environ if env is None else env)
    if any("\0" in text for text in (*argv, *environment, *environment.values())):
        raise UsageError("an argument of the program contains a NUL byte")
    ours, theirs = os.pipe()
    with signals_deferred() as mask:
        parent = os.getpid()
        with warnings.catch_warnings():
            # The child runs nothing but system calls: other threads' locks do not matter to it.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _become(
                argv, environment, (stdin, stdout, stderr), cwd, randomize, parent, theirs, mask
            )
        os.close(theirs)
        try:
            _await_first_instruction(pid, binary, ours)
        finally:
            os.close(ours)
    return pid


def reap(pid: int, timeout: float) -> int | None:
    """Take the wait status of a child that is ending, so that no zombie is left of it.

    None where it is no child of ours (any more), or does not end within `timeout` seconds.
    """
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        ended = os.pidfd_open(pid)
        try:
            select.select([ended], [], [], timeout)
        finally:
            os.close(ended)
        reaped, status = os.waitpid(pid, os.WNOHANG)
        return status if reaped else None
    return None


def all_dead(pid: int) -> bool:
    """Whether every thread of a process has ended, though its tracer may not know yet."""
    try:
        tasks = [entry.name for entry in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return True
    for task in tasks:
        try:
            stat = read_proc(pid, f"task/{task}/stat", 1 << 12)
        except GoprobeError:
            continue
        # The name before the state may itself hold parentheses.
        if stat[stat.rfind(b")") + 2 :][:1] not in (b"Z", b"X"):
            return False
    return True


def dies(pid: int, seconds: float) -> bool:
    """Whether a process ends within `seconds`; a killed one takes a moment."""
    deadline = time.monotonic() + seconds
    while not all_dead(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_MOMENT)
    return True


def not_traceable(pid: int) -> NotPermittedError:
    """The error for a process that the kernel does not let us trace, with the reason if known."""
    status = ""
    with contextlib.suppress(GoprobeError):
        status = read_proc(pid, "status", 1 << 16).decode(errors="replace")
    tracer = re.search(r"^TracerPid:\s*([1-9]\d*)", status, re.MULTILINE)
    if tracer:
        return NotPermittedError(
            f"process {pid} is already traced by process {tracer[1]}",
            hint="a process has one tracer at a time: end the other one first",
        )
    return NotPermittedError(
        f"not permitted to trace process {pid}",
        hint="run goprobe as the process's own user or as root; see `goprobe doctor`",
    )


def _become(
    argv: Sequence[str],
    env: Mapping[str, str],
    streams: tuple[int, int, int],
    cwd: str | None,
    randomize: bool,
    parent: int,
    report: int,
    mask: set[int],
) -> NoReturn:
    """In the child: turn into the program, or say through `report` why not."""
    step = _TRACE
    try:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)
        _prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0)  # fails where there is no Yama
        if not randomize:
            _personality(ADDR_NO_RANDOMIZE)
        for number in _RESTORED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        step = _CHDIR
        if cwd is not None:
            os.chdir(cwd)
        _give_streams(streams, report)
        step = _TRACE
        if _ptrace(PTRACE_TRACEME, 0, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
        step = _EXEC
        os.execve(argv[0], list(argv), env)
    except OSError as error:
        os.write(report, _REPORT.pack(step, error.errno or 0))
    finally:
        os._exit(127)


def _give_streams(streams: tuple[int, int, int], report: int) -> None:
    # Copies first: one of the three may sit where another has to go.
    copies = [os.dup(fd) for fd in streams]
    if report < 3:  # pragma: no cover - only where our own standard streams were closed
        raise OSError(errno.EBADF, "standard streams are closed")
    for number, copy in enumerate(copies):
        os.dup2(copy, number, inheritable=True)


def _await_first_instruction(pid: int, binary: str, report: int) -> None:
    _, status = os.waitpid(pid, 0)
    if os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP:
        _ptrace(PTRACE_DETACH, pid, None, int(signal.SIGSTOP))
        return
    if not (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    raise _failure(binary, os.read(report, _REPORT.size) if os.WIFEXITED(status) else b"")


def _failure(binary: str, report: bytes) -> GoprobeError:
    if len(report) != _REPORT.size:
        return CannotWorkError(f"cannot start {binary}: it ended before its first instruction")
    step, number = _REPORT.unpack(report)
    why = os.strerror(number)
    if step == _TRACE:
        return NotPermittedError(
            f"the kernel does not let goprobe trace a program: {why}",
            hint=_mended(yama_scope() or 0),
        )
    if step == _CHDIR:
        return UsageError(f"cannot enter the working directory for {binary}: {why}")
    if number == errno.ENOEXEC:
        return UsageError(f"{binary} is not a program that this machine can run")
    hint = f"chmod +x {binary}" if number == errno.EACCES else ""
    return UsageError(f"cannot run {binary}: {why}", hint=hint)


def _mended(scope: int) -> str:
    """What lets a program be traced from its start, where Yama (its `scope`) or else forbids it."""
    if scope >= 3:
        return "Yama forbids all tracing until the next boot (kernel.yama.ptrace_scope is 3)"
    if scope == 2 and not holds(CAP_SYS_PTRACE):
        return "Yama lets only root trace (kernel.yama.ptrace_scope is 2): run goprobe with sudo"
    return "in a container, allow it with --cap-add=SYS_PTRACE; see `goprobe doctor`"
