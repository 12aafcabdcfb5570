"""Following a whole program by ptrace: waiting for whatever thread of it stops or ends.

`process/ptrace/requests.py` makes the requests; this is what only a tracer that follows a program
from its first instruction to its end needs besides (`run.py`).
"""

from __future__ import annotations

import os

import msgspec

from goprobe.process.proc.procfs import read_proc
from goprobe.process.ptrace import constants


class WaitEvent(msgspec.Struct, frozen=True):
    """One answer of wait: `tid` stands still (`event` 0: `signal` is about to be delivered to
    it), or has ended (`over`), with its exit `code` or killed by `signal`."""

    tid: int
    signal: int = 0
    event: int = 0
    over: bool = False
    code: int = 0


def wait_any(tid: int = -1, *, block: bool = True) -> WaitEvent | None:
    """The next stop or end among the tracees of the calling thread, of `tid` where given.

    None: nothing yet (only without `block`). ChildProcessError: there are no tracees.
    """
    pid, status = os.waitpid(
        tid, constants.WALL | constants.WNOTHREAD | (0 if block else os.WNOHANG)
    )
    if not pid:
        return None
    if status & 0xFF == 0x7F:
        return WaitEvent(pid, status >> 8 & 0xFF, status >> 16)
    return WaitEvent(pid, status & 0x7F, over=True, code=status >> 8 & 0xFF)


def process_of(tid: int) -> int:
    """The process that a thread belongs to; 0 where it is gone. TargetGoneError likewise."""
    for line in read_proc(tid, "status", 1 << 16).splitlines():
        if line.startswith(b"Tgid:"):
            return int(line[5:])
    return 0
