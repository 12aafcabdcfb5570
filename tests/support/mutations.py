"""Real binaries changed as strippers, packers and careless tools change them."""

from __future__ import annotations

import struct
from pathlib import Path

_SHOFF, _SHNUM = 40, 58
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")


def without_section_headers(binary: Path, into: Path) -> Path:
    """What `sstrip` makes: nothing that the loader does not need."""
    data = bytearray(binary.read_bytes())
    (start,) = struct.unpack_from("<Q", data, 32)
    (count,) = struct.unpack_from("<H", data, 56)
    headers = [_PROGRAM_HEADER.unpack_from(data, start + 56 * n) for n in range(count)]
    end = max(offset + size for _, _, offset, _, _, size, _, _ in headers)
    struct.pack_into("<Q", data, _SHOFF, 0)
    struct.pack_into("<HHH", data, _SHNUM, 0, 0, 0)
    return _written(into, data[: max(end, start + 56 * count)])


def with_section_headers_moved(binary: Path, into: Path, by: int) -> Path:
    """Every section header says an address that is `by` bytes off."""
    data = bytearray(binary.read_bytes())
    (start,) = struct.unpack_from("<Q", data, _SHOFF)
    (_, count, _) = struct.unpack_from("<HHH", data, _SHNUM)
    for number in range(1, count):
        at = start + 64 * number + 16
        (address,) = struct.unpack_from("<Q", data, at)
        if address:
            struct.pack_into("<Q", data, at, address + by)
    return _written(into, data)


def with_section_names_gone(binary: Path, into: Path) -> Path:
    """Every section is called the same: what an obfuscator may do."""
    data = bytearray(binary.read_bytes())
    (start,) = struct.unpack_from("<Q", data, _SHOFF)
    (_, count, _) = struct.unpack_from("<HHH", data, _SHNUM)
    for number in range(count):
        struct.pack_into("<I", data, start + 64 * number, 0)
    return _written(into, data)


def _written(path: Path, data: bytes | bytearray) -> Path:
    path.write_bytes(data)
    path.chmod(0o755)
    return path
