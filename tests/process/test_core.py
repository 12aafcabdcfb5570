"""Core files of the kernel, of every GDB and of Delve, held against the process they are of."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from goprobe.arch.registers import REGISTERS_SIZE, Registers
from goprobe.errors import UnreadableError, UsageError
from goprobe.process.core.file import CoreFile
from goprobe.process.core.notes import read_notes
from goprobe.process.memory.memory import PageCache, u64
from goprobe.process.proc.maps import find, read_maps
from goprobe.process.ptrace.stop import stopped
from goprobe.toolchain.find import GdbTool
from tests.process.targets import PROGRAMS, come_to_rest
from tests.support.gdb import gdbs
from tests.support.go import Running, build, matrix, running

PAGE = 4096
PATTERN = Path("/proc/sys/kernel/core_pattern")


def assert_is_of(core: CoreFile, program: Running) -> None:
    """Bytes of the heap, of anonymous memory with a hole, and of read-only data in a file."""
    block, numbers = program.address("block"), program.address("numbers")
    assert core.pid == program.pid and not core.doubts
    assert core.read(block, 4 * PAGE) == b"".join(bytes([i]) * PAGE for i in range(4))
    assert u64(PageCache(core), numbers) == 0x1122334455667788
    assert core.read_many([(block + 4 * PAGE - 2, 2), (block + 4 * PAGE - 2, 3), (0, 8)]) == [
        b"\3\3",
        None,
        None,
    ]
    buffer = bytearray(2 * PAGE)
    core.read_into(block + PAGE, buffer)
    assert buffer == b"\1" * PAGE + b"\2" * PAGE
    with pytest.raises(UnreadableError):
        core.read_into(block + 3 * PAGE, buffer)


def assert_code_is_of(core: CoreFile, program: Running, binary: Path) -> None:
    text = program.address("text")
    assert core.read(text, 10) == b"Hello, Go!"
    code = find(core.mappings, next(iter(core.threads.values())).pc)
    assert code and "x" in code.perms and "w" not in code.perms
    offset = code.offset
    assert core.read(code.low, 2 * PAGE) == binary.read_bytes()[offset : offset + 2 * PAGE]


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("mode", ["exe", "pie"])
def test_a_core_of_the_kernel(go: str, mode: str, tmp_path: Path) -> None:
    if not PATTERN.exists() or PATTERN.read_text().startswith(("|", "/")):
        pytest.skip("the kernel gives its cores to another program here")
    binary = build(PROGRAMS / "memory.go", go=go, flags=(f"-buildmode={mode}",))
    old = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (old[1], old[1]))
    try:
        with running(binary, env={"GOTRACEBACK": "crash"}, cwd=tmp_path) as program:
            before = read_maps(program.pid)
            os.kill(program.pid, signal.SIGABRT)
            program.process.wait(60)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, old)
    cores = list(tmp_path.glob("core*"))
    if not cores:
        pytest.skip("the kernel writes no cores here")
    with CoreFile(cores[0], binary) as core:
        assert_is_of(core, program)
        assert_code_is_of(core, program, binary)
        assert core.signal == signal.SIGABRT
        assert core.recorded_executable == str(binary)
        assert len(core.threads) > 2
        named = {m.low: m.path for m in core.mappings if m.path}
        assert (
            named.items()
            >= {m.low: m.path for m in before if m.path in ("[vdso]", str(binary))}.items()
        )
        assert "[stack]" in named.values()
    with CoreFile(cores[0]) as alone:
        assert_is_of(alone, program)
        with pytest.raises(UnreadableError, match="not in the core"):
            alone.read(program.address("text"), 10)
    other = build(PROGRAMS / "brief.go", go=go, flags=(f"-buildmode={mode}",))
    with pytest.raises(UsageError, match="is not the executable that") as caught:
        CoreFile(cores[0], other)
    assert str(binary) in caught.value.hint


@contextmanager
def standing() -> Iterator[tuple[Running, Path, dict[int, Registers]]]:
    """The program, its binary, the registers of its threads."""
    binary = build(PROGRAMS / "memory.go")
    with running(binary) as program:
        come_to_rest(program.pid)
        with stopped(program.pid) as process:
            threads = process.threads
        yield program, binary, threads


def steady(pid: int, before: dict[int, Registers]) -> dict[int, Registers]:
    """Those that sleep where they slept before."""
    with stopped(pid) as process:
        found = {tid: r for tid, r in before.items() if process.threads.get(tid) == r}
    assert found
    return found


@pytest.mark.parametrize("gdb", gdbs(), ids=lambda gdb: f"gdb-{gdb.version}")
def test_a_core_of_gdb(gdb: GdbTool, tmp_path: Path) -> None:
    with standing() as (program, binary, threads):
        path = tmp_path / "core"
        command = [
            *gdb.command,
            "-batch",
            "-nx",
            "-p",
            str(program.pid),
            "-ex",
            f"generate-core-file {path}",
            "-ex",
            "detach",
        ]
        env = {**os.environ, **gdb.environment}
        subprocess.run(command, check=True, capture_output=True, timeout=120, env=env)
        with CoreFile(path, binary) as core:
            assert_is_of(core, program)
            assert_code_is_of(core, program, binary)
            assert core.recorded_executable == str(binary)
            assert set(core.threads) == set(threads)
            for tid, registers in steady(program.pid, threads).items():
                assert (core.threads[tid].rip, core.threads[tid].rsp) == (
                    registers.rip,
                    registers.rsp,
                )
                assert core.threads[tid].fs_base == registers.fs_base


def test_a_core_of_delve(tmp_path: Path) -> None:
    if not (delve := shutil.which("dlv")):
        pytest.skip("no dlv here")
    with standing() as (program, binary, threads):
        path = tmp_path / "core"
        subprocess.run(
            [
                delve,
                "attach",
                str(program.pid),
                "--check-go-version=false",
                "--allow-non-terminal-interactive=true",
            ],
            input=f"dump {path}\nexit\nn\n".encode(),
            capture_output=True,
            timeout=120,
        )
        with CoreFile(path, binary) as core:
            assert_is_of(core, program)
            assert_code_is_of(core, program, binary)
            assert set(core.threads) == set(threads)
            for tid, registers in steady(program.pid, threads).items():
                assert core.threads[tid] == registers


def note(kind: int, text: bytes, name: bytes = b"CORE\0") -> bytes:
    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 4)

    return struct.pack("<III", len(name), len(text), kind) + padded(name) + padded(text)


def thread_note(tid: int, registers: Registers, signal_: int = 0) -> bytes:
    head = bytearray(112)
    struct.pack_into("<h", head, 12, signal_)
    struct.pack_into("<i", head, 32, tid)
    return note(1, bytes(head) + registers.to_bytes() + bytes(8))


def sized(data: bytes) -> bytes:
    return struct.pack("<H", len(data)) + data


def delve_thread(tid: int, registers: Registers) -> bytes:
    """As Delve's pkg/proc/dump.go writes a thread whose registers have its own names."""
    names = {name: getattr(registers, name) for name in Registers.__struct_fields__}
    names["Rflags"] = names.pop("eflags")
    body = b"".join(
        sized(n.capitalize().encode()) + sized(v.to_bytes(8, "little")) for n, v in names.items()
    )
    body += sized(b"XMM0") + sized(bytes(16))
    r = registers
    head = struct.pack("<5QBQI", tid, r.rip, r.rsp, r.rbp, r.fs_base, 1, 77, len(names) + 1)
    return note(0x444C5654, head + body, b"")


