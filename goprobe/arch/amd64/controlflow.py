"""Where control may go on after an instruction of a Go function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec
from iced_x86 import FlowControl, Instruction, OpKind, Register

CODE_LIMIT = 1 << 20
CALLS = frozenset({FlowControl.CALL, FlowControl.INDIRECT_CALL})
BRANCHES = frozenset({FlowControl.UNCONDITIONAL_BRANCH, FlowControl.CONDITIONAL_BRANCH})
ENDS = frozenset({FlowControl.RETURN, FlowControl.EXCEPTION, FlowControl.INDIRECT_BRANCH})
# What the compiler knows never to come back: the bodies of failed checks, panic, select {}
# (cmd/compile, ssagen/ssa.go, rtcall without results and BlockExit, Go 1.21 to 1.27).
_NEVER_BACK = re.compile(r"runtime\.(?:(?:go)?[pP]anic\w*|throw\w*|block)(?:\.abi0)?")

# What a few functions change, which the compiler calls between instructions of one statement
# (cmd/compile, ssa/_gen/AMD64Ops.go: LoweredWB, DUFFZERO, DUFFCOPY, Go 1.21 to 1.27).
_CHANGES = {
    "runtime.duffzero": frozenset({"rdi"}), "runtime.duffcopy": frozenset({"rdi", "rsi", "xmm0"}),
}  # fmt: skip
_BY_BARRIERS = frozenset({"r11", *(f"xmm{n}" for n in range(15))})
_WRITE_BARRIER = re.compile(r"runtime\.gcWriteBarrier\d?(?:\.abi0)?")

Returns = Callable[[int], bool]
"""Whether the function at a link-time address comes back to its caller."""


NameAt = Callable[[int], str]
"""The name of the function at a link-time address, "" where there is none."""


def returns_of(name_at: NameAt) -> Returns:
    known: dict[int, bool] = {}

    def returns(target: int) -> bool:
        if target not in known:
            known[target] = not _NEVER_BACK.fullmatch(name_at(target))
        return known[target]

    return returns


# Calls without a stack map: nothing moves or collects while they run (cmd/compile,
# liveness/plive.go, hasStackMap; ssa/op.go, Go 1.21 to 1.27).
_UNMAPPED = re.compile(r"runtime\.(?:gcWriteBarrier\d?|wbZero|wbMove|duffzero|duffcopy)(?:\.abi0)?")


def mapped_of(name_at: NameAt) -> Returns:
    """Whether the stack may move, or the heap be collected, while the function at a link-time
    address runs."""
    return lambda target: not _UNMAPPED.fullmatch(name_at(target))


_DEFERS = re.compile(r"runtime\.defer(?:proc\w*|rangefunc)(?:\.abi0)?")


class Defers(msgspec.Struct, frozen=True):
    """Where a function goes on when a panic in it has been recovered, 0: nowhere (_func.deferreturn
    in runtime2.go: its call of runtime.deferreturn), and which functions it calls to defer one."""

    deferreturn: int
    name_at: NameAt

    def recovery(self, code: Mapping[int, Instruction], returns: Returns) -> Recovery:
        """How control comes back to the function after a panic.

        Source: recovery in panic.go. Where deferproc was called, up to Go 1.24 as if it returned 1,
        which is tested there; else to the call of deferreturn.
        """
        if self.deferreturn not in code:
            return Recovery(frozenset(), ())
        made = [
            ins.next_ip
            for ins in code.values()
            if ins.flow_control == FlowControl.CALL
            and _DEFERS.fullmatch(self.name_at(ins.near_branch_target))
        ]
        reached = _reached(code, made or [min(code)], returns)
        tested = {_tested(code, pc) for pc in made} - {0}
        return Recovery(
            frozenset(tested or (self.deferreturn,)),
            tuple(pc for pc in sorted(reached) if _may_panic(code[pc])),
        )


class Recovery(msgspec.Struct, frozen=True):
    """Control may come to `targets` from each of the instructions at `sources`."""

    targets: frozenset[int]
    sources: tuple[int, ...]


def _reached(code: Mapping[int, Instruction], work: Iterable[int], returns: Returns) -> set[int]:
    seen, pending = set[int](), list(work)
    while pending:
        pc = pending.pop()
        if pc in code and pc not in seen:
            seen.add(pc)
            pending += successors(code[pc], returns)
    return seen


def _tested(code: Mapping[int, Instruction], pc: int) -> int:
    """Where the code goes that tests what a call gave it, right behind; 0 where it does not."""
    for _ in range(2):
        ins = code.get(pc)
        if ins is None:
            return 0
        if ins.flow_control == FlowControl.CONDITIONAL_BRANCH:
            return int(ins.near_branch_target)
        pc = ins.next_ip
    return 0


def _may_panic(ins: Instruction) -> bool:
    """Whether it calls, or names memory by a pointer, which may be nil."""
    if ins.flow_control in CALLS:
        return True
    kinds = (ins.op_kind(i) for i in range(ins.op_count))
    return ins.memory_base not in _OWN and OpKind.MEMORY in kinds


_OWN = frozenset({Register.NONE, Register.RSP, Register.RIP})

Changes = Callable[[int], frozenset[str] | None]
"""The registers that a call of the function at a link-time address changes; None: any."""


def changes_of(name_at: NameAt) -> Changes:
    known: dict[int, frozenset[str] | None] = {}

    def changes(target: int) -> frozenset[str] | None:
        if target not in known:
            name = name_at(target)
            barrier = _WRITE_BARRIER.fullmatch(name)
            known[target] = _BY_BARRIERS if barrier else _CHANGES.get(name)
        return known[target]

    return changes


def successors(ins: Instruction, returns: Returns) -> tuple[int, ...]:
    """The addresses in the same function; none where it ends, or jumps by a table."""
    flow = ins.flow_control
    if flow == FlowControl.UNCONDITIONAL_BRANCH:
        return (ins.near_branch_target,)
    if flow == FlowControl.CONDITIONAL_BRANCH:
        return (ins.near_branch_target, ins.next_ip)
    if flow in ENDS or (flow == FlowControl.CALL and not returns(ins.near_branch_target)):
        return ()
    return (ins.next_ip,)
