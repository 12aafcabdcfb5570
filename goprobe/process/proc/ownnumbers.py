"""Threads by the numbers that the program itself knows them by: those of its own PID namespace.

Go's runtime keeps what gettid says (m.procid), and that is a thread's number in the innermost
namespace; the kernel tells us ours. In a container the two differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from goprobe.errors import GoprobeError
from goprobe.process.proc.procfs import read_proc

T = TypeVar("T")

_STATUS_LIMIT = 1 << 16


def by_own_number(pid: int, threads: Mapping[int, T]) -> Mapping[int, T]:
    """The same threads under their own numbers; those that have ended meanwhile are left out."""
    if _own_number(pid, pid) in (pid, 0):
        return threads
    named = {_own_number(pid, tid): value for tid, value in threads.items()}
    return {number: value for number, value in named.items() if number}


def _own_number(pid: int, tid: int) -> int:
    """0 where the thread is gone, or a kernel before 4.1 does not say."""
    try:
        status = read_proc(pid, f"task/{tid}/status", _STATUS_LIMIT)
    except GoprobeError:
        return 0
    for line in status.split(b"\n"):
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return 0