PLAIN = Registers.from_bytes(bytes(i % 251 for i in range(REGISTERS_SIZE)))


def test_notes_of_the_kernel() -> None:
    files = struct.pack("<QQ", 2, PAGE)
    files += struct.pack("<6Q", 0x400000, 0x500000, 0, 0x500000, 0x600000, 0x100)
    files += b"/a b\0/c\xff\0"
    info = bytearray(136)
    struct.pack_into("<i", info, 24, 41)
    notes = read_notes(
        thread_note(42, PLAIN, 6)
        + note(3, bytes(info))
        + thread_note(43, PLAIN)
        + note(6, struct.pack("<4Q", 9, 0x401000, 0, 0))
        + note(0x46494C45, files)
        + note(2, b"floating point")
    )
    assert (notes.pid, notes.signal, list(notes.threads)) == (41, 6, [42, 43])
    assert notes.threads[43] == PLAIN and notes.auxv[9] == 0x401000
    assert [(f.low, f.high, f.offset) for f in notes.files] == [
        (0x400000, 0x500000, 0),
        (0x500000, 0x600000, 0x100000),
    ]
    assert [os.fsencode(f.path) for f in notes.files] == [b"/a b", b"/c\xff"]


def test_notes_of_delve() -> None:
    header = b"linux/amd64\nVersion: 1\nTarget Pid: 99\nEntry Point: 0x45f0a0\n"
    notes = read_notes(note(0x444C5645, header, b"Delve Header") + delve_thread(7, PLAIN))
    assert (notes.pid, notes.auxv) == (99, {9: 0x45F0A0})
    assert notes.threads == {7: PLAIN}


