"""Who a process is, and in one sentence why it cannot be read where it cannot."""

from __future__ import annotations

import errno
import hashlib
import os
import pwd
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from goprobe.counts import counted
from goprobe.errors import CannotWorkError, NotPermittedError, TargetGoneError, UsageError
from goprobe.process.proc.capabilities import (
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    CAP_SYS_PTRACE,
    holds,
    yama_scope,
)
from goprobe.process.proc.procfs import gone, read_proc, translated

_STATUS_LIMIT = 1 << 20
_AUXV_LIMIT = 1 << 16
_AT_BASE, _AT_ENTRY = 7, 9  # <elf.h>
_E_ENTRY = 24  # of e_entry in an ELF header
_PF_KTHREAD = 0x00200000  # Linux include/linux/sched.h
_TRACER_PATIENCE = 2.0


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process that goprobe may attach to.

    `executable` is its path as the kernel shows it, in the target's own mount namespace and
    perhaps with " (deleted)"; `open_path` opens the very same file from here all the same.
    `root` leads to the target's file system, for its other files. `inner_pid` is its number in
    its own pid namespace. `incarnation` changes when it becomes another program (execve).
    `entry` is where the kernel had it begin (AT_ENTRY of the auxiliary vector).
    """

    pid: int
    name: str
    state: str
    uid: int
    threads: int
    executable: str
    open_path: str
    root: str
    incarnation: str
    entry: int = 0


class Refusal(msgspec.Struct, frozen=True):
    """Why the kernel does not let us attach. `tracer` is the pid of who traces it already."""

    message: str
    hint: str
    tracer: int = 0


def identify(pid: int) -> ProcessIdentity:
    """The identity of a process that may be attached to.

    Raises UsageError (no such process, a thread, a kernel thread, goprobe itself),
    TargetGoneError (a zombie) and NotPermittedError, each with one clear sentence.
    """
    status = _status(pid)
    _check_kind(pid, status)
    patience = time.monotonic() + _TRACER_PATIENCE
    while why := refusal(pid):
        # Another goprobe holds a process for milliseconds only.
        if not why.tracer or time.monotonic() > patience:
            raise NotPermittedError(why.message, hint=why.hint)
        time.sleep(0.005)
    with translated(pid, "read the executable"):
        executable = str(Path(f"/proc/{pid}/exe").readlink())
    return ProcessIdentity(
        pid=pid,
        name=status.get("Name", ""),
        state=status.get("State", "?")[:1],
        uid=_number(status, "Uid"),
        threads=_number(status, "Threads"),
        executable=executable,
        open_path=f"/proc/{pid}/exe",
        root=f"/proc/{pid}/root",
        incarnation=incarnation(pid),
        entry=entry_point(pid),
    )


def facts(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status by their names. Raises TargetGoneError."""
    return _fields(read_proc(pid, "status", _STATUS_LIMIT))


def incarnation(pid: int) -> str:
    """Names the program that the process runs now: another one after each execve.

    From the file of the executable and the auxiliary vector, which holds the random addresses
    that execve chose.
    """
    auxv = read_proc(pid, "auxv", _AUXV_LIMIT)
    with translated(pid, "read the executable"):
        file = Path(f"/proc/{pid}/exe").stat()
    return hashlib.blake2b(
        auxv + f"{file.st_dev} {file.st_ino}".encode(), digest_size=12
    ).hexdigest()


def entry_point(pid: int) -> int:
    """Where the kernel had a process begin: its executable's entry, loaded (0: not said)."""
    return _auxiliary(pid).get(_AT_ENTRY, 0)


def interpreter_entry(pid: int, word: Callable[[int], int]) -> int:
    """Where the kernel had a process begin that is linked dynamically; 0 for none. `word` reads
    its memory."""
    base = _auxiliary(pid).get(_AT_BASE, 0)
    return base + word(base + _E_ENTRY) if base else 0


