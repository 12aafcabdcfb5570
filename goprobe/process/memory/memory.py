"""Reading the memory of a process. Addresses are the target's, sizes in bytes.

`Memory` is what the rest of goprobe reads through, be it a live process, a stopped one, a
fork snapshot or a core file. An address that cannot be read raises UnreadableError; a process
that ended raises TargetGoneError.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, islice
from typing import Protocol, runtime_checkable

from goprobe.deferredsignals import signals_deferred
from goprobe.errors import UnreadableError
from goprobe.process.libc import (
    IOV_MAX,
    address_of,
    process_vm_readv,
    process_vm_readv_quick,
    unfilled_bytes,
)
from goprobe.process.proc.procfs import PAGE_SIZE, gone, not_permitted, translated

READ_LIMIT = 1 << 32
"""The most that one read gives: a length found in a hostile process must not take our memory."""

_BATCH_BYTES = 1 << 22
_BIG = 1 << 16  # past this a call of its own costs less than copying
_ADDRESS_END = 1 << 64  # what a struct iovec can say
_SHARED = 1 << 22  # past this two threads read: the kernel copies on both cores
_CALL_LIMIT = 1 << 30  # the kernel transfers at most 0x7ffff000 bytes a call

_Iovecs = ctypes.c_size_t * 4  # struct iovec twice: ours, the target's
_REMOTE = 16  # bytes: sizeof(struct iovec), include/uapi/linux/uio.h

Buffer = bytearray | memoryview
Range = tuple[int, int]
"""(address, size)"""


class Memory(Protocol):
    """Readable memory of one address space."""

    def read(self, address: int, size: int) -> bytes:
        """All `size` bytes, or UnreadableError."""

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        """The bytes of each (address, size); None for a range that is not wholly readable."""

    def read_into(self, address: int, buffer: Buffer) -> None:
        """Fill a writable, contiguous buffer; UnreadableError where not all of it can be."""


_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


def u32(memory: Memory, address: int) -> int:
    return int(_U32.unpack(memory.read(address, 4))[0])


def u64(memory: Memory, address: int) -> int:
    return int(_U64.unpack(memory.read(address, 8))[0])


def word_at(memory: Memory, address: int) -> int:
    """The word at an address, 0 where that cannot be read."""
    try:
        return u64(memory, address)
    except UnreadableError:
        return 0


def read_available(memory: Memory, address: int, size: int) -> bytes:
    """As many of the `size` bytes as can be read without a gap, perhaps none."""
    if size <= 0:
        return b""
    try:
        return memory.read(address, size)
    except UnreadableError:
        pass
    parts: list[bytes] = []
    for batch in _batches(pages_of(address, min(size, READ_LIMIT))):
        for part in memory.read_many(batch):
            if part is None:
                return b"".join(parts)
            parts.append(part)
    return b"".join(parts)


def read_or_none(memory: Memory, address: int, size: int) -> bytes | None:
    """All `size` bytes; None where not all of them can be read."""
    try:
        return memory.read(address, size)
    except UnreadableError:
        return None


def pages_of(address: int, size: int) -> Iterable[Range]:
    """[address, address + size) cut at page borders."""
    end = address + size
    while address < end:
        border = min(end, (address // PAGE_SIZE + 1) * PAGE_SIZE)
        yield address, border - address
        address = border


def _batches(ranges: Iterable[Range]) -> Iterable[list[Range]]:
    source = iter(ranges)
    while batch := list(islice(source, IOV_MAX)):
        yield batch


def check_range(address: int, size: int) -> None:
    """Raises UnreadableError for what no address space has, before memory is set aside for it."""
    if address < 0 or size < 0 or address + size > _ADDRESS_END:
        raise UnreadableError(address, size, "not an address")
    if size > READ_LIMIT:
        raise UnreadableError(address, size, f"more than {READ_LIMIT} bytes")


class ProcessMemory:
    """The memory of a live process, by process_vm_readv, or /proc/PID/mem where that is refused.

    Needs no ptrace stop; whoever wants one moment of a running process holds it still meanwhile.
    Safe to use from several threads.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._file = -1

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        self.close()

    def read(self, address: int, size: int) -> bytes:
        check_range(address, size)
        if not size:
            return b""
        data, start = unfilled_bytes(size)
        self._fill(address, start, size)
        return data

    def read_into(self, address: int, buffer: Buffer) -> None:
        size = memoryview(buffer).nbytes
        check_range(address, size)
        if size:
            self._fill(address, address_of(buffer), size)

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        results: list[bytes | None] = []
        batch: list[Range] = []
        have = 0
        for address, size in ranges:
            if batch and (len(batch) == IOV_MAX or have + size > _BATCH_BYTES):
                results += self._read_batch(batch)
                batch, have = [], 0
            if size > _BIG:
                results += self._read_batch(batch)
                results.append(read_or_none(self, address, size))
                batch, have = [], 0
            else:
                batch.append((address, size))
                have += size
        return results + self._read_batch(batch)

    def read_packed(self, pairs: memoryview, ends: Sequence[int], buffer: bytearray) -> bool:
        """See the function of this name."""
        count = len(ends) - 1
        if ends[-1] < _SHARED or len(os.sched_getaffinity(0)) < 2:
            return self._read_packed(pairs, ends, buffer, 0, count)
        middle = min(max(1, bisect_left(ends, ends[-1] // 2)), count)
        readable: list[bool] = []
        other = threading.Thread(
            target=lambda: readable.append(self._read_packed(pairs, ends, buffer, middle, count))
        )
        try:
            with signals_deferred():
                other.start()
        except RuntimeError:  # no room for its stack
            return self._read_packed(pairs, ends, buffer, 0, count)
        whole = self._read_packed(pairs, ends, buffer, 0, middle)
        other.join()
        return whole and readable == [True]

    def _read_packed(
        self, pairs: memoryview, ends: Sequence[int], buffer: bytearray, start: int, stop: int
    ) -> bool:
        if start == stop:  # an empty buffer has no address
            return True
        at, into = address_of(pairs), address_of(buffer)
        for first in range(start, stop, IOV_MAX):
            last = min(first + IOV_MAX, stop)
            size = ends[last] - ends[first]
            local = _Iovecs(into + ends[first], size)
            remote = at + first * _REMOTE
            if process_vm_readv(self.pid, local, 1, remote, last - first, 0) != size:
                return False
        return True

    def _read_batch(self, ranges: Sequence[Range]) -> list[bytes | None]:
        plain = all(a >= 0 and n >= 0 and a + n < _ADDRESS_END for a, n in ranges)
        if plain and len(ranges) > 1 and self._file < 0:
            starts = [0, *accumulate(size for _, size in ranges)]
            buffer = bytearray(starts[-1] or 1)
            missing = self._transfer(ranges, starts, address_of(buffer))
            if missing is not None:
                view = memoryview(buffer)
                return [
                    None if i in missing else bytes(view[starts[i] : starts[i + 1]])
                    for i in range(len(ranges))
                ]
        return [read_or_none(self, address, size) for address, size in ranges]

    def _transfer(self, ranges: Sequence[Range], starts: list[int], into: int) -> set[int] | None:
        """Read the ranges one behind the other: the indices of those that have a hole.

        None where process_vm_readv may not be used.
        """
        count = len(ranges)
        remote = array("Q", chain.from_iterable(ranges))
        missing: set[int] = set()
        first = 0
        while first < count:
            local = _Iovecs(into + starts[first], starts[count] - starts[first])
            at = remote.buffer_info()[0] + first * _REMOTE
            got = process_vm_readv(self.pid, local, 1, at, count - first, 0)
            if got < 0 and self._failed() != errno.EFAULT:
                return None
            done = starts[first] + max(got, 0)
            while first < count and starts[first + 1] <= done:
                first += 1
            if first < count:
                # The kernel stopped inside this range: it is the one with the hole.
                missing.add(first)
                first += 1
        return missing

    def _fill(self, address: int, into: int, size: int) -> None:
        done = 0
        while done < size:
            got = self._read_some(address + done, into + done, min(size - done, _CALL_LIMIT))
            if got <= 0:
                raise UnreadableError(address, size)
            done += got

    def _read_some(self, address: int, into: int, size: int) -> int:
        if self._file < 0:
            iovecs = _Iovecs(into, size, address, size)
            call = process_vm_readv if size > _BIG else process_vm_readv_quick
            got: int = call(self.pid, iovecs, 1, ctypes.byref(iovecs, _REMOTE), 1, 0)
            if got >= 0:
                return got
            if self._failed() == errno.EFAULT:
                return 0
        return self._read_file(address, into, size)

    def _failed(self) -> int:
        """Why process_vm_readv failed; opens /proc/PID/mem where that is the way on."""
        why = ctypes.get_errno()
        if why == errno.ESRCH:
            raise gone(self.pid)
        if why in (errno.ENOSYS, errno.EPERM):
            with translated(self.pid, "read the memory"):
                self._file = os.open(f"/proc/{self.pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        return why

    def _read_file(self, address: int, into: int, size: int) -> int:
        if address >= 1 << 63:
            return 0
        if self._file < 0:
            return 0
        view = (ctypes.c_char * size).from_address(into)
        try:
            got = os.preadv(self._file, [view], address)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EFAULT):
                return 0
            raise not_permitted(self.pid, "read the memory") from None
        if got == 0:
            raise gone(self.pid)
        return got


@runtime_checkable
class _Packing(Protocol):
    """A Memory that can do so itself."""

    def read_packed(self, pairs: memoryview, ends: Sequence[int], buffer: bytearray) -> bool: ...


def read_packed(memory: Memory, pairs: memoryview, ends: Sequence[int], buffer: bytearray) -> bool:
    """Fill `buffer` with many ranges, one behind the other, without an object for any of them.

    `pairs`, writable, are (address, size) as unsigned 64-bit words; `ends[i]` is where range i
    begins in the buffer, the last entry its length. False where not all of it can be read.
    """
    if isinstance(memory, _Packing):
        return memory.read_packed(pairs, ends, buffer)
    return _packed_in_parts(memory, pairs, buffer)


def _packed_in_parts(memory: Memory, pairs: memoryview, buffer: bytearray) -> bool:
    words = pairs.cast("B").cast("Q").tolist()
    parts = memory.read_many(list(zip(words[::2], words[1::2], strict=True)))
    if any(part is None for part in parts):
        return False
    buffer[:] = b"".join(part or b"" for part in parts)
    return True


class PageCache:
    """A Memory that keeps the pages it has read: thousands of small reads cost a few big ones.

    Valid for one stop only, as what it keeps is not read again. `limit` bounds the bytes kept;
    the oldest pages go first. Reads of more than `_WHOLE` bytes go through, uncached.
    """

    _WHOLE = 16 * PAGE_SIZE

    def __init__(self, memory: Memory, *, limit: int = 1 << 26) -> None:
        self._memory = memory
        self._pages: dict[int, bytes] = {}
        self._most = max(1, limit // PAGE_SIZE)

    def read(self, address: int, size: int) -> bytes:
        start = address % PAGE_SIZE
        if start + size <= PAGE_SIZE and size >= 0:
            page = self._pages.get(address - start) or self._load(address - start)
            if page:
                return page[start : start + size]
        elif 0 < size <= self._WHOLE:
            return b"".join([self.read(at, part) for at, part in pages_of(address, size)])
        return self._memory.read(address, size)

    def _load(self, base: int) -> bytes:
        """A page, or b"" where it cannot be read whole."""
        try:
            page = self._memory.read(base, PAGE_SIZE)
        except UnreadableError:
            return b""
        self._keep(base, page)
        return page

    def _keep(self, base: int, page: bytes) -> None:
        while len(self._pages) >= self._most:
            del self._pages[next(iter(self._pages))]
        self._pages[base] = page

    def prefetch(self, ranges: Iterable[Range]) -> None:
        """Read the pages of these ranges in as few calls as possible; holes are left out."""
        wanted = {
            at - at % PAGE_SIZE: None
            for address, size in ranges
            if 0 <= size <= self._most * PAGE_SIZE
            for at, _ in pages_of(address, size)
        }
        bases = [base for base in wanted if base not in self._pages][: self._most]
        for base, page in zip(
            bases, self._memory.read_many([(base, PAGE_SIZE) for base in bases]), strict=True
        ):
            if page is not None:
                self._keep(base, page)

    def read_packed(self, pairs: memoryview, ends: Sequence[int], buffer: bytearray) -> bool:
        """As `read_packed`; what is much goes through, uncached."""
        if ends[-1] > self._WHOLE:
            return read_packed(self._memory, pairs, ends, buffer)
        return _packed_in_parts(self, pairs, buffer)

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        if len(ranges) > self._most:
            return self._memory.read_many(ranges)
        self.prefetch(r for r in ranges if r[1] <= self._WHOLE)
        return [read_or_none(self, address, size) for address, size in ranges]

    def read_into(self, address: int, buffer: Buffer) -> None:
        size = memoryview(buffer).nbytes
        if size > self._WHOLE:
            self._memory.read_into(address, buffer)
        else:
            memoryview(buffer).cast("B")[:] = self.read(address, size)
