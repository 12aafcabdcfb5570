"""Programs that write pointer bitmaps: how compilers up to Go 1.23 describe large types.

Source: src/runtime/mbitmap.go (runGCProg), Go 1.21 to 1.23. A program is preceded by its length.
"""

from __future__ import annotations

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory

_LENGTH = 4  # bytes
_PROGRAM_LIMIT = 1 << 20
_REPEATS, _COUNT = 0x80, 0x7F
_VARINT_LIMIT = 64  # bits


def written_by(memory: Memory, at: int, count: int) -> bytes:
    """What the program at an address says of `count` words: a byte for each, 1 for a pointer."""
    size = int.from_bytes(memory.read(at, _LENGTH), "little")
    if size > _PROGRAM_LIMIT:
        raise UnreadableError(at, _LENGTH, f"a GC program of {size} bytes")
    written = _run(memory.read(at + _LENGTH, size), count)
    if len(written) < count:
        raise UnreadableError(at, size, f"a GC program for {len(written)} words, not {count}")
    return bytes(written[:count])


def _run(program: bytes, count: int) -> bytearray:
    """The bits as far as the program goes, and not many more than `count`."""
    bits = bytearray()
    at = 0
    while at < len(program) and len(bits) < count:
        instruction, at = program[at], at + 1
        n = instruction & _COUNT
        if not instruction & _REPEATS:
            if not n:
                break
            raw, at = program[at : at + (n + 7) // 8], at + (n + 7) // 8
            bits += bytes(raw[i >> 3] >> (i & 7) & 1 for i in range(min(n, 8 * len(raw))))
            continue
        if not n:
            n, at = _varint(program, at)
        times, at = _varint(program, at)
        if not 0 < n <= len(bits):
            break
        pattern = bytes(bits[-n:])
        bits += pattern * min(times, (count - len(bits)) // n + 1)
    return bits


def _varint(program: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    number = shift = 0
    while at < len(program) and shift < _VARINT_LIMIT:
        byte, at = program[at], at + 1
        number |= (byte & _COUNT) << shift
        shift += 7
        if not byte & _REPEATS:
            break
    return number, at
