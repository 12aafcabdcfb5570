"""Walking a stack: from the pc and sp where it stands to the function that it began with.

Go's line table says the size of every frame at every pc, so that the walk is exact in prologues
and leaf functions too; frame pointers serve only where it knows nothing. The rules are those of
src/runtime/traceback.go (unwinder.resolveInternal and next), asm_amd64.s, preempt_amd64.s and
sys_linux_amd64.s of Go 1.21 to 1.27, which agree in all that is used here. Special functions are
known by their names: their numbers (funcID) change between releases.
"""

from __future__ import annotations

import re
import struct

import msgspec
from msgspec.structs import replace

from goprobe.arch.frames import CALLER_ABOVE_FP, CONTEXT_FP, CONTEXT_PC, CONTEXT_SP, RETURN_ADDRESS
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.image.code import Code, Spot

FRAME_LIMIT = 10_000

# These "calls" are put into interrupted code, whose pc is that of the instruction to run next.
_INJECTED = frozenset({"runtime.sigpanic", "runtime.asyncPreempt", "runtime.debugCallV2"})
_SIGNAL_ENTRY = frozenset({"runtime.sigtramp", "runtime.cgoSigtramp"})
# A signal handler returns to this: the kernel's frame is what SP points at.
_SIGNAL_RETURN = "runtime.sigreturn__sigaction"
# On a system stack, these stand where the goroutine's own stack was left.
_SWITCHES = frozenset({"runtime.systemstack", "runtime.morestack", "runtime.mcall"})
_STAND_IN = "runtime.systemstack_switch"
# It moves SP between two stacks, but both can be walked through it at all times.
_TWO_STACKS = "runtime.cgocallback"

# The kernel begins a program there: what lies above is argc, no return address
# (src/runtime/asm_amd64.s and rt0_linux_*.s, Go 1.21 to 1.27). A library's is called.
_ENTRY_POINT = re.compile(r"_rt0_[a-z0-9]+(_linux)?")

_STACKS_LIMIT = 8
_WORD = struct.Struct("<Q")
_BLOCK = 1 << 14


class Start(msgspec.Struct, frozen=True):
    """Where a walk begins. The stack is [low, high), 0 where that is not known.

    `exact`: `pc` is that of the instruction to run next, as registers have it; otherwise it is
    a return address, as the scheduler saves it.
    """

    pc: int
    sp: int
    bp: int = 0
    low: int = 0
    high: int = 0
    exact: bool = True


class MachineFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame of the machine. `sp` is SP at `pc`; `cfa` is SP before the call that made it.

    `lookup` is the pc to ask tables with: inside the call instruction for a caller. `spot` is None
    for code that is none of Go's. `trap`: it made no call; a signal or a fault interrupted it.
    `guessed`: found by the frame pointer, so that calls inside of it may be missing. `stack` counts
    the changes of stack before it.
    """

    pc: int
    lookup: int
    sp: int
    cfa: int
    spot: Spot | None
    trap: bool = False
    guessed: bool = False
    stack: int = 0

    @property
    def function(self) -> str:
        """The machine function's name, "" for code that is none of Go's."""
        return self.spot.name if self.spot else ""


class Unwound(msgspec.Struct, frozen=True):
    """A walked stack, innermost frame first.

    `complete`: it reached the function that the stack began with, and guessed nothing. `why` says
    how it ended.
    """

    frames: tuple[MachineFrame, ...]
    complete: bool
    why: str


def unwind(
    memory: Memory,
    code: Code,
    start: Start,
    *,
    user: Start | None = None,
    vdso: Start | None = None,
    limit: int = FRAME_LIMIT,
) -> Unwound:
    """Walk from `start`. Never raises UnreadableError: what cannot be read ends the walk.

    `user` is where the goroutine's own stack was left (g.sched or g.syscallsp, with the goroutine's
    bounds): where `start` is on a system stack, the walk goes on there after it. `vdso` is the
    caller of the function that calls the vdso meanwhile, on whatever stack (m.vdsoPC, m.vdsoSP).
    """
    return _Walk(memory, code, start, user, vdso).run(limit)


def is_hard(spot: Spot) -> bool:
    """Whether a walk that only adds up frame sizes would go wrong at a return address there."""
    if spot.function.top_frame:
        return False
    if spot.name in _SWITCHES or spot.name in _SIGNAL_ENTRY or spot.name == _STAND_IN:
        return True
    return spot.size < 0 or (spot.function.writes_sp and spot.name != _TWO_STACKS)


class _Walk:
    """One walk: where it stands, and what is known of the stack that it is on."""

    def __init__(
        self, memory: Memory, code: Code, start: Start, user: Start | None, vdso: Start | None
    ) -> None:
        self._memory = memory
        self._code = code
        self._user = user
        self._vdso = vdso
        self._base = 0
        self._block = b""
        self._at = start
        self._trap = self._guessed = self._gap = False
        self._stack = 0
        self._frames: list[MachineFrame] = []
        self._end: tuple[bool, str] = (False, "")

    def run(self, limit: int) -> Unwound:
        try:
            if not self._at.pc:
                self._called_nil()
            while len(self._frames) < limit and self._advance():
                pass
            if not self._end[1]:
                self._stop(f"only its first {limit} frames were asked for")
        except UnreadableError as error:
            self._stop(f"the stack cannot be read: {error}")
        complete, why = self._end
        return Unwound(tuple(self._frames), complete and not self._gap, why)

    def _called_nil(self) -> None:
        # A nil function was called: its "frame" is the return address alone.
        at = self._at
        self._at = replace(at, pc=self._word(at.sp), sp=at.sp + RETURN_ADDRESS, exact=False)

    # -- one frame ---------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Note the frame where the walk stands and go to its caller; False at the end."""
        at = self._at
        spot = self._code.spot(at.pc)
        if spot is None:
            self._note(None, at.sp)
            return self._elsewhere(f"{at.pc:#x} is not Go code")
        if spot.name == _STAND_IN and self._stack and self._frames[-1].function in _SWITCHES:
            # What the goroutine's stack has in place of the call to systemstack just seen.
            return self._step(spot, at.sp + spot.size + RETURN_ADDRESS)
        cfa = at.sp + max(spot.size, 0) + RETURN_ADDRESS
        self._note(spot, cfa)
        if spot.name in _SWITCHES and self._switched():
            return self._switch(spot.name)
        if spot.name in _SIGNAL_ENTRY:
            return self._interrupted(cfa)
        if spot.name == _SIGNAL_RETURN:
            return self._interrupted(at.sp)
        if spot.function.top_frame or _ENTRY_POINT.fullmatch(spot.name):
            return self._stop(f"{spot.name} is where this stack began", complete=True)
        if spot.size < 0:
            return self._by_frame_pointer(f"{spot.name} has no frame information")
        if not self._may_step(spot, cfa):
            return self._elsewhere(f"{spot.name} moves the stack pointer")
        return self._step(spot, cfa)

    def _note(self, spot: Spot | None, cfa: int) -> None:
        at = self._at
        called = spot is not None and not at.exact and at.pc > spot.function.entry
        self._frames.append(
            MachineFrame(
                pc=at.pc,
                lookup=at.pc - called,
                sp=at.sp,
                cfa=cfa,
                spot=spot,
                trap=self._trap,
                guessed=self._guessed,
                stack=self._stack,
            )
        )

    def _step(self, spot: Spot, cfa: int) -> bool:
        at = self._at
        if at.high and not at.low <= at.sp < cfa <= at.high:
            return self._stop(f"the frame of {spot.name} leaves the stack")
        caller = self._word(cfa - RETURN_ADDRESS)
        if not caller:
            return self._stop(f"{spot.name} returns to address 0")
        bp = self._word(cfa - 16) if spot.size >= 8 else at.bp
        self._trap = spot.name in _INJECTED
        self._guessed = False
        self._at = Start(caller, cfa, bp, at.low, at.high, self._trap)
        return True

    def _may_step(self, spot: Spot, cfa: int) -> bool:
        """Whether SP is where the tables say in a function that writes it freely."""
        if not spot.function.writes_sp or spot.name == _TWO_STACKS:
            return True
        at = self._at
        if len(self._frames) > 1:
            return False
        if not at.exact or at.pc == spot.function.entry:
            return True
        # What moves SP moves it to another stack: on the goroutine's own it has not done so yet.
        return bool(self._user) and not self._on_system_stack() and self._is_return(cfa)

    def _is_return(self, cfa: int) -> bool:
        caller = self._word(cfa - RETURN_ADDRESS)
        spot = self._code.spot(caller)
        return spot is not None and caller > spot.function.entry

    # -- changes of stack --------------------------------------------------------------------

    def _on_system_stack(self) -> bool:
        user, sp = self._user, self._at.sp
        return not user or not user.low <= sp < user.high

    def _switched(self) -> bool:
        """Whether a function that changes stacks has done so where the walk stands."""
        if self._user is None:
            return len(self._frames) > 1 or not self._at.exact
        return self._on_system_stack()

    def _switch(self, name: str) -> bool:
        if self._user is None:
            return self._stop(f"{name} is where this system stack was entered", complete=True)
        return self._back(self._user, name)

    def _interrupted(self, context: int) -> bool:
        """Over the frame that the kernel made for a signal handler: struct ucontext."""
        pc, sp, bp = (self._word(context + at) for at in (CONTEXT_PC, CONTEXT_SP, CONTEXT_FP))
        user = self._user
        bounds = (user.low, user.high) if user and user.low <= sp < user.high else (0, 0)
        return self._go_to(Start(pc, sp, bp, *bounds), trap=True)

    def _go_to(self, start: Start, *, trap: bool) -> bool:
        self._stack += 1
        if self._stack > _STACKS_LIMIT:
            return self._stop("the stack was changed too often")
        if self._user and self._user.low <= start.sp < self._user.high:
            self._user = None
        self._trap, self._guessed = trap, False
        self._at = start
        return True

    def _elsewhere(self, why: str) -> bool:
        """On from C code, the vdso, or what calls them: by the saved Go stack if there is one."""
        vdso, self._vdso = self._vdso, None
        if vdso:
            return self._go_to(vdso, trap=False)
        if self._user and self._on_system_stack():
            return self._back(self._user, why)
        return self._by_frame_pointer(why)

    def _back(self, user: Start, what: str) -> bool:
        """To where the goroutine's own stack was left, if that is noted: gogo (asm_amd64.s) clears
        it as a goroutine goes on, and the race detector's calls of C (race_amd64.s) do not note
        it."""
        if not user.low <= user.sp < user.high:
            return self._stop(f"{what}, called from a place in its goroutine that is not noted")
        return self._go_to(user, trap=False)

    def _by_frame_pointer(self, why: str) -> bool:
        at = self._at
        if not (at.high and at.low <= at.sp <= at.bp <= at.high - 16 and at.bp % 8 == 0):
            return self._stop(why)
        caller = self._word(at.bp + CALLER_ABOVE_FP)
        spot = self._code.spot(caller)
        if spot is None or caller == spot.function.entry:
            return self._stop(why)
        self._trap, self._guessed, self._gap = False, True, True
        self._at = Start(caller, at.bp + 16, self._word(at.bp), at.low, at.high, False)
        return True

    # -- end and memory ----------------------------------------------------------------------

    def _stop(self, why: str, *, complete: bool = False) -> bool:
        self._end = (complete, why)
        return False

    def _word(self, address: int) -> int:
        at = address - self._base
        if not 0 <= at <= len(self._block) - 8:
            self._load(address)
            at = 0
        return int(_WORD.unpack_from(self._block, at)[0])

    def _load(self, address: int) -> None:
        high = self._at.high or address + _BLOCK
        size = max(8, min(_BLOCK, high - address))
        try:
            self._block = self._memory.read(address, size)
        except UnreadableError:
            self._block = self._memory.read(address, 8)
        self._base = address