def make_core(notes: bytes, loads: list[tuple[int, bytes, int]], kind: int = 4) -> bytes:
    """An ELF core of (address, bytes, size in memory)."""
    count = len(loads) + 1
    at = 64 + 56 * count
    programs = struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(notes), 0, 4)
    data = notes
    for address, text, size in loads:
        programs += struct.pack("<IIQQQQQQ", 1, 6, at + len(data), address, 0, len(text), size, 1)
        data += text
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", kind, 62, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + programs + data


CORE = make_core(
    thread_note(5, PLAIN, 11),
    [(0x10000, b"a" * PAGE, PAGE), (0x11000, b"b" * PAGE, 2 * PAGE), (0x20000, b"", PAGE)],
)


def opened(tmp_path: Path, data: bytes) -> CoreFile:
    path = tmp_path / "made.core"
    path.write_bytes(data)
    return CoreFile(path)


def test_reads_cross_segments_and_stop_at_what_is_not_there(tmp_path: Path) -> None:
    with opened(tmp_path, CORE) as core:
        assert core.read(0x10FFE, 4) == b"aabb"
        assert core.read(0x10000, 0) == b""
        for address, size in ((0x11FFF, 2), (0x20000, 1), (0xFFFF, 2), (-1, 1), (0, 1 << 70)):
            with pytest.raises(UnreadableError):
                core.read(address, size)
        assert [m.low for m in core.mappings] == [0x10000, 0x11000, 0x20000]
        assert (core.pid, core.signal) == (5, 11)


def test_a_core_that_is_cut_off_says_how_much(tmp_path: Path) -> None:
    with opened(tmp_path, CORE[:-100]) as core:
        assert "it is cut off: its last 100 bytes are missing" in "".join(core.doubts)
        assert core.read(0x11000, PAGE - 100) == b"b" * (PAGE - 100)
        with pytest.raises(UnreadableError):
            core.read(0x11000, PAGE)


WHOLE = thread_note(5, PLAIN) + note(6, struct.pack("<4Q", 9, 0x401000, 0, 0))
PAGES = [(0x10000 * (i + 1), bytes([i]) * PAGE, PAGE) for i in range(3)]


def program_header(core: bytes, index: int, field: int, value: int) -> bytes:
    """The core with one number of a program header changed; the first is that of the notes."""
    changed = bytearray(core)
    struct.pack_into("<Q", changed, 64 + 56 * index + field, value)
    return bytes(changed)


def test_a_core_as_it_should_be_is_not_doubted(tmp_path: Path) -> None:
    with opened(tmp_path, make_core(WHOLE, PAGES)) as core:
        assert core.doubts == []


