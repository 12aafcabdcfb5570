"""The calling convention against the compiler: its debug information at function entry for some
hundred random signatures, and the registers of real calls as GDB reads them."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Generator
from pathlib import Path

import pytest

from goprobe.arch.abi import (
    POINTER,
    SLICE,
    STRING,
    AbiField,
    AbiType,
    RegisterPiece,
    array_of,
    assign,
    scalar,
)
from goprobe.arch.registers import FLOAT_ARGUMENTS, INTEGER_ARGUMENTS
from goprobe.binary.dwarf.abitypes import abi_type
from goprobe.binary.dwarf.forms import uleb
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.elf.elf import ElfFile
from goprobe.process.memory.memory import ProcessMemory
from tests.support.gdbsession import GdbSession, gdb_at
from tests.support.go import build, matrix

RELEASES = pytest.mark.parametrize("go", matrix())
INT, BYTE, FLOAT = scalar("int", 8), scalar("int", 1), scalar("float", 8)
_DWARF_NAMES = (
    *("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{i}" for i in range(8, 16)),
    "rip",
    *(f"xmm{i}" for i in range(16)),
)


def struct_of(*types: AbiType) -> AbiType:
    """A struct of these fields, laid out as Go does."""
    fields, at = [], 0
    for type_ in types:
        at = up(at, type_.align)
        fields.append(AbiField(at, type_))
        at += type_.size
    align = max((t.align for t in types), default=1)
    if types and at and not types[-1].size:
        at += 1  # so that the address of an empty last field is not past the end
    return AbiType("struct", up(at, align), align, tuple(fields))


def up(at: int, align: int) -> int:
    return -(-at // align) * align


def test_the_example_of_the_specification() -> None:
    found = assign([BYTE, array_of(INT, 2), BYTE], [struct_of(INT, array_of(INT, 2)), STRING])
    assert found.parameters[0].pieces == (RegisterPiece(0, 1, "rax"),)
    assert found.parameters[2].pieces == (RegisterPiece(0, 1, "rbx"),)
    assert [p.stack for p in found.parameters] == [40, 0, 41]
    assert found.results[0].on_stack and found.results[0].stack == 16
    assert found.results[1].pieces == (RegisterPiece(0, 8, "rax"), RegisterPiece(8, 8, "rbx"))
    assert (found.spill, found.end) == (40, 48)


def test_a_value_that_does_not_fit_leaves_its_registers_to_the_next() -> None:
    found = assign([INT] * 8 + [STRING, INT, FLOAT, INT])
    assert found.parameters[8].on_stack and found.parameters[8].stack == 0
    assert found.parameters[9].pieces == (RegisterPiece(0, 8, "r11"),)
    assert found.parameters[10].pieces == (RegisterPiece(0, 8, "xmm0"),)
    assert found.parameters[11].stack == 16


def test_arrays_and_empty_values() -> None:
    empty = struct_of()
    found = assign([array_of(INT, 1), array_of(INT, 0), empty, struct_of(BYTE, empty), SLICE])
    one, none, nothing, padded, slice_ = found.parameters
    assert one.pieces == (RegisterPiece(0, 8, "rax"),)
    assert none.on_stack and nothing.on_stack
    assert padded.pieces == (RegisterPiece(0, 1, "rbx"),)
    assert [p.register for p in slice_.pieces] == ["rcx", "rdi", "rsi"]
    assert assign([struct_of(INT, array_of(INT, 2))]).parameters[0].on_stack
    assert assign([struct_of(INT, array_of(empty, 2))]).parameters[0].on_stack


def test_assembly_has_all_on_the_stack() -> None:
    found = assign([BYTE, INT, STRING], [BYTE], registers=False)
    assert [p.stack for p in found.parameters] == [0, 8, 16]
    assert found.results[0].stack == 32 and not found.results[0].pieces


# -- random signatures against the debug information -------------------------------------------

_SCALARS = ["int", "uint8", "int16", "int32", "uint64", "bool", "float32", "float64", "complex64",
            "complex128", "string", "[]int", "error", "any", "*int", "map[string]int", "chan int",
            "func()", "uintptr", "unsafe.Pointer"]  # fmt: skip


def random_type(rng: random.Random, depth: int = 0) -> str:
    pick = rng.random()
    if depth < 3 and pick < 0.2:
        names = "".join(f"F{i} {random_type(rng, depth + 1)}; " for i in range(rng.randrange(5)))
        return f"struct{{ {names}}}"
    if depth < 3 and pick < 0.3:
        return f"[{rng.choice([0, 1, 1, 2, 3])}]{random_type(rng, depth + 1)}"
    return rng.choice(_SCALARS)


def random_program(seed: int, count: int) -> str:
    rng = random.Random(seed)
    out = ['package main\n\nimport "unsafe"\n\nvar _ unsafe.Pointer\n\ntype T int\n']
    calls = []
    for number in range(count):
        params = [random_type(rng) for _ in range(rng.randrange(9))]
        results = [random_type(rng) for _ in range(rng.randrange(4))]
        receiver = "(T T) " if number % 5 == 0 else ""
        ins = ", ".join(f"p{i} {t}" for i, t in enumerate(params))
        outs = ", ".join(f"r{i} {t}" for i, t in enumerate(results))
        uses = "".join(f"\tk{number}_{i} = p{i}\n" for i in range(len(params)))
        out += [f"var k{number}_{i} {t}" for i, t in enumerate(params)]
        head = f"//go:noinline\nfunc {receiver}F{number}({ins}) ({outs})"
        out.append(f"{head} {{\n{uses}\treturn\n}}\n")
        zero = "".join(f"\tvar a{i} {t}\n" for i, t in enumerate(params))
        arguments = ", ".join(f"a{i}" for i in range(len(params)))
        target = f"T(1).F{number}" if receiver else f"F{number}"
        calls.append(f"func c{number}() {{\n{zero}\t{target}({arguments})\n}}\n")
    body = "".join(f"\tc{n}()\n" for n in range(count))
    return "\n".join([*out, *calls, f"func main() {{\n{body}}}\n"])


def decoded(expression: bytes) -> list[tuple[str, int]] | int | None:
    """(register, size) pieces; or an offset from the CFA; None for what is neither."""
    pieces: list[tuple[str, int]] = []
    at, register = 0, ""
    while at < len(expression):
        op = expression[at]
        at += 1
        if 0x50 <= op <= 0x6F:
            register = _DWARF_NAMES[op - 0x50]
        elif op == 0x90:
            number, at = uleb(expression, at)
            register = _DWARF_NAMES[number]
        elif op == 0x93:
            size, at = uleb(expression, at)
            pieces.append((register, size))
            register = ""
        elif op == 0x9C:
            return 0
        elif op == 0x91:
            value, at = uleb(expression, at)
            width = 7 * (at - 1)
            return value - (1 << width) if value >> (width - 1) & 1 else value
        else:
            return None
    return pieces or [(register, 0)]


@RELEASES
def test_random_signatures_are_assigned_as_the_compiler_does(go: str) -> None:
    elf = ElfFile(build(random_program(7, 160), go=go))
    debug = DebugInfo(elf)
    compared = on_stack = split = 0
    for name, entry in debug.functions.items():
        if not re.fullmatch(r"main\.(T\.)?F\d+", name):
            continue
        named = debug.parameters(entry)
        ins = [p for p in named if not p.result]
        outs = [p for p in named if p.result]
        types = {p.name: abi_type(debug.types, debug.types.at(p.type)) for p in named}
        found = assign([types[p.name] for p in ins], [types[p.name] for p in outs])
        for parameter, assigned in zip(ins, found.parameters, strict=True):
            there = [e for e in parameter.locations if e.low <= entry.low < e.high]
            if not there or not types[parameter.name].size:
                continue
            wanted = decoded(there[0].expression)
            if wanted is None:
                continue
            if isinstance(wanted, int):
                assert assigned.on_stack, (name, parameter.name)
                assert assigned.stack == wanted, (name, parameter.name)
                on_stack += 1
            else:
                size = types[parameter.name].size
                ours = [(p.register, p.size) for p in assigned.pieces]
                theirs = [(r, s) for r, s in wanted if r]
                if not theirs[0][1]:  # the whole value is in one register, padding left out
                    assert len(ours) == 1 and ours[0][1] <= size
                    theirs = [(theirs[0][0], ours[0][1])]
                assert ours == theirs, (name, parameter.name)
                split += len(ours) > 1
            compared += 1
    assert compared > 400 and on_stack > 60 and split > 60


@RELEASES
def test_sizes_and_alignments_are_those_of_the_compiler(go: str) -> None:
    path = build(random_program(7, 160), go=go)
    debug = DebugInfo(ElfFile(path))
    seen = 0
    for name, offset in debug.index.types.items():
        if name.startswith("struct {") or re.match(r"\[\d", name):
            ours = abi_type(debug.types, debug.types.at(offset))
            assert rebuilt(ours).size == debug.types.at(offset).size, name
            seen += 1
    assert seen > 50


def rebuilt(type_: AbiType) -> AbiType:
    """The same type laid out anew by our own rules."""
    if type_.kind == "struct":
        return struct_of(*(rebuilt(f.type) for f in type_.fields))
    if type_.kind == "array" and type_.element:
        return array_of(rebuilt(type_.element), type_.count)
    return type_


# -- real calls ----------------------------------------------------------------------------------

CALLS = """package main

