"""Stands in for a libpython that the machine lacks, so that a GDB linked against it starts.

The GDB of the PyPI package needs libpython to be there, and many Pythons come without one. We
want nothing of Python from it, so a library will do in which every function of Python's returns
0, and the one that says whether something went wrong says yes: GDB then gives Python up at its
start, as it does with a real libpython that finds no standard library.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from goprobe.cachefolder import cache_folder

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_LIBPYTHON = re.compile(r"libpython\d+\.\d+[a-z]*\.so[.\d]*")
_NAME = re.compile(r"_?Py\w+")
_MAX_SYMBOLS = 10_000

# x86-64. A PyStatus comes back in 32 bytes that the caller has made room for.
_RETURN_0 = bytes.fromhex("31c0 c3")  # xor eax, eax; ret
_RETURN_1 = bytes.fromhex("b801000000 c3")  # mov eax, 1; ret
_RETURN_STATUS = bytes.fromhex(  # mov rax, rdi; xor ecx, ecx; mov [rdi+0, 8, 16, 24], rcx; ret
    "4889f8 31c9 48890f 48894f08 48894f10 48894f18 c3"
)
_CODES = (_RETURN_0, _RETURN_1, _RETURN_STATUS)
_STATUS_FUNCTIONS = {"PyConfig_SetString", "PyConfig_SetBytesString", "PyConfig_Read"} | {
    "PyConfig_SetArgv", "PyConfig_SetBytesArgv", "Py_InitializeFromConfig", "Py_PreInitialize"
}  # fmt: skip

_OBJECT_SIZE = 1024  # more than any type object of Python's
_PAGE = 0x1000  # p_align of the segments; x86-64's smallest page
_ALIGN = 16  # of data, the System V psABI's largest for scalars
_FUNCTION, _OBJECT = 0x12, 0x11  # STB_GLOBAL with STT_FUNC, STT_OBJECT
# include/uapi/linux/elf.h; DT_SONAME, gABI chapter 5
_PT_LOAD, _PT_DYNAMIC, _PT_GNU_STACK = 1, 2, 0x6474E551
_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT, _DT_SONAME = 4, 5, 6, 10, 11, 14


def folder_with_libpython(gdb: Path) -> Path | None:
    """A folder for LD_LIBRARY_PATH with a stand-in for the libpython that `gdb` is linked against.

    Made once for each GDB. None where GDB is linked against none or there is no place to keep it.
    """
    try:
        status = gdb.stat()
        key = f"{gdb.resolve()} {status.st_size} {status.st_mtime_ns}"
        folder = cache_folder("no-python", hashlib.sha256(key.encode()).hexdigest()[:16])
        if not any(folder.glob("libpython*.so*")) and not _make(gdb, folder):
            return None
    except OSError:
        return None
    return folder


def _make(gdb: Path, folder: Path) -> bool:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with gdb.open("rb") as file:
            soname, functions, objects = _needs(ELFFile(file))
    except ELFError:
        return False
    if soname:
        unfinished = folder / f".{soname}.{os.getpid()}"
        unfinished.write_bytes(build_library(soname, functions, objects))
        unfinished.replace(folder / soname)
    return bool(soname)


def _needs(elf: ELFFile) -> tuple[str, list[str], list[str]]:
    """The libpython that an ELF file needs, and the functions and objects it wants of it."""
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.sections import SymbolTableSection

    dynamic = elf.get_section_by_name(".dynamic")
    symbols = elf.get_section_by_name(".dynsym")
    if not isinstance(dynamic, DynamicSection) or not isinstance(symbols, SymbolTableSection):
        return "", [], []
    needed = [str(getattr(tag, "needed", "")) for tag in dynamic.iter_tags("DT_NEEDED")]
    soname = next((name for name in needed if _LIBPYTHON.fullmatch(name)), "")
    functions: list[str] = []
    objects: list[str] = []
    for _, symbol in zip(range(_MAX_SYMBOLS), symbols.iter_symbols(), strict=False):
        if symbol["st_shndx"] == "SHN_UNDEF" and _NAME.fullmatch(symbol.name):
            is_object = symbol["st_info"]["type"] == "STT_OBJECT"
            (objects if is_object else functions).append(symbol.name)
    return soname, functions, objects


def build_library(soname: str, functions: Sequence[str], objects: Sequence[str]) -> bytes:
    """A shared library (ELF, x86-64) with these names and nothing behind them."""
    strings = bytearray(b"\0")

    def string(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - 1 - len(text.encode())

    names = [string(name) for name in (*functions, *objects)]
    name = string(soname)
    hashes = _hash_table(functions, objects)
    headers = 64 + 4 * 56
    at_symbols = _aligned(headers + len(hashes))
    at_strings = at_symbols + 24 * (len(names) + 1)
    at_code = _aligned(at_strings + len(strings))
    starts = [at_code + _ALIGN * 2 * index for index in range(len(_CODES))]
    at_dynamic = -(-(starts[-1] + _ALIGN * 2) // _PAGE) * _PAGE
    dynamic = b"".join(
        struct.pack("<QQ", tag, value)
        for tag, value in (
            (_DT_HASH, headers),
            (_DT_STRTAB, at_strings),
            (_DT_SYMTAB, at_symbols),
            (_DT_STRSZ, len(strings)),
            (_DT_SYMENT, 24),
            (_DT_SONAME, name),
            (0, 0),
        )
    )
    at_objects = _aligned(at_dynamic + len(dynamic))
    places = [starts[_code_of(function)] for function in functions]
    places += [at_objects + _OBJECT_SIZE * index for index in range(len(objects))]
    kinds = [_FUNCTION] * len(functions) + [_OBJECT] * len(objects)
    table = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", text, kind, 0, 1, place, _OBJECT_SIZE if kind == _OBJECT else 1)
        for text, kind, place in zip(names, kinds, places, strict=True)
    )
    segments = (
        (_PT_LOAD, 5, 0, at_dynamic, at_dynamic, _PAGE),
        (
            _PT_LOAD,
            6,
            at_dynamic,
            len(dynamic),
            at_objects - at_dynamic + _OBJECT_SIZE * len(objects),
            _PAGE,
        ),
        (_PT_DYNAMIC, 6, at_dynamic, len(dynamic), len(dynamic), 8),
        (_PT_GNU_STACK, 6, 0, 0, 0, 16),
    )
    image = bytearray(at_dynamic)
    image[:64] = _file_header(len(segments))
    image[64:headers] = b"".join(
        struct.pack("<IIQQQQQQ", kind, flags, at, at, at, in_file, in_memory, align)
        for kind, flags, at, in_file, in_memory, align in segments
    )
    for at, part in ((headers, hashes), (at_symbols, table), (at_strings, bytes(strings))):
        image[at : at + len(part)] = part
    for at, code in zip(starts, _CODES, strict=True):
        image[at : at + len(code)] = code
    return bytes(image) + dynamic


def _code_of(function: str) -> int:
    if function == "PyStatus_Exception":
        return 1
    return 2 if function in _STATUS_FUNCTIONS else 0


def _file_header(segments: int) -> bytes:
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    # ET_DYN, EM_X86_64, version, entry, program headers, no sections, flags, sizes and counts
    return ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, segments, 0, 0, 0)


def _hash_table(functions: Sequence[str], objects: Sequence[str]) -> bytes:
    """DT_HASH with a single bucket: one chain through all symbols, in order."""
    count = len(functions) + len(objects) + 1
    chain = [0, *range(2, count), 0] if count > 1 else [0]
    return struct.pack(f"<III{count}I", 1, count, 1 if count > 1 else 0, *chain)


def _aligned(number: int) -> int:
    return -(-number // _ALIGN) * _ALIGN
