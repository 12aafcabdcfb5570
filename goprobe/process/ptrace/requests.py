"""The ptrace requests and the wait that goprobe makes, one thread at a time, without policy.

A tracee belongs to the thread of ours that seized it: only that thread may make requests of it.
When that thread ends, however it ends, the kernel lets every tracee of it go.
"""

from __future__ import annotations

import ctypes
import errno

from goprobe.process.libc import address_of, keeping, libc
from goprobe.process.ptrace.constants import (
    PTRACE_CONT,
    PTRACE_DETACH,
    PTRACE_EVENT_STOP,
    PTRACE_GETEVENTMSG,
    PTRACE_GETREGS,
    PTRACE_GETREGSET,
    PTRACE_GETSIGINFO,
    PTRACE_GETSIGMASK,
    PTRACE_INTERRUPT,
    PTRACE_SEIZE,
    PTRACE_SETOPTIONS,
    PTRACE_SETREGS,
    PTRACE_SETSIGINFO,
    PTRACE_SETSIGMASK,
    WALL,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    WSTOPPED,
)

_NT_X86_XSTATE = 0x202  # <elf.h>
_XSTATE_LIMIT = 1 << 14
_P_PID = 1  # Linux include/uapi/linux/wait.h
_CLD_TRAPPED, _CLD_STOPPED = 4, 5  # <bits/siginfo-consts.h>

# Requests never sleep and a stop must not wait for the interpreter's lock: keep it meanwhile.
_ptrace = keeping["ptrace"]
# Seizing may sleep for as long as another thread of the target is in execve: let the lock go.
_ptrace_slowly = libc["ptrace"]
for _call in (_ptrace, _ptrace_slowly):
    _call.restype = ctypes.c_long
    _call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_waitid = keeping["waitid"]
_waitid.restype = ctypes.c_int
_waitid.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_void_p, ctypes.c_int]

_Siginfo = ctypes.c_int * 32
_CODE, _PID, _STATUS = 2, 4, 6


NOT_YET, ENDED = 0, -1


def seize(tid: int, options: int = 0) -> int:
    """Become the tracer of a thread without stopping it: 0, or an errno."""
    failed = _ptrace_slowly(PTRACE_SEIZE, tid, None, options or None)
    return ctypes.get_errno() if failed else 0


def request(number: int, tid: int, address: int | None = None, data: int | None = None) -> int:
    """Any other request: 0, or an errno (ESRCH: gone, or not stopped)."""
    return ctypes.get_errno() if _ptrace(number, tid, address, data) else 0


def request_for_number(
    number: int, tid: int, address: int | None, data: int | None
) -> tuple[int, int]:
    """A request that returns a number: that (negative where it failed), and an errno."""
    result = int(_ptrace(number, tid, address, data))
    return result, ctypes.get_errno() if result < 0 else 0


def interrupt(tid: int) -> int:
    return request(PTRACE_INTERRUPT, tid)


def detach(tid: int, signal: int = 0) -> int:
    """Let a stopped thread go on, delivering `signal` to it."""
    return request(PTRACE_DETACH, tid, None, signal)


def wait(tid: int) -> int:
    """What has become of a tracee, without blocking and without consuming the report.

    NOT_YET; ENDED (or no tracee of ours any more); else it stands still: the signal, with
    the ptrace event << 8. Without an event the signal is one about to be delivered. A report
    that was consumed would take that signal along if we were killed before handing it back
    (wait_task_stopped in Linux kernel/exit.c clears it).
    """
    info = _Siginfo()
    if _waitid(_P_PID, tid, info, WSTOPPED | WEXITED | WNOHANG | WALL | WNOWAIT):
        return NOT_YET if ctypes.get_errno() == errno.EINTR else ENDED
    if not info[_PID]:
        return NOT_YET
    return int(info[_STATUS]) if info[_CODE] in (_CLD_TRAPPED, _CLD_STOPPED) else ENDED


