"""The stacks of goroutines and threads at one stop: where to begin each walk, and the walk.

Where a goroutine's stack was left depends on what it does: parked and runnable ones are in g.sched,
system calls and C calls in g.syscallsp, calls of the vdso in m.vdsoSP, and a running one is where
its thread's registers say, on its own stack or on the thread's system stack meanwhile.
Source: src/runtime/traceback.go (initAt), proc.go (sigprof), runtime2.go of Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from msgspec.structs import replace

from goprobe.errors import UnreadableError
from goprobe.runtime.goroutines.goroutines import Goroutine, Thread
from goprobe.runtime.image.code import Code
from goprobe.runtime.image.modules import Modules
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.record import read_record
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.unwind import FRAME_LIMIT, MachineFrame, Start, Unwound, unwind
from goprobe.runtime.world import ThreadState, World

# A panic's own frames hide no wrapper: it may be where the panic is.
_WRAPPERS_SHOW = frozenset({"runtime.gopanic", "runtime.sigpanic", "runtime.panicwrap"})
# Where g0 is on the thread's own stack, it ends where a variable of mstart0 lies; that function's
# frame and mstart's are beyond.
_MSTART = 512
_HANDLER_FRAMES = 64
_FAULT = "runtime.sigpanic"  # put into the code that faulted
_NOWHERE = Unwound((), False, "it has no stack")


class Stacks:
    """Walks the stacks of one stopped process."""

    def __init__(
        self, world: World, modules: Modules | None = None, code: Code | None = None
    ) -> None:
        """`modules`: where they were read before, so that they need not be read in the stop.
        `code`: where it is read from another memory than the stacks."""
        self._world = world
        self._known = modules
        self._code = code

    @property
    def program(self) -> GoProgram:
        return self._world.program

    @cached_property
    def modules(self) -> Modules:
        """The program and its plugins; none where the list cannot be read."""
        return self._known if self._known is not None else self._world.modules

    @cached_property
    def code(self) -> Code:
        if self._code is not None:
            return self._code
        if self._known is None:
            return self._world.code
        world = self._world
        return Code(world.lines, self._known, world.memory, world.program.looked_up)

    @cached_property
    def _threads(self) -> dict[int, Thread]:
        return {t.address: t for t in self._world.goroutines.threads}

    def stack_pointer(self, g: Goroutine) -> int:
        """Down to where a goroutine's stack is used."""
        thread = self._threads.get(g.m)
        if g.status == "running" and thread and thread.tid in self._world.threads:
            vdso = self._vdso(thread, g)
            for sp in (self._world.threads[thread.tid].sp, vdso.sp if vdso else 0):
                if g.low <= sp < g.high:
                    return sp
            # Its thread is in a signal handler, or in the scheduler: what the goroutine's own
            # struct has may be older than the frames that it is in by now.
            walked = self._of_live(self._world.threads[thread.tid], thread, g, _HANDLER_FRAMES)
            for frame in walked.frames:
                if g.low <= frame.sp < g.high:
                    return frame.sp
        return g.sp

    # -- walks -------------------------------------------------------------------------------

    def of_goroutine(self, g: Goroutine, *, limit: int = FRAME_LIMIT) -> Unwound:
        """A goroutine's stack as the runtime would print it."""
        if g.dead or not g.high:
            return _NOWHERE
        thread = self._threads.get(g.m)
        if g.status == "running" and thread and thread.tid in self._world.threads:
            return self._of_live(self._world.threads[thread.tid], thread, g, limit)
        return self._walk(saved(g), None, None, limit)

    def of_thread(self, tid: int, *, limit: int = FRAME_LIMIT) -> Unwound:
        """What a thread stands in, from its registers: Go's or C's code, on whatever stack."""
        registers = self._world.threads.get(tid)
        if registers is None:
            return Unwound((), False, f"there is no thread {tid}")
        thread = self._world.goroutines.thread(tid)
        g = self._world.goroutines.at(thread.current) if thread and thread.current else None
        return self._of_live(registers, thread, g, limit)

    def _of_live(
        self, registers: ThreadState, thread: Thread | None, g: Goroutine | None, limit: int
    ) -> Unwound:
        low, high = self._bounds(registers.sp, thread, g)
        start = Start(registers.pc, registers.sp, registers.fp, low, high)
        vdso = self._vdso(thread, g) if thread else None
        return self._walk(start, self._left(g, registers.pc) if g else None, vdso, limit)

    def _left(self, g: Goroutine, pc: int) -> Start:
        """Where the own stack of a goroutine was left whose thread stands at `pc`."""
        start = saved(g)
        if g.status == "running" and self._is_race and self.code.spot(pc) is None:
            # In C the race detector may have been called, which notes nothing: what is noted may
            # be of any call of C before.
            return replace(start, sp=0)
        return start

    @cached_property
    def _is_race(self) -> bool:
        return self._world.program.info.settings.get("-race") == "true"

    def _walk(self, start: Start, user: Start | None, vdso: Start | None, limit: int) -> Unwound:
        return unwind(self._world.memory, self.code, start, user=user, vdso=vdso, limit=limit)

    # -- where walks begin -------------------------------------------------------------------

    def _bounds(self, sp: int, thread: Thread | None, g: Goroutine | None) -> tuple[int, int]:
        """Of the stack, the goroutine's own or one of its thread's, that `sp` is on."""
        if g and g.low <= sp < g.high:
            return g.low, g.high
        for stack in self._world.system_stacks.of(thread) if thread else ():
            if sp in stack:
                return stack.low, stack.high + (_MSTART if stack.estimated else 0)
        return 0, 0

    def _vdso(self, thread: Thread, g: Goroutine | None) -> Start | None:
        """The caller of the function that has called the vdso, where the thread is in it."""
        struct = self._world.layout.struct("m")
        if "vdsoSP" not in struct:
            return None
        try:
            m = read_record(self._world.memory, struct, thread.address)
        except UnreadableError:
            return None
        sp = m["vdsoSP"]
        return Start(m["vdsoPC"], sp, 0, *self._bounds(sp, thread, g), exact=False) if sp else None

    def function_at(self, pc: int) -> str:
        """The shown name of the function whose code holds `pc`, "" for what is not Go's code."""
        spot = self.code.spot(pc)
        return self._world.shown_name(spot.name) if spot else ""

    # -- as the source has it ----------------------------------------------------------------

    def source(self, unwound: Unwound) -> Iterator[FrameView]:
        """The frames with inlined calls as frames of their own, innermost first."""
        callee = ""
        for index, frame in enumerate(unwound.frames):
            yield from self._source(frame, index == 0, frame.trap and callee == _FAULT)
            callee = frame.function

    def printed(self, unwound: Unwound) -> Iterator[FrameView]:
        """As `source`, without the wrappers that Go's own traces leave out.

        Source: src/runtime/traceback.go, elideWrapperCalling.
        """
        callee = ""
        for frame in self.source(unwound):
            if not frame.wrapper or callee in _WRAPPERS_SHOW:
                yield frame
            callee = frame.function

    def _source(self, frame: MachineFrame, innermost: bool, faulted: bool) -> Iterator[FrameView]:
        stack = self.code.source(frame.lookup)
        if not stack:
            yield FrameView(
                pc=frame.pc,
                lookup=frame.lookup,
                sp=frame.sp,
                cfa=frame.cfa,
                function="",
                file="",
                line=0,
                inlined=False,
                depth=0,
                innermost=innermost,
                interrupted=frame.trap,
                faulted=faulted,
            )
        for i, source in enumerate(stack):
            yield FrameView(
                pc=frame.pc,
                lookup=frame.lookup,
                sp=frame.sp,
                cfa=frame.cfa,
                function=self._world.shown_name(source.function),
                file=source.file,
                line=source.line,
                inlined=source.inlined,
                depth=len(stack) - 1 - i,
                innermost=innermost,
                interrupted=frame.trap,
                faulted=faulted,
                wrapper=source.wrapper,
                start_line=source.start_line,
            )


def saved(g: Goroutine) -> Start:
    """Where the scheduler, or entersyscall, saved that a goroutine stands."""
    return Start(g.pc, g.sp, g.bp, g.low, g.high, exact=False)
