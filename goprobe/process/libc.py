"""The few calls of libc that Python does not have, declared once."""

from __future__ import annotations

import ctypes

libc = ctypes.CDLL(None, use_errno=True)
keeping = ctypes.PyDLL(None, use_errno=True)
"""The same libc, called without letting go of the interpreter's lock: for what never sleeps."""

process_vm_readv = libc.process_vm_readv
process_vm_readv_quick = keeping.process_vm_readv
for _read in (process_vm_readv, process_vm_readv_quick):
    _read.restype = ctypes.c_ssize_t
    _read.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_void_p,
        ctypes.c_ulong,
        ctypes.c_ulong,
    ]

IOV_MAX = 1024  # UIO_MAXIOV, Linux include/uapi/linux/uio.h


def address_of(buffer: object) -> int:
    """Where a writable buffer's bytes lie in our own memory; valid while `buffer` lives."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))  # type: ignore[arg-type]


_new_bytes = ctypes.pythonapi["PyBytes_FromStringAndSize"]
_new_bytes.restype = ctypes.py_object
_new_bytes.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t]
_start_of_bytes = ctypes.pythonapi["PyBytes_AsString"]
_start_of_bytes.restype = ctypes.c_void_p
_start_of_bytes.argtypes = [ctypes.py_object]


def unfilled_bytes(size: int) -> tuple[bytes, int]:
    """A new bytes object (not empty) to be filled at the address given, before anyone sees it.

    The C API's own way of making bytes without copying them: half the time of a big read.
    """
    data: bytes = _new_bytes(None, size)
    return data, _start_of_bytes(data)


_process_vm_writev = keeping.process_vm_writev
_process_vm_writev.restype = ctypes.c_ssize_t
_process_vm_writev.argtypes = process_vm_readv.argtypes


def write_memory(pid: int, address: int, data: bytes) -> bool:
    """Write into a process's own writable memory; whether all of it was written."""
    buffer = bytearray(data)
    iovecs = (ctypes.c_size_t * 4)(address_of(buffer), len(data), address, len(data))
    got: int = _process_vm_writev(pid, iovecs, 1, ctypes.byref(iovecs, 16), 1, 0)
    return got == len(data)
