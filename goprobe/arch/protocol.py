"""What a package for a machine (`goprobe.arch.amd64`) has to provide, one protocol a module.

mypy holds the modules of amd64 against these in tests/arch. All addresses are the target's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol


class Registers(Protocol):
    """`registers`: their names as GDB has them, and what Go and the kernel use them for.

    Besides: a struct `Registers` (pc, sp, fp, thread, syscall; `from_bytes`, `to_bytes` as ptrace
    and core files lay them out, `at(pc, sp)`), and `Words`, the same as words of the kernel's own
    layout, of which some are named: PC_WORD, SP_WORD, FP_WORD, GOROUTINE_WORD, RESULT_WORDS.
    """

    PC: str
    SP: str
    FP: str
    FLAGS: str
    GOROUTINE: str
    INTEGER_ARGUMENTS: tuple[str, ...]
    FLOAT_ARGUMENTS: tuple[str, ...]
    GENERAL: tuple[str, ...]
    VECTORS: tuple[str, ...]
    THREAD: tuple[str, ...]
    WORD: int
    VECTOR: int
    WORDS: dict[str, int]

    def by_dwarf_number(self, number: int) -> str: ...


class Frames(Protocol):
    """`frames`: where a return address lies from the CFA, and what struct ucontext has where."""

    RETURN_ADDRESS: int
    CALLER_ABOVE_FP: int
    CONTEXT_FP: int
    CONTEXT_SP: int
    CONTEXT_PC: int


class SystemCalls(Protocol):
    """`systemcalls`: numbers, the instruction, and how a stopped thread is made to do one."""

    INSTRUCTION: bytes
    AND_RETURN: bytes
    SIGNAL_RETURNS: tuple[bytes, ...]
    MMAP: int
    CLONE: int

    def prepare(self, words: memoryview, number: int, arguments: tuple[int, ...]) -> None: ...
    def result(self, words: memoryview) -> int: ...
    def current(self, words: memoryview) -> int: ...


class Patches(Protocol):
    """`patches`: the breakpoint instruction, and direct calls that can be turned elsewhere."""

    BREAKPOINT: int
    BREAKPOINT_SIZE: int
    CALL_SIZE: int

    def callee(self, code: bytes | bytearray, at: int, pc: int) -> int | None: ...
    def set_callee(self, code: bytearray, at: int, pc: int, target: int) -> None: ...


class Instructions(Protocol):
    """`instructions`: one instruction, or the first few of a function."""

    LONGEST: int

    def spans(self, code: bytes, low: int) -> Iterator[tuple[int, int]]: ...
    def after_call(self, code: bytes, pc: int) -> int: ...
    def called(self, code: bytes, pc: int) -> int | None: ...
    def call_ahead(self, code: bytes, low: int) -> int | None: ...
    def transfers(self, code: bytes, low: int) -> Iterator[Any]: ...
    def stored_range(self, code: bytes, low: int) -> tuple[int, int]: ...
    def stack_check(self, code: bytes, pc: int, sp: int) -> Any: ...
    def prologue(self, code: bytes, low: int) -> Iterator[str]: ...


class MachineCode(Protocol):
    """`machinecode`: calls, constants and addresses in compiled code (for `escape`)."""

    def calls_to(
        self, sections: Iterable[tuple[bytes, int]], targets: Collection[int]
    ) -> Sequence[Any]: ...
    def may_refer(
        self, sections: Iterable[tuple[bytes, int]], targets: Collection[int]
    ) -> Mapping[int, Sequence[int]]: ...
    def known_at(
        self, code: bytes, address: int, points: Collection[int]
    ) -> Mapping[int, Mapping[str, Any]]: ...
    def references(self, code: bytes, address: int) -> Sequence[Any]: ...


class WaysIn(Protocol):
    """`waysin`: where to stop for a line; `reaching` (class Definitions: which instruction made
    what lies in a register or slot), `assigned` (class AssignedSlots: what is surely written) and
    `codestarts` (class CodeStarts: where code shows that it runs) are the other analyses of whole
    functions."""

    def ways_in(
        self,
        code: bytes,
        low: int,
        stretches: Sequence[Any],
        returns: Callable[[int], bool],
        inlined: Collection[tuple[int, int]] = (),
        *,
        optimised: bool = False,
    ) -> Any: ...


class Displacing(Protocol):
    """`displaced`: what to do in place of an instruction that a breakpoint covers. `stub` and
    `ledgerstub` are the tracer's code (counting, recording, the allocator's ledger) with what a
    thread inside of it has done so far; `callstub` notes calls and returns, and says what can be
    covered by jumps to it; `sigframe` the frames by which a thread makes a chain of
    system calls and goes on; `abi` where arguments and results travel."""

    def displace(self, code: bytes, address: int, slot: int) -> Any: ...
    def followers(
        self,
        code: bytes,
        address: int,
        registers: Mapping[str, int],
        word_at: Callable[[int], int],
    ) -> frozenset[int]: ...
