"""Signals that wait for a thread: seeing them, and sending them to it again."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress

from goprobe.arch import systemcalls
from goprobe.errors import GoprobeError
from goprobe.process.libc import libc
from goprobe.process.proc.procfs import read_proc

_STATUS_LIMIT = 1 << 16
_FIRST_REALTIME = 32  # SIGRTMIN of the kernel, signal(7)
_OWN = re.compile(rb"^SigPnd:\s*([0-9a-f]+)$", re.MULTILINE)
_NONE = re.compile(rb"^(?:SigPnd|ShdPnd):\t0+$", re.MULTILINE)
# SIGTRAP is GDB's; the others nobody can handle.
_NEVER = {signal.SIGTRAP, signal.SIGKILL, signal.SIGSTOP}
OF_AN_INSTRUCTION = frozenset(
    {signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}
)
"""Signals that may come of the very instruction at which a thread stands."""
_UNKNOWN = {16}  # SIGSTKFLT: GDB has no name for it


def pending_signals(pid: int, tid: int) -> dict[str, int]:
    """The signals that a thread will see as soon as it runs: GDB's names to numbers."""
    try:
        raw = read_proc(pid, f"task/{tid}/status", _STATUS_LIMIT)
    except GoprobeError:
        return {}
    if len(_NONE.findall(raw)) == 2:  # at nearly every stop
        return {}
    status = raw.decode(errors="replace")
    masks = {
        name: int(mask, 16)
        for name, mask in re.findall(r"^(SigPnd|ShdPnd|SigBlk):\s*([0-9a-f]+)$", status, re.M)
    }
    waiting = masks.get("SigPnd", 0) | masks.get("ShdPnd", 0)
    waiting &= ~masks.get("SigBlk", 0)
    numbers = (number for number in range(1, 65) if waiting >> (number - 1) & 1)
    return {_name(number): number for number in numbers if number not in _NEVER}


def awaiting_stop(pid: int) -> list[int]:
    """The threads for each of which a SIGSTOP that was sent to it by itself still waits."""
    try:
        tids = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return []
    return [tid for tid in map(int, tids) if is_pending(tid, signal.SIGSTOP)]


def is_pending(tid: int, number: int) -> bool:
    """Whether a signal that was sent to a thread by itself still waits for it: of a breakpoint's
    SIGTRAP, that the thread has come there and not told of it yet."""
    with suppress(GoprobeError):
        own = _OWN.search(read_proc(tid, "status", _STATUS_LIMIT))
        return bool(own and int(own[1], 16) >> (number - 1) & 1)
    return False


def send_again(pid: int, tid: int, number: int) -> None:
    """Send a signal to one thread, which may be gone by now."""
    libc.syscall(systemcalls.TGKILL, pid, tid, number)


def _name(number: int) -> str:
    """GDB's."""
    if number >= _FIRST_REALTIME:
        return f"SIG{number}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


DEFERRABLE = {
    _name(number): number
    for number in range(1, 65)
    if number not in _NEVER | OF_AN_INSTRUCTION | _UNKNOWN
}
"""GDB's names to numbers of signals that a thread can as well take later."""
