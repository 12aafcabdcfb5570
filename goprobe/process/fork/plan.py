"""Whether a copy-on-write child of a process can be made safely, and with what.

Everything that takes time is found out here, while the process still runs.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from goprobe.arch import systemcalls
from goprobe.arch.sigframe import Gadgets
from goprobe.process.memory.memory import ProcessMemory, read_available
from goprobe.process.proc.headroom import gauges
from goprobe.process.proc.identity import facts
from goprobe.process.proc.maps import Mapping, read_maps
from goprobe.process.proc.procfs import gone
from goprobe.process.rights.privileges import read_privileges

_SEARCH_LIMIT = 1 << 28
_CHUNK = 1 << 20
_RESERVE = 64 << 20
_NEVER_OVERCOMMIT = "2"
_STRICT = "1"  # SECCOMP_MODE_STRICT


class NoForkError(Exception):
    """No snapshot by fork here; `why` is a sentence. Read it while it stands instead."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ForkPlan(msgspec.Struct, frozen=True):
    """`stack_low` is the low end of the first thread's stack, never touched so far; `filtered`
    whether a seccomp filter has to allow it yet."""

    pid: int
    gadgets: Gadgets
    stack_low: int
    filtered: bool = False


def plan_fork(pid: int, beside: int = 0) -> ForkPlan:
    """Whether it can be forked, while we take `beside` bytes ourselves. Raises NoForkError with
    the reason, or TargetGoneError."""
    status = facts(pid)
    _check_rights(pid)
    _check_kernel(pid, status)
    _check_memory(pid, status, beside)
    maps = read_maps(pid)
    stack = next((m for m in maps if m.path == "[stack]"), None)
    if stack is None:
        raise NoForkError("the process has no stack of the kernel's making")
    filtered = status.get("Seccomp", "0") != "0"
    return ForkPlan(pid, _gadgets(pid, maps), stack.low, filtered)


def _check_rights(pid: int) -> None:
    """A child that nobody may kill would cost the process memory until we end."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        raise NoForkError("goprobe could not end its child (that takes CAP_KILL)") from None
    except ProcessLookupError:
        raise gone(pid) from None


def _check_kernel(pid: int, status: dict[str, str]) -> None:
    seccomp = status.get("Seccomp", "0")
    if seccomp == _STRICT:
        raise NoForkError("seccomp's strict mode forbids it to fork")
    if seccomp != "0" and not read_privileges().may_read_filters:
        raise NoForkError(
            "a seccomp filter may forbid it to fork, and goprobe may not read it (that takes"
            " CAP_SYS_ADMIN, and no filter of its own)"
        )
    # An orphan goes to the first process of its namespace, which has to wait for it when it ends.
    if (status.get("NSpid") or "0").split()[-1] == "1":
        raise NoForkError("it is the first process of its pid namespace, so the child would stay")
    # rt_sigreturn to a frame that no signal made fails there (arch/x86/kernel/shstk.c).
    if "shstk" in status.get("x86_Thread_features", ""):
        raise NoForkError("it uses a shadow stack")
    if status.get("State", "")[:1] == "T":
        raise NoForkError("it is stopped anyway")
    if Path("/proc/sys/vm/overcommit_memory").read_text().strip() == _NEVER_OVERCOMMIT:
        raise NoForkError("this machine never overcommits memory (vm.overcommit_memory is 2)")


def _check_memory(pid: int, status: dict[str, str], beside: int) -> None:
    """What the process writes while the child is there is copied: there must be room for all that
    it has. It may rewrite that faster than the child could be ended (m: 400 MiB in 0.2 s)."""
    wanted = _RESERVE + int((status.get("RssAnon") or "0").split()[0]) * 1024
    ours = {gauge.key for gauge in gauges(os.getpid())}
    for gauge in gauges(pid):
        need = wanted + (beside if gauge.key in ours else 0)
        left = gauge.left()
        if left < need:
            raise NoForkError(
                f"{gauge.what} has only {left >> 20} MiB of memory left, and beside a copy up to "
                f"{need >> 20} MiB may be taken"
            )


def _gadgets(pid: int, maps: tuple[Mapping, ...]) -> Gadgets:
    memory = ProcessMemory(pid)
    syscall = sigreturn = 0
    left = _SEARCH_LIMIT
    for mapping in maps:
        # The vsyscall page is emulated at its three entries alone (arch/x86/entry/vsyscall).
        if mapping.perms[:3] != "r-x" or mapping.path == "[vsyscall]":
            continue
        for low in range(mapping.low, min(mapping.high, mapping.low + left), _CHUNK):
            code = read_available(memory, low, min(_CHUNK + 16, mapping.high - low))
            syscall = syscall or _found(code, low, systemcalls.AND_RETURN)
            for pattern in systemcalls.SIGNAL_RETURNS:
                sigreturn = sigreturn or _found(code, low, pattern)
            if syscall and sigreturn:
                return Gadgets(syscall, sigreturn)
        left -= min(mapping.size, left)
    raise NoForkError("its code has no system call instruction that could be used")


def _found(code: bytes, low: int, pattern: bytes) -> int:
    at = code.find(pattern)
    return low + at if at >= 0 else 0
