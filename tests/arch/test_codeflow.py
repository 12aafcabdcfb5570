"""What machine code says of the places of values: in small pieces written by hand."""

from __future__ import annotations

from goprobe.arch.code import (
    ENTRY,
    LOST,
    CodeFlow,
    Defers,
    Definition,
    Definitions,
    FrameSlot,
    FrameWrites,
    LineStretch,
    ways_in,
)
from goprobe.arch.codestarts import CodeStarts, Weight
from goprobe.arch.instructions import stored_range

BASE = 0x401000
DEPTH = 0x40  # from the stack pointer up to the CFA, all through these pieces
DUFF, BARRIER, OTHER, NEVER = 0x400000, 0x400100, 0x400200, 0x400300


def flow(*parts: str) -> CodeFlow:
    code = bytes.fromhex("".join(parts).replace(" ", ""))
    changes = {DUFF: frozenset({"rdi"}), BARRIER: frozenset({"r11"})}
    defers = Defers(0, lambda _: "")
    return CodeFlow(code, BASE, lambda _: DEPTH, lambda at: at != NEVER, changes.get, defers)


def call(at: int, target: int) -> str:
    """A call that stands `at` bytes from the beginning."""
    return "e8" + (target - (BASE + at + 5)).to_bytes(4, "little", signed=True).hex()


def made(code: CodeFlow, holder: str | FrameSlot, at: int) -> set[tuple[int, tuple[int, ...]]]:
    """(pc, copies) from the beginning of the code, of what is there `at` bytes from it."""
    found = Definitions(code).of(holder, BASE + at)
    assert found is not None
    return {(d.pc - BASE if d.pc >= 0 else d.pc, tuple(c - BASE for c in d.copies)) for d in found}


def slot(displacement: int, size: int = 8) -> FrameSlot:
    """A place that the code names by its distance from the stack pointer."""
    return FrameSlot(displacement - DEPTH, size)


MOV_RAX_7 = "48c7c007000000"  # 7 bytes
SAVE_RAX = "4889442418"  # mov [rsp+18h], rax: 5 bytes
LOAD_RBX = "488b5c2418"  # mov rbx, [rsp+18h]: 5 bytes
NOP = "90"


def test_a_value_is_followed_through_the_frame() -> None:
    code = flow(MOV_RAX_7, SAVE_RAX, LOAD_RBX, NOP)
    assert made(code, "rbx", 17) == {(0, (12, 7))}
    assert made(code, slot(0x18), 12) == {(0, (7,))}
    assert made(code, "rcx", 17) == {(-1, ())}


def test_both_ways_of_a_branch_reach() -> None:
    # test al, al; je +7; mov rax, 7; nop
    code = flow("84c0", "7407", MOV_RAX_7, NOP)
    assert made(code, "rax", 11) == {(-1, ()), (4, ())}


def test_a_call_changes_registers_a_write_barrier_does_not() -> None:
    assert made(flow(MOV_RAX_7, call(7, OTHER), NOP), "rax", 12) == {(7, ())}
    assert made(flow(MOV_RAX_7, call(7, BARRIER), NOP), "rax", 12) == {(0, ())}
    assert made(flow(MOV_RAX_7, SAVE_RAX, call(12, OTHER), NOP), slot(0x18), 17) == {(0, (7,))}


def test_what_a_function_that_begins_again_does_not_load_is_lost() -> None:
    # jbe grow; nop; ret; grow: mov [rsp+18h], rax; call; mov rax, [rsp+18h]; jmp beginning
    code = flow("7602", NOP, "c3", SAVE_RAX, call(9, OTHER), "488b442418", "ebeb")
    assert code.restored == frozenset({"rax"})
    assert code.resumed == {BASE + 14}
    assert made(code, "rax", 2) == {(-1, ())}
    assert made(code, "rbx", 2) == {(-1, ()), (LOST, ())}


def test_a_function_without_a_stack_check_begins_once() -> None:
    code = flow(NOP, "c3")
    assert code.restored is None
    assert code.resumed == frozenset()
    assert Definitions(code).of("rbx", BASE + 1) == frozenset((Definition(-1, (), "rbx"),))


def test_over_a_jump_table_nothing_is_said() -> None:
    code = flow("ffe0", NOP, NOP)  # jmp rax
    assert Definitions(code).of("rcx", BASE + 3) is None
    assert FrameWrites(code, lambda _: (0, 0)).last(slot(0), BASE + 3) is None


