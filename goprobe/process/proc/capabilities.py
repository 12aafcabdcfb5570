"""What the kernel lets this process of ours do."""

from __future__ import annotations

import os
import re
from pathlib import Path

from goprobe.process.proc.procfs import read_proc

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2  # Linux include/uapi/linux/capability.h
CAP_SYS_PTRACE, CAP_SYS_ADMIN = 19, 21  # Linux include/uapi/linux/capability.h
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_STATUS_LIMIT = 1 << 20


def holds(capability: int) -> bool:
    """Whether we hold it. Raises TargetGoneError where there is no /proc."""
    return bool(int(own_status("CapEff") or "0", 16) >> capability & 1)


def own_status(name: str) -> str:
    """A hexadecimal field of our /proc/PID/status, "" where the kernel has none."""
    status = read_proc(os.getpid(), "status", _STATUS_LIMIT).decode(errors="replace")
    match = re.search(rf"^{name}:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return match[1] if match else ""


def yama_scope() -> int | None:
    """kernel.yama.ptrace_scope, None where there is no Yama."""
    try:
        return int(_YAMA.read_text())
    except (OSError, ValueError):
        return None
