"""Reads of a real process's memory: what is there, what is not, and what costs too much."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from goprobe.errors import TargetGoneError, UnreadableError
from goprobe.process.memory import memory as module
from goprobe.process.memory.memory import (
    READ_LIMIT,
    Buffer,
    Memory,
    PageCache,
    ProcessMemory,
    Range,
    read_available,
    u32,
    u64,
)
from tests.process.targets import target
from tests.support.go import Running

PAGE = 4096


@pytest.fixture(scope="module")
def program() -> Iterator[Running]:
    with target("memory") as started:
        yield started


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a seccomp filter does that forbids process_vm_readv."""

    def call(*_: object) -> int:
        ctypes.set_errno(errno.EPERM)
        return -1

    monkeypatch.setattr(module, "process_vm_readv", call)
    monkeypatch.setattr(module, "process_vm_readv_quick", call)


@pytest.fixture(params=["process_vm_readv", "proc_mem", "cached"])
def memory(
    request: pytest.FixtureRequest, program: Running, monkeypatch: pytest.MonkeyPatch
) -> Memory:
    if request.param == "proc_mem":
        refuse(monkeypatch)
    plain = ProcessMemory(program.pid)
    return PageCache(plain) if request.param == "cached" else plain


def test_bytes_are_what_the_program_has(memory: Memory, program: Running) -> None:
    assert memory.read(program.address("text"), 10) == b"Hello, Go!"
    block = program.address("block")
    want = b"".join(bytes([i]) * PAGE for i in range(4))
    assert memory.read(block, 4 * PAGE) == want
    assert memory.read(block + PAGE - 3, 6) == b"\0\0\0\1\1\1"
    assert memory.read(block, 0) == b""


def test_numbers(memory: Memory, program: Running) -> None:
    numbers = program.address("numbers")
    assert u64(memory, numbers) == 0x1122334455667788
    assert u32(memory, numbers) == 0x55667788


def test_a_read_across_a_hole_is_all_or_nothing(memory: Memory, program: Running) -> None:
    block = program.address("block")
    with pytest.raises(UnreadableError):
        memory.read(block, 5 * PAGE)
    with pytest.raises(UnreadableError):
        memory.read(block + 4 * PAGE - 1, 2)
    with pytest.raises(UnreadableError):
        memory.read_into(block + 3 * PAGE, bytearray(PAGE + 1))
    assert read_available(memory, block + PAGE, 1 << 30) == b"".join(
        bytes([i]) * PAGE for i in (1, 2, 3)
    )
    assert read_available(memory, block + 4 * PAGE, 10) == b""
    assert read_available(memory, block, -1) == b""


@pytest.mark.parametrize(
    ("address", "size"),
    [
        (0, 8),
        (-8, 8),
        (1 << 64, 1),
        ((1 << 64) - 4, 8),
        (1 << 63, 8),
        (0xFFFFFFFFFF600000, -1),
        (0x1000, READ_LIMIT + 1),
        (0x1000, 1 << 70),
    ],
)
def test_no_address_hurts(memory: Memory, address: int, size: int) -> None:
    with pytest.raises(UnreadableError):
        memory.read(address, size)
    assert memory.read_many([(address, size)]) == [None]


def test_a_hole_spoils_only_its_own_range(memory: Memory, program: Running) -> None:
    block, text = program.address("block"), program.address("text")
    hole = block + 4 * PAGE
    ranges = [
        (text, 5),
        (hole, 1),
        (block, 2),
        (hole - 1, 2),
        (hole - 1, 1),
        (0, 8),
        (text, 0),
        (-1, 1),
        (1, 1 << 80),
        (block + 5 * PAGE, PAGE),
    ]
    assert memory.read_many(ranges) == [
        b"Hello",
        None,
        b"\0\0",
        None,
        b"\3",
        None,
        b"",
        None,
        None,
        b"\5" * PAGE,
    ]
    assert memory.read_many([]) == []


def test_thousands_of_ranges_in_one_go(memory: Memory, program: Running) -> None:
    block = program.address("block")
    ranges = [(block + i % 16 * PAGE + i % 4000, 1 + i % 90) for i in range(5000)]
    got = memory.read_many(ranges)
    for (address, size), part in zip(ranges, got, strict=True):
        page = (address - block) // PAGE
        if page == 4:
            assert part is None
        else:
            assert part == bytes([page if page < 8 else 0]) * size


def test_big_ranges_are_split(program: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH_BYTES", 3 * PAGE)
    monkeypatch.setattr(module, "_CALL_LIMIT", PAGE)
    block = program.address("block")
    memory = ProcessMemory(program.pid)
    parts = memory.read_many([(block, PAGE), (block, 4 * PAGE), (block + 2 * PAGE, 2 * PAGE)])
    assert [part and len(part) for part in parts] == [PAGE, 4 * PAGE, 2 * PAGE]
    assert parts[1] == b"".join(bytes([i]) * PAGE for i in range(4))


def test_read_into_fills_any_buffer(memory: Memory, program: Running) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.zeros(2 * PAGE, dtype=numpy.uint8)
    memory.read_into(program.address("block") + PAGE, memoryview(array))
    assert set(array[:PAGE]) == {1} and set(array[PAGE:]) == {2}
    words = numpy.zeros(2, dtype=numpy.uint64)
    memory.read_into(program.address("numbers"), memoryview(words))
    assert words[0] == 0x1122334455667788
    buffer = bytearray(b"xxxx")
    memory.read_into(program.address("text"), memoryview(buffer)[1:3])
    assert buffer == b"xHex"


class Counting:
    """A Memory that counts what is asked of another one."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.calls = 0

    def read(self, address: int, size: int) -> bytes:
        self.calls += 1
        return self.memory.read(address, size)

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        self.calls += 1
        return self.memory.read_many(ranges)

    def read_into(self, address: int, buffer: Buffer) -> None:
        self.calls += 1
        self.memory.read_into(address, buffer)


def test_the_cache_reads_a_page_once(program: Running) -> None:
    counting = Counting(ProcessMemory(program.pid))
    cache = PageCache(counting)
    block = program.address("block")
    for i in range(1000):
        cache.read(block + i, 8)
    assert counting.calls == 1
    cache.prefetch([(block + PAGE, 3 * PAGE), (0, 8), (block + 5 * PAGE, 1)])
    assert counting.calls == 2
    assert cache.read(block + 3 * PAGE, PAGE) == b"\3" * PAGE
    assert counting.calls == 2


def test_the_cache_is_bounded(program: Running) -> None:
    counting = Counting(ProcessMemory(program.pid))
    cache = PageCache(counting, limit=2 * PAGE)
    block = program.address("block")
    for _ in range(3):
        for page in range(4):
            assert cache.read(block + page * PAGE, 1) == bytes([page])
    assert counting.calls == 12
    assert len(cache._pages) <= 2
    cache.prefetch([(block, 1 << 60)])
    cache.read_many([(block + page * PAGE, 8) for page in range(8)])
    assert len(cache._pages) <= 2


def test_a_process_that_has_ended_is_gone() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    memory = ProcessMemory(ended.pid)
    with pytest.raises(TargetGoneError):
        memory.read(0x400000, 8)
    with pytest.raises(TargetGoneError):
        memory.read_many([(0x400000, 8), (0x401000, 8)])


def test_a_process_that_ends_while_its_file_is_read_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse(monkeypatch)
    with target("memory") as program:
        memory = ProcessMemory(program.pid)
        assert memory.read(program.address("text"), 5) == b"Hello"
        program.process.kill()
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TargetGoneError):
            memory.read(program.address("text"), 5)