def test_padding_is_no_way_in() -> None:
    """test al, al; je +5; jmp +3; nopl (%rax); nop: nothing comes by the fourth of them. A mark of
    one byte may be where a jump table leads."""
    code = flow("84c0", "7405", "eb03", "0f1f00", NOP, NOP)
    assert made(code, "rcx", 10) == {(-1, ())}
    assert Definitions(flow("ffe0", NOP, MOV_RAX_7)).of("rcx", BASE + 3) is None
    assert Definitions(flow("ffe0", "0f1f00", NOP, NOP)).of("rcx", BASE + 6) is None


# What wrote a place of the frame last


def last(code: CodeFlow, place: FrameSlot, at: int) -> set[int]:
    found = FrameWrites(code, _fills).last(place, BASE + at)
    assert found is not None
    return {pc - BASE if pc != ENTRY else ENTRY for pc in found}


def _fills(target: int) -> tuple[int, int]:
    """Entered behind its first two stores it leaves 32 bytes out."""
    return {DUFF: (0, 64), DUFF + 8: (32, 32)}.get(target, (0, 0))


ZERO_10 = "440f117c2410"  # movups [rsp+10h], xmm15: 6 bytes
ZERO_20 = "440f117c2420"


def test_each_word_has_its_last_write() -> None:
    code = flow(ZERO_10, ZERO_20, SAVE_RAX, NOP)
    assert last(code, slot(0x10, 32), 17) == {0, 6, 12}
    assert last(code, slot(0x18), 17) == {12}
    assert last(code, slot(0x10), 17) == {0}
    assert last(code, slot(0x30), 17) == {ENTRY}


def test_writes_through_an_address_taken_just_before() -> None:
    lea_rdi = "488d7c2410"  # lea rdi, [rsp+10h]
    assert last(flow(lea_rdi, call(5, DUFF), NOP), slot(0x10, 64), 10) == {5}
    assert last(flow(lea_rdi, call(5, DUFF), NOP), slot(0x48, 16), 10) == {5, ENTRY}
    store = "440f117f08"  # movups [rdi+8], xmm15
    assert last(flow(lea_rdi, store, NOP), slot(0x18, 16), 10) == {5}
    assert last(flow(lea_rdi, call(5, OTHER), NOP), slot(0x10), 10) == {ENTRY}
    assert last(flow(lea_rdi, call(5, DUFF + 8), NOP), slot(0x10, 32), 10) == {ENTRY}
    assert last(flow(lea_rdi, call(5, DUFF + 8), NOP), slot(0x30, 32), 10) == {5}


def test_which_bytes_a_duffs_device_writes() -> None:
    stores = "440f113f", "440f117f10", "440f117f20", "440f117f30"  # movups [rdi+…], xmm15
    device = bytes.fromhex("".join(stores) + "488d7f40" + "".join(stores) + "c3")
    assert stored_range(device, DUFF) == (0, 128)
    assert stored_range(device[9:], DUFF + 9) == (32, 96)
    assert stored_range(b"\xc3", DUFF) == (0, 0)
    # movups xmm0, [rsi]; add rsi, 10h; movups [rdi], xmm0; add rdi, 10h; twice
    copier = bytes.fromhex("0f10064883c6100f11074883c710" * 2)
    assert stored_range(copier, DUFF) == (0, 32)


def test_a_loop_through_an_address_fills_up_to_the_next_one_taken() -> None:
    # lea rdi, [rsp+10h]; lea rax, [rsp+30h]; again: movups [rdi], xmm15; add rdi, 10h;
    # cmp rdi, rax; jne again; nop
    code = flow("488d7c2410", "488d442430", "440f113f", "4883c710", "4839c7", "75f3", NOP)
    assert last(code, slot(0x10, 32), 23) == {10}
    assert last(code, slot(0x30), 23) == {ENTRY}


def test_an_instruction_that_only_moves_a_value() -> None:
    code = flow(MOV_RAX_7, SAVE_RAX, LOAD_RBX, "4889c3", "488b18")  # mov rbx, rax; mov rbx, [rax]
    moves = [code.is_reload(ins) for ins in code.instructions.values()]
    assert moves == [False, True, True, True, False]


# Where to stop for a line


def ways(code: str, *stretches: LineStretch) -> list[int]:
    raw = bytes.fromhex(code.replace(" ", ""))
    return [at - BASE for at in ways_in(raw, BASE, stretches, lambda _: True).addresses]


