"""Machine code read without being run, in small pieces written by hand and in a real binary."""

from __future__ import annotations

import pytest

from goprobe.arch.machinecode import (
    addresses_taken,
    calls_to,
    decode,
    known_at,
    references,
    static_operands,
)
from goprobe.arch.machinefacts import Constant, Known, StackAddress
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.image import Image
from goprobe.binary.pcln.find import open_line_table
from tests.support.go import build

BASE = 0x401000


def known_after(code: str) -> Known:
    """What is known when all of these instructions have run."""
    raw = bytes.fromhex(code.replace(" ", ""))
    return known_at(raw + b"\x90", BASE, {BASE + len(raw)})[BASE + len(raw)]


def test_constants_and_addresses() -> None:
    known = known_after(
        "b807000000"  # mov eax, 7
        "31db"  # xor ebx, ebx
        "488d0d00010000"  # lea rcx, [rip+0x100]
        "488d7c2418"  # lea rdi, [rsp+0x18]
        "4889fe"  # mov rsi, rdi
        "4989c0"  # mov r8, rax
    )
    assert known["rax"] == known["r8"] == Constant(7)
    assert known["rbx"] == Constant(0)
    assert known["rcx"] == Constant(BASE + 14 + 0x100, address=True)
    assert known["rdi"] == known["rsi"] == StackAddress(0x18)


def test_what_is_written_over_is_forgotten() -> None:
    assert "rax" not in known_after("b807000000 4803442408")  # add rax, [rsp+8]
    assert "rax" not in known_after("b807000000 b001")  # mov al, 1
    assert "rax" not in known_after("b807000000 488b00")  # mov rax, [rax]
    assert "rax" not in known_after("b807000000 48f7e1")  # mul rcx
    assert "rcx" not in known_after("b907000000 4891 4887c8")  # xchg
    assert known_after("b807000000 4885c0")["rax"] == Constant(7)  # test rax, rax


def test_a_call_forgets_everything() -> None:
    assert known_after("b807000000 488d5c2410 e800000000") == {}


def test_a_branch_target_forgets_everything() -> None:
    # 1000: mov eax, 7; 1005: jne 100c; 1007: mov eax, 8; 100c: nop
    raw = bytes.fromhex("b8070000007505b80800000090")
    assert known_at(raw, BASE, {BASE + 7, BASE + 12}) == {
        BASE + 7: {"rax": Constant(7)},
        BASE + 12: {},
    }


def test_the_stack_pointer_takes_stack_addresses_with_it() -> None:
    assert known_after("488d442410 4883ec08") == {}  # sub rsp, 8
    assert known_after("488d442410 50") == {}  # push rax


def test_addresses_that_code_takes() -> None:
    raw = bytes.fromhex(
        "488d442420"  # lea rax, [rsp+0x20]
        "48894c2408"  # mov [rsp+8], rcx
        "488b1500020000"  # mov rdx, [rip+0x200]
        "e800000000"  # call
    )
    first, second, third = references(raw, BASE)
    assert (first.register, first.what, first.after) == ("rax", StackAddress(0x20), BASE + 5)
    assert (second.register, second.what) == ("", StackAddress(8))
    assert (third.register, third.what) == ("", Constant(BASE + 17 + 0x200, address=True))


def test_bytes_that_are_no_code_end_it() -> None:
    assert list(decode(b"\x06\x06\x06", BASE)) == []
    assert known_at(b"\x06" * 16, BASE, {BASE}) == {}


def test_the_calls_of_a_binary_are_those_that_disassembling_it_all_finds() -> None:
    elf = ElfFile(build("package main\n\nvar p *int\n\nfunc main() { p = new(int) }\n"))
    table = open_line_table(elf)
    targets = {
        f.entry for f in table.functions() if f.name in ("runtime.mallocgc", "runtime.throw")
    }
    little = list(elf.code())
    much = [(code + bytes(4 << 20), address) for code, address in little]
    found = {c.pc: c.target for c in calls_to(little, targets) if not c.jump}
    assert calls_to(little, targets) == calls_to(much, targets)
    wanted = {}
    for function in table.functions():
        code = elf.read(function.entry, function.end - function.entry)
        for instruction in decode(code, function.entry):
            if instruction.len == 5 and code[instruction.ip - function.entry] == 0xE8:
                target = instruction.near_branch_target
                if target in targets:
                    wanted[instruction.ip] = target
    assert len(wanted) > 20
    assert {pc: t for pc, t in found.items() if pc in wanted} == wanted


def test_addresses_are_taken_of_what_is_wanted() -> None:
    code = bytes.fromhex("90 488d0500010000 4c8d3d00020000 488b0500010000 488d05000000")
    first, second = BASE + 8 + 0x100, BASE + 15 + 0x200
    taken = [(BASE + 1, first), (BASE + 8, second)]
    assert list(addresses_taken([(code, BASE)], {first, second})) == taken
    assert list(addresses_taken([(code, BASE)], {second})) == taken[1:]


PRINTS = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println(1) }\n'


def test_addresses_taken_in_a_real_binary_are_those_of_the_columns() -> None:
    elf = ElfFile(build(PRINTS))
    entries = {function.entry for function in open_line_table(elf).functions()}
    operands = static_operands(elf.code(), [(min(entries), max(entries) + 1)])
    rows = zip(operands.pc.tolist(), operands.target.tolist(), operands.taken, strict=True)
    expected = sorted((pc, target) for pc, target, taken in rows if taken and target in entries)
    assert expected
    assert sorted(addresses_taken(elf.code(), entries)) == expected


@pytest.mark.parametrize("mode", ["exe", "pie"])
def test_pointers_in_data_are_those_that_the_loader_leaves(mode: str) -> None:
    elf = ElfFile(build(PRINTS, flags=[f"-buildmode={mode}"]))
    image = Image(elf)
    entries = {function.entry for function in open_line_table(elf).functions()}
    pointers = image.pointers_among(entries)
    assert pointers
    for at, target in pointers[:100]:
        assert at % 8 == 0
        assert image.pointer(at) == target
    for target in sorted({target for _, target in pointers})[:20]:
        known = {at for at, each in pointers if each == target}
        assert known >= set(image.pointers_to(target))
