"""What the kernel lets this process do to others."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from goprobe.errors import GoprobeError
from goprobe.process.proc.procfs import read_proc

_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_CAP_SYS_PTRACE = 19  # <linux/capability.h>
_CAP_SYS_ADMIN = 21
_STATUS_LIMIT = 1 << 16


class Privileges(msgspec.Struct, frozen=True):
    """`yama` is kernel.yama.ptrace_scope, None where there is no Yama; `may_trace_all` is
    CAP_SYS_PTRACE; `seccomp` whether a filter stands between us and the kernel; `may_read_filters`
    whether the kernel may show us those of others."""

    root: bool
    yama: int | None
    may_trace_all: bool
    seccomp: bool
    may_read_filters: bool = False


def read_privileges() -> Privileges:
    """Ours; what cannot be found out is taken to be absent."""
    try:
        status = read_proc(os.getpid(), "status", _STATUS_LIMIT).decode(errors="replace")
    except GoprobeError:
        status = ""
    capabilities = int(_field(status, "CapEff") or "0", 16)
    filtered = _field(status, "Seccomp") not in ("", "0")
    return Privileges(
        root=os.geteuid() == 0,
        yama=_yama(),
        may_trace_all=bool(capabilities >> _CAP_SYS_PTRACE & 1),
        seccomp=filtered,
        may_read_filters=bool(capabilities >> _CAP_SYS_ADMIN & 1) and not filtered,
    )


def _yama() -> int | None:
    try:
        return int(_YAMA.read_text())
    except (OSError, ValueError):
        return None


def _field(status: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return found[1] if found else ""
