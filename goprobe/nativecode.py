"""Machine code of single functions: made by numba, kept in the cache, and run without it.

To load numba takes 0.3 s and 80 MB, and a function of plain arrays and numbers needs nothing of it:
its code is position-independent and calls nobody. Such code is a file of the cache, its digest
behind it, which is mapped and called by numba's convention (numba/core/callconv.py, CPUCallConv;
an array is the seven words of numba/core/datamodel/models.py, ArrayModel).
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

_DIGEST = 32
_LARGEST = 1 << 20
_ARRAY_WORDS = 7

Array = np.ndarray[Any, np.dtype[Any]]
Native = Callable[..., int]


def signature(arguments: Sequence[Array | int]) -> str:
    """What code for such arguments is made for."""
    return ",".join(
        "n" if isinstance(a, int) else a.dtype.str + ("" if a.flags.c_contiguous else "A")
        for a in arguments
    )


def load(path: Path) -> Native | None:
    """The function whose code a file has; None where there is none that is whole."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not _DIGEST < size < _LARGEST:
                return None
            held = mmap.mmap(
                file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC
            )
    except OSError:
        return None
    code, digest = held[:-_DIGEST], held[-_DIGEST:]
    if hashlib.sha256(code).digest() != digest:
        return None
    return _called(np.frombuffer(held, np.uint8))


def save(path: Path, code: bytes) -> None:
    """Put code where `load` finds it, all of it at once. Raises OSError."""
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_bytes(code + hashlib.sha256(code).digest())
    beside.replace(path)


def compiled(function: Callable[..., int], kinds: str) -> bytes | None:
    """The code of a function for arguments of a `signature`; None where it needs more than itself.

    Raises ImportError, OSError or MemoryError where numba cannot be loaded.
    """
    import llvmlite.binding
    import numba
    from elftools.elf.elffile import ELFFile

    # Code for any machine of the architecture, as the cache may be shared by several; without
    # tables of jumps, which would lie outside of it, and without counts of references to arrays.
    vars(numba.config).update(CPU_NAME="generic", CPU_FEATURES="")
    llvmlite.binding.set_option("goprobe", f"--min-jump-table-entries={_LARGEST}")
    types = tuple(_type(numba, kind) for kind in kinds.split(","))
    # Neither Python nor C is going to call it through numba: what would let them takes a sixth of
    # the time (m).
    alone = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
    compile_for: Any = numba.njit
    (result,) = compile_for(types, error_model="numpy", **alone)(function).overloads.values()
    _, _, (whole, _) = result.library.serialize_using_object_code()
    return _alone(ELFFile(BytesIO(whole)), result.fndesc.llvm_func_name)


def _alone(elf: Any, name: str) -> bytes | None:
    """The code of a function in an object file, None where it refers to anything else."""
    (symbol,) = elf.get_section_by_name(".symtab").get_symbol_by_name(name)
    number, low, size = symbol["st_shndx"], symbol["st_value"], symbol["st_size"]
    for section in elf.iter_sections():
        if section["sh_type"] in ("SHT_RELA", "SHT_REL") and section["sh_info"] == number:
            places = (relocation["r_offset"] for relocation in section.iter_relocations())
            if any(low <= place < low + size for place in places):
                return None
    code: bytes = elf.get_section(number).data()[low : low + size]
    return code


def _type(numba: Any, kind: str) -> Any:
    if kind == "n":
        return numba.types.int64
    layout = "A" if kind.endswith("A") else "C"
    return numba.types.Array(numba.from_dtype(np.dtype(kind.removesuffix("A"))), 1, layout)


def _called(code: Array) -> Native:
    """What calls the code that begins in a mapped array."""
    entry = ctypes.CFUNCTYPE(ctypes.c_int)(code.ctypes.data)

    def native(*arguments: Array | int) -> int:
        assert len(code)  # it is mapped for as long as it may be called
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        words: list[ctypes.c_int64] = []
        for a in arguments:
            if isinstance(a, int):
                words.append(ctypes.c_int64(a))
            else:
                step = a.strides[0]
                fields = (0, 0, len(a), a.itemsize, a.ctypes.data, len(a), step)
                words += map(ctypes.c_int64, fields)
        status = entry(ctypes.byref(result), ctypes.byref(error), *words)
        assert status == 0, "loops raise nothing"
        return result.value

    return native