def _auxiliary(pid: int) -> dict[int, int]:
    raw = read_proc(pid, "auxv", _AUXV_LIMIT)
    return dict(struct.iter_unpack("<QQ", raw[: len(raw) // 16 * 16]))


def thread_state(pid: int, tid: int) -> str:
    """One letter of the kernel's: R S D T t Z X…; "" where there is no such thread."""
    try:
        return (
            read_proc(pid, f"task/{tid}/stat", _STATUS_LIMIT)
            .rpartition(b")")[2]
            .split()[0]
            .decode("ascii", "replace")
        )
    except (TargetGoneError, IndexError):
        return ""


def switches(pid: int, tid: int) -> int:
    """How often a thread has given its processor away by itself: unchanged while it sleeps."""
    try:
        status = _fields(read_proc(pid, f"task/{tid}/status", _STATUS_LIMIT))
    except TargetGoneError:
        return -1
    return _number(status, "voluntary_ctxt_switches")


def tracer_of(pid: int, tid: int) -> int:
    """The thread that traces this one, 0 for none."""
    return _number(_fields(read_proc(pid, f"task/{tid}/status", _STATUS_LIMIT)), "TracerPid")


def refusal(pid: int, tid: int | None = None) -> Refusal | None:
    """Why a thread of a process (the first one by default) cannot be seized; None if it can be,
    or has ended. Raises TargetGoneError."""
    if thread_state(pid, tid or pid) in ("", "Z", "X"):
        return None
    tracer = tracer_of(pid, tid or pid)
    if tracer:
        return Refusal(
            f"process {pid} is traced already, by {_name_of(tracer)}",
            "a process has one tracer at a time: end that one first",
            tracer,
        )
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            raise gone(pid) from None
        return _why_forbidden(pid)
    return None


def _status(pid: int) -> dict[str, str]:
    try:
        if not 0 < pid < 1 << 31:
            raise gone(pid)
        return _fields(read_proc(pid, "status", _STATUS_LIMIT))
    except TargetGoneError:
        raise UsageError(
            f"there is no process {pid}", hint="goprobe ps lists the Go processes"
        ) from None


def _fields(text: bytes) -> dict[str, str]:
    pairs = (line.partition(":\t") for line in text.decode("utf-8", "replace").split("\n"))
    return {key: value.strip() for key, colon, value in pairs if colon}


def _number(status: dict[str, str], key: str) -> int:
    try:
        return int(status[key].split()[0])
    except (KeyError, IndexError, ValueError):
        return 0


def _check_kind(pid: int, status: dict[str, str]) -> None:
    leader = _number(status, "Tgid")
    if leader != pid:
        raise UsageError(f"{pid} is a thread of process {leader}", hint=f"give {leader} instead")
    if pid == os.getpid():
        raise UsageError(f"{pid} is goprobe itself, which is no Go program")
    if _is_kernel_thread(pid):
        raise UsageError(f"{pid} ({status.get('Name', '?')}) is a kernel thread, not a program")
    if status.get("State", "")[:1] in ("Z", "X"):
        # pthread_exit in main, or a bare SYS_exit: the kernel keeps the first one until all end.
        others = _number(status, "Threads") - 1
        if others > 0:
            raise CannotWorkError(
                f"the first thread of process {pid} has ended, and {counted(others, 'other')} run "
                "on: by the first, by which goprobe reads a process, there is no memory any more"
            )
        raise TargetGoneError(
            f"process {pid} has ended; what is left of it (a zombie) waits for its parent"
            f" {_number(status, 'PPid')} to collect its exit code"
        )


def _is_kernel_thread(pid: int) -> bool:
    fields = read_proc(pid, "stat", _STATUS_LIMIT).rpartition(b")")[2].split()
    return len(fields) > 6 and bool(int(fields[6]) & _PF_KTHREAD)


def _name_of(pid: int) -> str:
    try:
        return f"{_fields(read_proc(pid, 'status', _STATUS_LIMIT))['Name']} (pid {pid})"
    except (TargetGoneError, KeyError):
        return f"pid {pid}"


def _why_forbidden(pid: int) -> Refusal:
    """The likeliest reason, in the order in which the kernel checks."""
    try:
        status = _fields(read_proc(pid, "status", _STATUS_LIMIT))
    except NotPermittedError:  # /proc mounted with hidepid
        status = {}
    if not holds(CAP_SYS_PTRACE):
        owner, ours = _number(status, "Uid"), os.geteuid()
        if owner != ours and ours != 0:
            return Refusal(
                f"not permitted to attach to process {pid}: it belongs to {_user(owner)},"
                f" goprobe runs as {_user(ours)}",
                f"run goprobe as {_user(owner)}, or with sudo",
            )
        if ours == 0:
            return Refusal(
                f"not permitted to attach to process {pid}: root lacks CAP_SYS_PTRACE here",
                "start the container with --cap-add=SYS_PTRACE",
            )
    scope = yama_scope() or 0
    if scope >= 3:
        return Refusal(
            f"not permitted to attach to process {pid}: Yama forbids every attach on this machine",
            "kernel.yama.ptrace_scope is 3 and stays so until the next boot",
        )
    if scope and not holds(CAP_SYS_PTRACE):
        others = " that it did not start" if scope == 1 else ""
        mend = "sudo sysctl kernel.yama.ptrace_scope=0, or run goprobe with sudo"
        return Refusal(
            f"not permitted to attach to process {pid}: Yama lets only root attach to a process"
            f"{others} (kernel.yama.ptrace_scope is {scope})",
            "run goprobe with sudo" if scope == 2 else mend,
        )
    owner, ours = _number(status, "Uid"), os.geteuid()
    if owner != ours and not holds(CAP_DAC_READ_SEARCH) and not holds(CAP_DAC_OVERRIDE):
        return Refusal(
            f"not permitted to attach to process {pid}: it belongs to {_user(owner)}, and beside"
            f" CAP_SYS_PTRACE its files in /proc take CAP_DAC_READ_SEARCH",
            f"run goprobe as {_user(owner)}, with sudo, or with that capability, too",
        )
    return Refusal(
        f"not permitted to attach to process {pid}: it is protected (set-user-ID, capabilities,"
        " another user namespace, or a security policy)",
        "run goprobe with sudo, outside of any container",
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
