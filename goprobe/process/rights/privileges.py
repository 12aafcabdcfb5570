"""What the kernel lets this process do to others."""

from __future__ import annotations

import os

import msgspec

from goprobe.errors import GoprobeError
from goprobe.process.proc.capabilities import (
    CAP_SYS_ADMIN,
    CAP_SYS_PTRACE,
    holds,
    own_status,
    yama_scope,
)


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
    return Privileges(
        root=os.geteuid() == 0,
        yama=yama_scope(),
        may_trace_all=_may(CAP_SYS_PTRACE),
        seccomp=_filtered(),
        may_read_filters=_may(CAP_SYS_ADMIN) and not _filtered(),
    )


def _may(capability: int) -> bool:
    try:
        return holds(capability)
    except GoprobeError:
        return False


def _filtered() -> bool:
    try:
        return own_status("Seccomp") not in ("", "0")
    except GoprobeError:
        return False