type pair struct {
	a int32
	b float32
	s string
}

type odd struct {
	one [1]uint16
	two [2]uint16
}

type number float64

//go:noinline
func ints(a int8, b int16, c int32, d int64, e uint8, f uint16, g uint32, h uint64, i, j int) int {
	return int(a) + int(b) + int(c) + int(d) + int(e) + int(f) + int(g) + int(h) + i + j
}

//go:noinline
func mixed(p pair, c complex64, f float64, o odd, t bool) (complex64, pair, [2]int32) {
	return c, p, [2]int32{int32(f), int32(o.two[1])}
}

//go:noinline
func (n number) method(s []byte, z struct{}, m *pair) (number, int) { return n + 1, len(s) }

func main() {
	ints(-1, -2, -3, -4, 5, 6, 7, 8, 9, 10)
	p := pair{11, 12.5, "thirteen"}
	mixed(p, complex(14.5, -15), 16.25, odd{[1]uint16{17}, [2]uint16{18, 19}}, true)
	number(20.5).method([]byte("twenty-one"), struct{}{}, &p)
}
"""
PAIR = struct_of(scalar("int", 4), scalar("float", 4), STRING)
ODD = struct_of(array_of(scalar("int", 2), 1), array_of(scalar("int", 2), 2))


class Call:
    """A call at its entry, or just returned: values are read where the convention says."""

    def __init__(self, gdb: GdbSession, pid: int, cfa: int) -> None:
        self._memory = ProcessMemory(pid)
        self._cfa = cfa
        said = gdb("info registers " + " ".join(INTEGER_ARGUMENTS))
        self._registers = {
            name: int(value, 16).to_bytes(8, "little")
            for name, value in re.findall(r"^(\w+)\s+(0x[0-9a-f]+)", said, re.MULTILINE)
        }
        for name in FLOAT_ARGUMENTS[:6]:
            value = int(gdb(f"output (long)${name}.v2_int64[0]"))
            self._registers[name] = (value & (1 << 64) - 1).to_bytes(8, "little")

    def value(self, pieces: tuple[RegisterPiece, ...], stack: int, size: int) -> bytes:
        if not pieces:
            return self._memory.read(self._cfa + stack, size)
        data = bytearray(size)
        for piece in pieces:
            raw = self._registers[piece.register][: piece.size]
            data[piece.offset : piece.offset + piece.size] = raw
        return bytes(data)


def calls(path: Path, function: str) -> Generator[tuple[GdbSession, Call]]:
    """The call at its entry, then at its return."""
    with gdb_at(path, "set language c", f"tbreak *'{function}'", "run") as gdb:
        match = re.search(r"process (\d+)", gdb("info inferiors"))
        assert match
        entry = gdb.registers().sp
        yield gdb, Call(gdb, int(match[1]), entry + 8)
        back = int.from_bytes(ProcessMemory(int(match[1])).read(entry, 8), "little")
        gdb(f"tbreak *{back:#x}")
        gdb("continue")
        assert gdb.registers().sp == entry + 8
        yield gdb, Call(gdb, int(match[1]), entry + 8)


@RELEASES
def test_real_calls_carry_their_values_there(go: str) -> None:
    path = build(CALLS, go=go)
    sizes = [1, 2, 4, 8, 1, 2, 4, 8, 8, 8]
    signature = assign([scalar("int", size) for size in sizes], [INT])
    stops = calls(path, "main.ints")
    (_, entry), (_, back) = next(stops), next(stops)
    numbers = [-1, -2, -3, -4, 5, 6, 7, 8, 9, 10]
    for size, number, a in zip(sizes, numbers, signature.parameters, strict=True):
        raw = entry.value(a.pieces, a.stack, size)
        assert int.from_bytes(raw, "little", signed=True) == number
    assert signature.parameters[9].on_stack
    (result,) = signature.results
    assert int.from_bytes(back.value(result.pieces, result.stack, 8), "little") == 35
    stops.close()


@RELEASES
def test_real_calls_of_composite_values(go: str) -> None:
    path = build(CALLS, go=go)
    types = [PAIR, scalar("complex", 8), FLOAT, ODD, BYTE]
    outs = [scalar("complex", 8), PAIR, array_of(scalar("int", 4), 2)]
    signature = assign(types, outs)
    stops = calls(path, "main.mixed")
    gdb, entry = next(stops)
    raw = [
        entry.value(a.pieces, a.stack, t.size)
        for a, t in zip(signature.parameters, types, strict=True)
    ]
    assert struct.unpack_from("<if", raw[0]) == (11, 12.5)
    text = struct.unpack_from("<QQ", raw[0], 8)
    assert gdb(f"output *(char(*)[8]){text[0]:#x}") == '"thirteen"' and text[1] == 8
    assert struct.unpack("<ff", raw[1]) == (14.5, -15)
    assert struct.unpack("<d", raw[2]) == (16.25,)
    assert struct.unpack("<3H", raw[3]) == (17, 18, 19)
    assert raw[4] == b"\x01"
    _, back = next(stops)
    done = [
        back.value(a.pieces, a.stack, t.size) for a, t in zip(signature.results, outs, strict=True)
    ]
    assert struct.unpack("<ff", done[0]) == (14.5, -15)
    assert done[1] == raw[0]
    assert struct.unpack("<ii", done[2]) == (16, 19)
    stops.close()


@RELEASES
def test_real_calls_of_methods(go: str) -> None:
    path = build(CALLS, go=go)
    types = [FLOAT, SLICE, struct_of(), POINTER]
    signature = assign(types, [FLOAT, INT])
    stops = calls(path, "main.number.method")
    (_, entry), (_, back) = next(stops), next(stops)
    receiver, slice_, _, _ = signature.parameters
    assert struct.unpack("<d", entry.value(receiver.pieces, receiver.stack, 8)) == (20.5,)
    _, length, capacity = struct.unpack("<3Q", entry.value(slice_.pieces, slice_.stack, 24))
    assert length == 10 <= capacity
    number, count = signature.results
    assert struct.unpack("<d", back.value(number.pieces, number.stack, 8)) == (21.5,)
    assert int.from_bytes(back.value(count.pieces, count.stack, 8), "little") == 10
    stops.close()
