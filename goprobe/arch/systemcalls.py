"""System calls of the machine."""

from __future__ import annotations

from goprobe.arch.amd64.callnames import NAMES as NAMES
from goprobe.arch.amd64.systemcalls import (
    AND_RETURN as AND_RETURN,
    CLONE as CLONE,
    CLOSE as CLOSE,
    EXECVE as EXECVE,
    EXECVEAT as EXECVEAT,
    EXIT as EXIT,
    EXIT_GROUP as EXIT_GROUP,
    FUTEX as FUTEX,
    INSTRUCTION as INSTRUCTION,
    KCMP as KCMP,
    MEMFD_CREATE as MEMFD_CREATE,
    MMAP as MMAP,
    MUNMAP as MUNMAP,
    RT_SIGRETURN as RT_SIGRETURN,
    SIGNAL_RETURNS as SIGNAL_RETURNS,
    TGKILL as TGKILL,
    WAIT4 as WAIT4,
    current as current,
    prepare as prepare,
    result as result,
)