def reap(tid: int) -> None:
    """Consume the end of a tracee if it has ended; from any thread of ours."""
    info = _Siginfo()
    # Asked for or not, a stop would be consumed just the same: look first.
    if _waitid(_P_PID, tid, info, WEXITED | WNOHANG | WALL | WNOWAIT) or not info[_PID]:
        return
    if info[_CODE] not in (_CLD_TRAPPED, _CLD_STOPPED):
        _waitid(_P_PID, tid, info, WEXITED | WNOHANG | WALL)


def pending_signal(tid: int) -> int:
    """The signal that a stopped thread is about to be given; 0 for none, or not stopped."""
    info = _Siginfo()
    if request(PTRACE_GETSIGINFO, tid, None, ctypes.addressof(info)):
        return 0
    return 0 if info[_CODE] >> 8 == PTRACE_EVENT_STOP else int(info[0])


def signal_code(tid: int) -> int:
    """Who sent the signal that has stopped a thread: at most 0 for a process, above for the kernel
    (<bits/siginfo-consts.h>)."""
    info = _Siginfo()
    failed = request(PTRACE_GETSIGINFO, tid, None, ctypes.addressof(info))
    return 1 if failed else int(info[_CODE])


def read_registers(tid: int, into: bytearray) -> int:
    """The registers of a stopped thread into a buffer of REGISTERS_SIZE bytes: 0, or an errno."""
    return request(PTRACE_GETREGS, tid, None, address_of(into))


def write_registers(tid: int, raw: bytes) -> int:
    """Set the registers of a stopped thread from REGISTERS_SIZE bytes: 0, or an errno."""
    buffer = bytearray(raw)
    return request(PTRACE_SETREGS, tid, None, address_of(buffer))


def proceed(tid: int, signal: int = 0) -> int:
    """Let a stopped thread run on as our tracee, delivering `signal` to it."""
    return request(PTRACE_CONT, tid, None, signal)


def set_options(tid: int, options: int) -> int:
    return request(PTRACE_SETOPTIONS, tid, None, options)


def event_message(tid: int) -> int:
    """What an event stop has to say: of PTRACE_EVENT_CLONE the new thread's id. 0 for nothing."""
    value = ctypes.c_ulong()
    return 0 if request(PTRACE_GETEVENTMSG, tid, None, ctypes.addressof(value)) else value.value


def signal_mask(tid: int) -> int | None:
    """The signals that a stopped thread blocks (bit 0: signal 1)."""
    mask = ctypes.c_uint64()
    failed = request(PTRACE_GETSIGMASK, tid, 8, ctypes.addressof(mask))
    return None if failed else mask.value


def set_signal_mask(tid: int, mask: int) -> None:
    blocked = ctypes.c_uint64(mask)
    request(PTRACE_SETSIGMASK, tid, 8, ctypes.addressof(blocked))


def signal_details(tid: int) -> bytes:
    """The siginfo of the signal that a stopped thread is about to be given."""
    info = _Siginfo()
    request(PTRACE_GETSIGINFO, tid, None, ctypes.addressof(info))
    return bytes(info)


def set_signal_details(tid: int, details: bytes) -> None:
    """Have the signal that a thread is let go with bear them, if they are of that number."""
    info = _Siginfo.from_buffer_copy(details)
    request(PTRACE_SETSIGINFO, tid, None, ctypes.addressof(info))


def extended_state(tid: int) -> bytes:
    """Floating-point and vector registers of a stopped thread, as XSAVE lays them out; b"" where
    the kernel does not give them."""
    buffer = bytearray(_XSTATE_LIMIT)
    iovec = (ctypes.c_size_t * 2)(address_of(buffer), len(buffer))
    if request(PTRACE_GETREGSET, tid, _NT_X86_XSTATE, ctypes.addressof(iovec)):
        return b""
    return bytes(buffer[: iovec[1]])
