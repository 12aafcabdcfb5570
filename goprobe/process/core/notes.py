"""The notes of an ELF core: threads with their registers, mapped files, the auxiliary vector.

Sources: Linux include/uapi/linux/elf.h, include/linux/elfcore-compat.h and fs/binfmt_elf.c
(struct elf_prstatus, elf_prpsinfo, NT_FILE); Delve pkg/proc/dump.go and pkg/elfwriter for the
two kinds of notes that only Delve writes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from goprobe.arch.registers import FLAGS, FP, PC, REGISTERS_SIZE, SP, THREAD, Registers

_NT_PRSTATUS, _NT_PRPSINFO, _NT_AUXV, _NT_FILE = 1, 3, 6, 0x46494C45
_NT_SIGINFO = 0x53494749
_NT_DELVE_HEADER, _NT_DELVE_THREAD = 0x444C5645, 0x444C5654
_NOTE = struct.Struct("<III")
_SIGNAL_AT, _TID_AT, _REGISTERS_AT = 12, 32, 112  # in elf_prstatus: pr_cursig, pr_pid, pr_reg
_PRPSINFO_PID_AT = 24
_SIGINFO_ADDRESS_AT = (
    16  # of siginfo (include/uapi/asm-generic/siginfo.h): behind signo, errno, code
)
_ADDRESSED = (4, 5, 7, 8, 11)  # SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV (asm-generic/signal.h)
_SI_KERNEL = 0x80  # and what is not above 0 was sent, by kill and the like (siginfo.h)
_FILES_LIMIT = 1 << 20
_DELVE_REGISTERS_LIMIT = 1000
_DELVE_NAMES = {"rflags": FLAGS}

AT_PHDR, AT_ENTRY, AT_RANDOM, AT_SYSINFO_EHDR = 3, 9, 25, 33  # <elf.h>


class MappedFile(msgspec.Struct, frozen=True):
    """An entry of NT_FILE: addresses [low, high) show the file from `offset` bytes on."""

    low: int
    high: int
    offset: int
    path: str


class Notes(msgspec.Struct):
    """What the notes say; what they do not say is empty. Threads: the one at fault first. `fault`
    is the address that the signal is about, -1 for none."""

    pid: int = 0
    signal: int = 0
    fault: int = -1
    threads: dict[int, Registers] = msgspec.field(default_factory=dict)
    files: list[MappedFile] = msgspec.field(default_factory=list)
    auxv: dict[int, int] = msgspec.field(default_factory=dict)


def read_notes(data: bytes) -> Notes:
    """Notes that make no sense are left out, as are those behind the first cut-off one."""
    notes = Notes()
    for kind, text in _notes(data):
        with suppress(struct.error):
            _take(notes, kind, text)
    notes.pid = notes.pid or next(iter(notes.threads), 0)
    return notes


def _notes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _NOTE.size <= len(data):
        name_size, size, kind = _NOTE.unpack_from(data, at)
        start = at + _NOTE.size + (name_size + 3 & ~3)
        if start + size > len(data):
            return
        yield kind, data[start : start + size]
        at = start + (size + 3 & ~3)


def _take(notes: Notes, kind: int, text: bytes) -> None:
    if kind == _NT_PRSTATUS and len(text) >= _REGISTERS_AT + REGISTERS_SIZE:
        (tid,) = struct.unpack_from("<i", text, _TID_AT)
        if not notes.threads:
            (notes.signal,) = struct.unpack_from("<h", text, _SIGNAL_AT)
        notes.threads.setdefault(tid, Registers.from_bytes(text, _REGISTERS_AT))
    elif kind == _NT_PRPSINFO:
        (notes.pid,) = struct.unpack_from("<i", text, _PRPSINFO_PID_AT)
    elif kind == _NT_SIGINFO and len(notes.threads) <= 1:
        number, _, code = struct.unpack_from("<iii", text)
        if number == notes.signal and number in _ADDRESSED and 0 < code != _SI_KERNEL:
            (notes.fault,) = struct.unpack_from("<Q", text, _SIGINFO_ADDRESS_AT)
    elif kind == _NT_AUXV:
        notes.auxv |= dict(struct.iter_unpack("<QQ", text[: len(text) // 16 * 16]))
    elif kind == _NT_FILE:
        notes.files += _files(text)
    elif kind == _NT_DELVE_HEADER:
        _delve_header(notes, text)
    elif kind == _NT_DELVE_THREAD:
        tid, registers = _delve_thread(text)
        notes.threads.setdefault(tid, registers)


def _files(text: bytes) -> Iterator[MappedFile]:
    count, page = struct.unpack_from("<QQ", text)
    count = min(count, _FILES_LIMIT, (len(text) - 16) // 24)
    names = text[16 + 24 * count :].split(b"\0")
    for i in range(min(count, len(names))):
        low, high, offset = struct.unpack_from("<QQQ", text, 16 + 24 * i)
        if low < high:
            yield MappedFile(low, high, offset * page, names[i].decode("utf-8", "surrogateescape"))


def _delve_header(notes: Notes, text: bytes) -> None:
    for line in text.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(": ")
        with suppress(ValueError):
            if key == "Target Pid":
                notes.pid = int(value)
            elif key == "Entry Point":
                notes.auxv[AT_ENTRY] = int(value, 0)


def _delve_thread(text: bytes) -> tuple[int, Registers]:
    """Thread id, pc, sp, bp, tls, whether g is known, g, then registers by name and value."""
    tid, pc, sp, bp, tls, _, _, count = struct.unpack_from("<5QBQI", text)
    values = dict.fromkeys(Registers.__struct_fields__, 0)
    at = struct.calcsize("<5QBQI")
    for _ in range(min(count, _DELVE_REGISTERS_LIMIT)):
        name, at = _sized(text, at)
        value, at = _sized(text, at)
        key = name.decode("ascii", "replace").lower()
        key = _DELVE_NAMES.get(key, key)
        if key in values and len(value) <= 8:
            values[key] = int.from_bytes(value, "little")
    values |= {PC: pc, SP: sp, FP: bp, THREAD[0]: tls or values[THREAD[0]]}
    return tid, Registers(**values)


def _sized(text: bytes, at: int) -> tuple[bytes, int]:
    (size,) = struct.unpack_from("<H", text, at)
    if at + 2 + size > len(text):
        raise struct.error("cut off")
    return text[at + 2 : at + 2 + size], at + 2 + size