TYPE, OFFSET, ADDRESS, IN_FILE, IN_MEMORY = 0, 8, 16, 32, 40
TWO_PAGES = [(0x10000, bytes(2 * PAGE), 2 * PAGE), *PAGES[1:]]
WITH_FILE = WHOLE + note(
    0x46494C45, struct.pack("<QQ3Q", 1, PAGE, 0x10000, 0x13000, 0) + b"/lib/x\0"
)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (make_core(note(6, struct.pack("<2Q", 9, 1)), PAGES), "it says nothing of any thread"),
        (make_core(thread_note(5, PLAIN), PAGES), "where its program was loaded"),
        (make_core(WHOLE, PAGES[::-1]), "memory at 0x20000 comes twice, or not in order"),
        (make_core(WHOLE, [PAGES[0], PAGES[0]]), "memory at 0x10000 comes twice"),
        (make_core(WHOLE, [(0x10800, bytes(PAGE), PAGE)]), "no memory can be at 0x10800"),
        (make_core(WHOLE, [(0, bytes(PAGE), PAGE)]), "no memory can be at 0x0"),
        (make_core(WHOLE, [(1 << 57, bytes(PAGE), PAGE)]), "no memory can be at 0x2"),
        (make_core(WHOLE, [(0x10000, bytes(PAGE), 0)]), "memory at 0x10000 is of no size"),
        (make_core(WITH_FILE, PAGES), "/lib/x is mapped from 0x10000 to 0x13000, where it has"),
        (program_header(make_core(WHOLE, PAGES), 2, IN_FILE, 0), "belong to no memory"),
        (program_header(make_core(WHOLE, TWO_PAGES), 1, IN_FILE, 1234), "at 0x10000 it has 0x4d2"),
        (program_header(make_core(WHOLE, PAGES), 2, OFFSET, 600), "have the same bytes"),
        (program_header(make_core(WHOLE, PAGES), 1, IN_MEMORY, 0x5F0), "at 0x10000, where it has"),
        (program_header(make_core(WHOLE, PAGES), 1, TYPE, 1), "0x10000 that nobody may use"),
    ],
)
def test_what_a_core_contradicts_itself_in_is_told(tmp_path: Path, data: bytes, said: str) -> None:
    with opened(tmp_path, data) as core:
        assert said in "; ".join(core.doubts)
        assert bool(said) == bool(core.doubts)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"#!/bin/sh\n", "is not an ELF file"),
        (b"\x7fELF\x01\x01" + bytes(60), "is not a 64-bit"),
        (b"\x7fELF\x02\x01", "is not a 64-bit"),
        (CORE[:18] + b"\xb7\0" + CORE[20:], "is not of an x86-64 machine"),
        (make_core(b"", [], kind=2), "is not a core file but an executable"),
        (CORE[:100], "is cut off within its headers"),
        (CORE[:56] + b"\0\0" + CORE[58:], "has no program headers"),
    ],
)
def test_what_is_no_core(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        opened(tmp_path, data)
    assert "\n" not in caught.value.message


def test_no_such_core(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        CoreFile(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    for path, what in (
        (tmp_path, "is a directory"),
        (tmp_path / "pipe", "is not a file with bytes"),
    ):
        with pytest.raises(UsageError, match=what):
            CoreFile(path)


@given(
    st.lists(
        st.tuples(st.integers(0, 700), st.binary(min_size=1, max_size=9)), min_size=1, max_size=6
    )
)
@example([(32, b"\xff" * 8)])
@example([(64 + 56 + 8, b"\xff" * 8)])
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_core_hurts(tmp_path_factory: pytest.TempPathFactory, patches: list[tuple[int, bytes]]) -> None:  # fmt: skip # noqa: E501
    data = bytearray(CORE)
    for at, patch in patches:
        data[at : at + len(patch)] = patch
    path = tmp_path_factory.getbasetemp() / "fuzzed.core"
    path.write_bytes(data)
    for executable in (None, path):
        try:
            core = CoreFile(path, executable)
        except UsageError as error:
            assert "\n" not in error.message
            continue
        with core:
            addresses = [m.low for m in core.mappings] + [0x10000, 0x10FFF, 0, (1 << 64) - 8]
            core.read_many([(a, 16) for a in addresses])
            assert list(core.mappings) == sorted(core.mappings, key=lambda m: m.low)
