"""The ledger: its routines as a disassembler reads them, and programs that count themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from iced_x86 import Decoder

from goprobe.analysis.escape.allocationcall import CALL_SIZE
from goprobe.analysis.escape.calls import CodeMap
from goprobe.arch.amd64 import registers
from goprobe.arch.ledgerstub import ENTRY_SIZE
from goprobe.binary.elf.elf import ElfFile
from goprobe.process.tracer.events import CountedCall, RunOutcome
from goprobe.process.tracer.ledger import AllocatorCalls, Doing, Ledger, Made, merged
from goprobe.process.tracer.run import run_counted
from goprobe.runtime.image.program import GoProgram
from tests.support.go import build, matrix

releases = pytest.mark.parametrize("go", matrix())
TEXT, RUNTIME = (0x400000, 0x480000), (0x401000, 0x440000)
MALLOC, OWNER = 0x402000, 0x450123


def ledger(owners: tuple[int, ...] = (OWNER,)) -> Ledger:
    made = Ledger(AllocatorCalls((), (MALLOC, MALLOC + 64), owners, (RUNTIME,), TEXT, (48, 192)))
    made.code, made.data = 0x1000_0000, 0x1010_0000
    return made


def test_the_routine_changes_no_register_that_the_allocator_or_its_caller_needs() -> None:
    book = ledger()
    code = book.assemble()
    assert len(code) == book.code_size and len(code) % 2 == 0
    half = len(code) // 2
    texts = {one.ip - book.code: str(one) for one in Decoder(64, code[:half], ip=book.code)}
    free = {"rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "r12", "r13"}
    for text in texts.values():
        operation, _, operands = text.partition(" ")
        written = operands.split(",")[0]
        plain = {"edx": "rdx", "r9d": "r9"}.get(written, written)
        assert (
            plain in free
            or operation in ("cmp", "test", "bt", "int", "jmp")
            or operation.startswith("j")
            or text in _COUNTS
        ), text
    assert f"jmp near ptr {MALLOC:016X}h" in texts.values()
    counts, adds, small = (at for at, text in texts.items() if text in _COUNTS)
    assert book.doing(0) is book.doing(counts) is Doing.LOOKING
    assert book.doing(adds) is Doing.COUNTED
    assert book.doing(small) is Doing.ADDED
    assert book.doing(max(at for at, text in texts.items() if text.startswith("jmp"))) is Doing.DONE


@given(st.sets(st.integers(TEXT[0], TEXT[1] - 1), max_size=40))
def test_every_owner_has_an_entry_of_its_own(owners: set[int]) -> None:
    book = ledger(tuple(owners))
    memory = bytearray(book.data_size)
    words = memoryview(memory).cast("Q")
    book.fill(book.places(), words, memoryview(memory))
    keys = [words[at // 8] for at in range(0, book.data_size - len(memory) % 8, ENTRY_SIZE)]
    assert owners <= set(keys)
    assert book.made(words) == {}


_COUNTS = (
    "lock inc qword ptr [rsi+rdx+8]", "lock add [rsi+rdx+10h],rax", "lock inc qword ptr [rsi+28h]",
)  # fmt: skip


class _Stack:
    """A thread that stands at a call of the allocator, by words of memory."""

    def __init__(self, *backs: int, on_g0: bool = False) -> None:
        g, high = 0x7000, 0x9000
        self.words = {g: 0x8000, g + 8: high, g + 48: 0x6000, 0x6000 + 192: 0x7800}
        # curg's stack is the same where the thread runs a goroutine
        self.words |= {0x7800: 0xA000 if on_g0 else 0x8000, 0x7808: 0xB000 if on_g0 else high}
        self.registers = [0] * 27
        self.registers[registers.RSP], self.registers[registers.R14] = 0x8000, g
        self.registers[registers.RBP], self.registers[registers.RAX] = 0x8010, 24
        self.words[0x8000] = backs[0]
        at = 0x8010
        for number, back in enumerate(backs[1:]):
            following = (0xA000 if on_g0 else 0x8020) + 16 * number
            self.words |= {at: following, at + 8: back}
            at = following

    def __call__(self, address: int) -> int:
        return self.words.get(address, 0)


@pytest.mark.parametrize(
    ("backs", "on_g0", "made"),
    [
        ((OWNER,), False, Made(1, 24)),
        ((0x402005, OWNER), False, Made(1, 24)),
        ((0x402005, 0x403005, 0x404005, OWNER), False, Made(1, 24)),
        ((0x402005, 0x403005, 0x404005, OWNER), True, Made(0, 0, 1)),
        ((0x402005, 0x450777, OWNER), False, None),
        ((0x402005, 0x900000, OWNER), False, None),
        ((0x402005,) * 3, False, None),
    ],
)
def test_what_a_thread_had_left_to_do_is_done_for_it(
    backs: tuple[int, ...], on_g0: bool, made: Made | None
) -> None:
    book = ledger()
    memory = bytearray(book.data_size)
    words = memoryview(memory).cast("Q")
    book.fill(book.places(), words, memoryview(memory))
    stack = _Stack(*backs, on_g0=on_g0)
    thread = memoryview(bytearray(27 * 8)).cast("Q")
    for index, value in enumerate(stack.registers):
        thread[index] = value
    thread[registers.RIP] = book.enters(MALLOC + 64)
    book.finish(thread, stack)
    assert thread[registers.RIP] == MALLOC + 64
    assert book.made(words) == ({OWNER: made} if made else {})


def test_ranges_that_touch_are_one() -> None:
    assert merged([(5, 9), (1, 3), (3, 5), (20, 30)]) == [(1, 9), (20, 30)]


STORM = """\
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