def optimised_ways(
    parts: list[str], *stretches: LineStretch, inlined: tuple[int, int] = (0, 0), sure: bool = True
) -> list[int]:
    raw = bytes.fromhex("".join(parts).replace(" ", ""))
    low, high = inlined
    found = ways_in(
        raw, BASE, stretches, lambda _: True, [(BASE + low, BASE + high)], optimised=True
    )
    assert found.sure is sure
    return [at - BASE for at in found.addresses]


def stretch(low: int, high: int, *statements: int) -> LineStretch:
    return LineStretch(BASE + low, BASE + high, tuple(BASE + at for at in statements))


def test_behind_a_jump_stands_code_of_another_way() -> None:
    # test; jne 6; nop; jmp 8; xor eax, eax; ret: the line has [4, 8), its statement is at 4
    code = "84c0 7503 90 eb02 31c0 c3"
    assert ways(code, stretch(4, 9, 4)) == [4]


def test_a_jump_into_the_line_is_no_pass_of_its_own() -> None:
    # test; jne 10; mov [rsp+18h], rax; nop; ret; jmp 4: the line has the nop, and the jump
    code = "84c0 7507 4889442418 90 c3 ebf7"
    assert ways(code, stretch(9, 10, 9), stretch(11, 13, 11)) == [9]


def test_ways_of_which_one_only_jumps_into_the_statement() -> None:
    # jmp 4; mov rax, rdx; mov [rsp+18h], rax; ret; jmp 2: the statement is at 5, and both ways lead
    # there: over the line's own jump at 0, and from 11
    code = "eb03 4889d0 4889442418 c3 ebf5"
    assert ways(code, stretch(0, 10, 5)) == [5]


MOV_EAX_3 = "b803000000"


def test_a_move_before_the_branch_that_decides_is_no_way_in() -> None:
    # mov [rsp+18h], rax; test; je 15; call; ret; mov rbx, [rsp+18h]; ret: the line has the move,
    # which is marked, and the call
    code = [SAVE_RAX, "84c0", "7406", call(9, OTHER), "c3", LOAD_RBX, "c3"]
    assert optimised_ways(code, stretch(0, 5, 0), stretch(9, 14, 9)) == [9]


def test_a_line_begins_behind_the_call_of_the_line_above() -> None:
    # mov eax, 3; call; call: the line has the move, which is marked, and the second call
    code = [MOV_EAX_3, call(5, OTHER), call(10, OTHER), "c3"]
    assert optimised_ways(code, stretch(0, 5, 0), stretch(10, 15)) == [10]


def test_what_another_line_only_moves_does_not_leave_the_line() -> None:
    # xor eax, eax; jmp 7; mov rax, rcx; mov [rsp+18h], rax; mov eax, 3; call; mov rcx, [rsp+18h];
    # cmp rcx, 2; jl 4; ret: the line has [0, 4) and [12, 22)
    code = [
        "31c0",
        "eb03",
        "4889c8",
        SAVE_RAX,
        MOV_EAX_3,
        call(17, OTHER),
        "488b4c2418",
        "4883f902",
        "7ce3",
        "c3",
    ]
    assert optimised_ways(code, stretch(0, 4, 0), stretch(12, 22, 12)) == [12]


def test_each_round_of_an_endless_loop_is_a_pass() -> None:
    # xor eax, eax; jmp 4; mov eax, 3; call; jmp 4: all but the last are the line's
    code = ["31c0", "eb00", MOV_EAX_3, call(9, OTHER), "ebf4"]
    assert optimised_ways(code, stretch(0, 14, 0)) == [4]


def test_what_is_inlined_at_a_line_is_its_work() -> None:
    # nop; call; call; ret: the first call is inlined at the line of the nop
    code = [NOP, call(1, OTHER), call(6, OTHER), "c3"]
    assert optimised_ways(code, stretch(0, 1), inlined=(1, 6)) == [0]


def test_a_line_without_work_begins_at_its_mark() -> None:
    # call; mov rbx, [rsp+18h]; mov eax, 3; call; ret: the line has the two moves
    code = [call(0, OTHER), LOAD_RBX, MOV_EAX_3, call(15, OTHER), "c3"]
    assert optimised_ways(code, stretch(5, 15, 5), sure=False) == [5]


# Where code shows that it runs


def starts(parts: list[str], low: int, high: int) -> tuple[Weight, list[int]]:
    raw = bytes.fromhex("".join(parts).replace(" ", ""))
    weight, found = CodeStarts(raw, BASE).of(BASE + low, BASE + high)
    return weight, [at - BASE for at in found]


