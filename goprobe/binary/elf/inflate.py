"""What ELF sections are compressed by, and undoing that.

zlib is what Go's linker and most others use; zstd came later (ELFCOMPRESS_ZSTD), and is in Python
only since 3.14: before, the package `zstandard` is used where it is installed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from importlib import import_module

ZLIB, ZSTD = 1, 2  # <elf.h>

Inflate = Callable[[bytes, int], bytes]
"""From compressed bytes and the size that they claim to have at most that many. ValueError."""


def inflater(kind: int) -> Inflate | None:
    """How to undo a kind of compression; None where that is not known here."""
    return {ZLIB: _zlib, ZSTD: _zstd()}.get(kind)


def name_of(kind: int) -> str:
    return {ZLIB: "zlib", ZSTD: "zstd"}.get(kind, f"something that goprobe does not know ({kind})")


def _zlib(raw: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(raw, size)
    except zlib.error as error:
        raise ValueError(str(error)) from None


@cache
def _zstd() -> Inflate | None:
    try:
        module = import_module("compression.zstd")
    except ImportError:
        return _zstandard()

    def inflate(raw: bytes, size: int) -> bytes:
        try:
            return bytes(module.ZstdDecompressor().decompress(raw, max_length=size))
        except module.ZstdError as error:
            raise ValueError(str(error)) from None

    return inflate


def _zstandard() -> Inflate | None:
    try:
        module = import_module("zstandard")
    except ImportError:
        return None

    def inflate(raw: bytes, size: int) -> bytes:
        # Not decompress(): it takes the size that the data itself claim.
        try:
            with module.ZstdDecompressor().stream_reader(raw) as reader:
                return bytes(reader.read(size))
        except module.ZstdError as error:
            raise ValueError(str(error)) from None

    return inflate