var sink, other []byte
var text any

//go:noinline
func sized(n int) { sink = make([]byte, n) }

//go:noinline
func boxed(n int) { text = n }

//go:noinline
func copied(s string) { other = []byte(s) }

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	var wg sync.WaitGroup
	wg.Add(1)
	tid := make(chan int)
	var over atomic.Bool
	go func() {
		defer wg.Done()
		runtime.LockOSThread()
		tid <- syscall.Gettid()
		for i := 0; i < n; i++ {
			sized(i % 3 * 16)
			boxed(i % 512)
			copied("0123456789abcdef"[:i % 2 * 16])
		}
		over.Store(true)
	}()
	victim, pid := <-tid, syscall.Getpid()
	for !over.Load() {
		syscall.Tgkill(pid, victim, syscall.SIGURG)
	}
	wg.Wait()
	fmt.Println(n)
}
"""


def counted(binary: Path, argument: str, *, inspect: int) -> dict[str, Made | None]:
    """What was made in each function of main, one call in each."""
    program = GoProgram(ElfFile(binary))
    code = CodeMap(program)
    calls = [c for c in code.calls() if c.outer.function.startswith("main.")]
    owners = [call.pc + CALL_SIZE for call in calls]
    with Path("/dev/null").open("w") as nothing:
        outcome: RunOutcome = run_counted(
            str(binary),
            (argument,),
            sites=[CountedCall(c.pc, c.target, c.pc) for c in calls],
            inspect=inspect,
            allocator=code.allocator_calls(owners),
            timeout=120,
            stdout=nothing.fileno(),
        )
    assert outcome.exit_code == 0 and not outcome.partial
    assert outcome.moved > 0
    return {c.outer.function: outcome.made.get(c.pc + CALL_SIZE) for c in calls}


@releases
@pytest.mark.parametrize(("n", "inspect"), [(500_000, 0), (3_000, 65_536)])
def test_nothing_is_lost_in_a_storm_of_signals(go: str, n: int, inspect: int) -> None:
    made = counted(build(STORM, go=go), str(n), inspect=inspect)
    third, larger = n - (n + 2) // 3, n // 512 * 256 + max(0, n % 512 - 256)
    assert made["main.sized"] == Made(third, sum(i % 3 * 16 for i in range(n)))
    assert made["main.boxed"] == Made(larger, 8 * larger, 0, larger)
    assert made["main.copied"] == Made(n // 2, n // 2 * 16)