def test_where_code_acts_it_shows_that_it_runs() -> None:
    # mov [rsp+18h], rax; test; je 20; mov eax, 3; call; ret; mov rbx, [rsp+18h]; inc rbx; ret
    code = [SAVE_RAX, "84c0", "740b", MOV_EAX_3, call(14, OTHER), "c3", LOAD_RBX, "48ffc3", "c3"]
    assert starts(code, 9, 19) == (Weight.ACTS, [9])
    assert starts(code, 0, 5) == (Weight.MOVES, [0])
    assert starts(code, 20, 28) == (Weight.RECKONS, [25])
    # Where the branch has another line, what is compared shows it all the same.
    assert starts(code, 0, 7) == (Weight.ACTS, [0])
    assert starts(code, 5, 7) == (Weight.ACTS, [5])


def test_each_way_into_acting_code_is_a_start() -> None:
    # test; je 14; mov eax, 3; call; mov eax, 3; call; ret: a jump leads between the two
    code = ["84c0", "740a", MOV_EAX_3, call(9, OTHER), MOV_EAX_3, call(19, OTHER), "c3"]
    assert starts(code, 4, 24) == (Weight.ACTS, [4, 14])


def test_a_place_of_the_frame_that_nothing_loads_is_written_for_good() -> None:
    # mov [rsp+18h], rax; call; mov rbx, [rsp+18h]
    assert starts([SAVE_RAX, call(5, OTHER), LOAD_RBX], 0, 5) == (Weight.MOVES, [0])
    assert starts([SAVE_RAX, call(5, OTHER)], 0, 5) == (Weight.ACTS, [0])
    # mov [rsp+18h], rax; lea rax, [rsp+18h]; mov rbx, [rsp+18h]: a variable
    assert starts([SAVE_RAX, "488d442418", LOAD_RBX], 0, 5) == (Weight.ACTS, [0])


def test_what_makes_the_frame_zero_is_not_yet_work() -> None:
    # lea r8, [rsp+60h]; movups [r8], xmm15; movups [r8+10h], xmm15; mov qword [rsp+8], 0; ret
    zeroed = ["4c8d442460", "450f1138", "450f117810", "48c744240800000000", "c3"]
    assert starts(zeroed, 0, 23) == (Weight.MOVES, [0])
    # movups [rax], xmm15: memory that is not the frame's; mov qword [rsp+8], 1
    assert starts(["440f1138", "c3"], 0, 4) == (Weight.ACTS, [0])
    assert starts(["48c744240801000000", "c3"], 0, 9) == (Weight.ACTS, [0])


def test_the_last_calls_since_a_word_was_written() -> None:
    code = flow(SAVE_RAX, call(5, OTHER), NOP, call(11, BARRIER), NOP)
    writes = FrameWrites(code, lambda _: (0, 0))

    def calls(place: FrameSlot, at: int) -> set[int]:
        found = writes.calls_since(place, BASE + at, lambda target: target != BARRIER)
        assert found is not None
        return {pc - BASE if pc != ENTRY else pc for pc in found}

    assert calls(slot(0x18), 16) == {10}
    assert calls(slot(0x20), 16) == {10}
    assert calls(slot(0x18), 5) == set()
    assert calls(slot(0x20), 5) == {ENTRY}
    assert code.call_at(BASE + 9) == BASE + 5
    assert code.call_at(BASE + 10) is None


def test_while_a_call_runs_that_never_returns_its_own_way_counts() -> None:
    code = flow(
        "74 0a",  # je to the last instruction, which begins behind the call
        "48 89 44 24 08",  # mov [rsp+8],rax
        call(7, NEVER),
        "90",
    )
    place = FrameSlot(8 - DEPTH, 8)
    assert made(code, place, 11) == {(-1, (2,))}, "within the call: as it was written before"
    assert FrameWrites(code, lambda _: (0, 0)).last(place, BASE + 11) == frozenset({BASE + 2})
    assert FrameWrites(code, lambda _: (0, 0)).last(place, BASE + 12) == frozenset({ENTRY})


def test_a_choice_since_is_seen() -> None:
    code = flow("48 8d 48 01", "48 0f 44 c8", "90")  # lea rcx,[rax+1]; cmove rcx,rax; nop
    definitions = Definitions(code)
    assert definitions.chosen_since("rax", BASE + 8) == {BASE + 4}
    assert not definitions.chosen_since("rax", BASE + 4)
    assert not definitions.chosen_since("rcx", BASE + 8)
