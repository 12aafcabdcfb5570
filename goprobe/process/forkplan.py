"""Whether a copy-on-write child of a process can be made safely, and with what.

Everything that takes time is found out here, while the process still runs.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from goprobe.process.headroom import cgroup_headroom
from goprobe.process.identity import facts
from goprobe.process.maps import Mapping, read_maps
from goprobe.process.memory import ProcessMemory, read_available
from goprobe.process.sigframe import Gadgets

_SYSCALL_RETURN = b"\x0f\x05\xc3"
_SIGRETURNS = (b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", b"\xb8\x0f\x00\x00\x00\x0f\x05")
_SEARCH_LIMIT = 1 << 28
_CHUNK = 1 << 20
_RESERVE = 64 << 20
_NEVER_OVERCOMMIT = "2"


class NoForkError(Exception):
    """No snapshot by fork here; `why` is a sentence. Read it while it stands instead."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ForkPlan(msgspec.Struct, frozen=True):
    """`stack_low` is the low end of the first thread's stack, never touched so far."""

    pid: int
    gadgets: Gadgets
    stack_low: int


def plan_fork(pid: int) -> ForkPlan:
    """Raises NoForkError with the reason, or TargetGoneError."""
    status = facts(pid)
    _check_kernel(pid, status)
    _check_memory(pid, status)
    maps = read_maps(pid)
    stack = next((m for m in maps if m.path == "[stack]"), None)
    if stack is None:
        raise NoForkError("the process has no stack of the kernel's making")
    return ForkPlan(pid, _gadgets(pid, maps), stack.low)


def _check_kernel(pid: int, status: dict[str, str]) -> None:
    if status.get("Seccomp", "0") != "0":
        raise NoForkError("a seccomp filter may forbid it to fork")
    if (status.get("NSpid") or "0").split()[-1] == "1":
        raise NoForkError("it is the first process of its pid namespace, so the child would stay")
    if "shstk" in status.get("x86_Thread_features", ""):
        raise NoForkError("it uses a shadow stack")
    if status.get("State", "")[:1] == "T":
        raise NoForkError("it is stopped anyway")
    if Path("/proc/sys/vm/overcommit_memory").read_text().strip() == _NEVER_OVERCOMMIT:
        raise NoForkError("this machine never overcommits memory (vm.overcommit_memory is 2)")


def _check_memory(pid: int, status: dict[str, str]) -> None:
    """What the process writes while the child is there is copied: there must be room for it."""
    private = int((status.get("RssAnon") or "0").split()[0]) * 1024
    wanted = _RESERVE + private // 4
    available = _meminfo("MemAvailable")
    if available < wanted:
        raise NoForkError(f"only {available >> 20} MiB of memory are free on this machine")
    for left in cgroup_headroom(pid):
        if left.bytes < wanted:
            raise NoForkError(f"its memory cgroup has only {left.bytes >> 20} MiB left")


def _meminfo(key: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 1 << 62


def _gadgets(pid: int, maps: tuple[Mapping, ...]) -> Gadgets:
    memory = ProcessMemory(pid)
    syscall = sigreturn = 0
    left = _SEARCH_LIMIT
    for mapping in maps:
        if mapping.perms[:3] != "r-x" or mapping.path == "[vsyscall]":
            continue
        for low in range(mapping.low, min(mapping.high, mapping.low + left), _CHUNK):
            code = read_available(memory, low, min(_CHUNK + 16, mapping.high - low))
            syscall = syscall or _found(code, low, _SYSCALL_RETURN)
            for pattern in _SIGRETURNS:
                sigreturn = sigreturn or _found(code, low, pattern)
            if syscall and sigreturn:
                return Gadgets(syscall, sigreturn)
        left -= min(mapping.size, left)
    raise NoForkError("its code has no system call instruction that could be used")


def _found(code: bytes, low: int, pattern: bytes) -> int:
    at = code.find(pattern)
    return low + at if at >= 0 else 0
