"""A program of a session while it stands: who holds it, GDB or a tracer of our own, and what can be
seen of it there.

While it does nothing but run from stop to stop our own takes it many times as many a second. It
takes some 50 ms to change hands. So that is done only after several stops in a row, and after the
more the oftener it turned out that GDB was needed soon after.

It changes hands by standing in SIGSTOP. A pass of a breakpoint that one of the two has told of is
not to be told by the other: who passes once more is known by place, goroutine and stack pointer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from goprobe.analysis.trace.places import Places
from goprobe.analysis.trace.prepare import Launch, Prepared
from goprobe.analysis.trace.stopregisters import StopRegisters, ThreadRegisters
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.registers import GOROUTINE, SP
from goprobe.process.gdb.controller import Gdb
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import PageCache, ProcessMemory
from goprobe.process.proc.maps import read_maps
from goprobe.process.ptrace.priority import import_numpy
from goprobe.runtime.stacks.keeping import Cycle
from goprobe.runtime.stacks.stackcheck import StackCheck, check_ahead
from goprobe.runtime.world import World
from goprobe.target.goprocess import GoProcess

if TYPE_CHECKING:  # `goprobe trace` starts without the tracers, which scripts alone come to need
    from goprobe.process.stoptracer.follower import Follower
    from goprobe.process.stoptracer.plan import Pass, Test, Told

_WORTH_WHILE = 100  # stops for which it was right to change hands
_OFTEN, _MOST = 8, 512  # stops in a row


class _Habit:
    """How often it went on by nothing but a run to the next stop."""

    def __init__(self) -> None:
        self._needed, self._row = _OFTEN, 0

    def ran(self) -> bool:
        """One run more: whether it is worth while by now to change hands."""
        self._row += 1
        return self._row > self._needed

    def broken(self, *, soon: bool) -> None:
        """GDB was needed, `soon` after it had let go."""
        self._row = 0
        if soon:
            self._needed = min(2 * self._needed, _MOST)


class HeldProgram:
    """What a session has of its program; `bias` is how far that was moved when it was loaded."""

    def __init__(self, prepared: Prepared, launch: Launch) -> None:
        self.prepared = prepared
        self.program = prepared.program
        self.pid = 0
        self.memory: ProcessMemory | None = None
        self._launch = launch
        self._controller = Gdb(
            prepared.gdb.command, environment=prepared.gdb.environment, started=launch.started
        )
        self._places = Places(self.program)
        self._entries: dict[int, bool] = {}
        self._next_check: tuple[StopEvent, StackCheck] | None = None
        self._told_before: set[Pass] = set()  # passes of breakpoints that are still to come
        self._cycle = Cycle()
        self._follower: Follower | None = None
        self._tests: Mapping[int, Test] = {}
        self._habit = _Habit()
        self._followed = 0  # stops since GDB has let go

    @property
    def bias(self) -> int:
        return self._places.bias

    @property
    def process(self) -> GoProcess:
        return GoProcess(self.pid, self.program, self.bias)

    def plugins(self) -> tuple[World, ...]:
        """Those that it has loaded by now."""
        if self.memory is None or self.program.stripped:
            return ()
        return self.process.loaded(self.memory).plugins

    # Who holds the program

    @property
    def _gdb(self) -> Gdb:
        """GDB, which holds the program: the tracer that follows it instead gives it back."""
        if self._follower is not None:
            self._give_back(self._follower)
        return self._controller

    @property
    def _holder(self) -> Gdb | Follower:
        return self._follower or self._controller

    def _give_back(self, follower: Follower) -> None:
        at, self._follower = follower.at, None
        self._habit.broken(soon=self._followed < _WORTH_WHILE)
        self._told_before.update(follower.leave())
        event = self._hold_again()
        if event.over or at is None:
            return
        self._controller.stands_at(replace(at, breakpoint=self._places.number_at(at.pc)))
        if at.kind == "breakpoint" and self._enters(at.pc):
            fails, call = self._look_ahead(self._controller.at or at)
            self._told_before.update([call] if fails else [])

    def _hold_again(self) -> StopEvent:
        """GDB holds it where it stands in SIGSTOP, and has its breakpoints; or how it ended."""
        event = self._controller.take_back()
        if not event.over:
            self._places.set_again(self._controller)
        return event

    def _ended(self, event: StopEvent) -> StopEvent:
        """A tracer of our own says that the program ended, and we, its parent, how."""
        follower = self._follower
        if follower is None or event.kind not in ("exited", "exec"):
            return event
        self._follower = None
        follower.leave()
        told = self._controller.take_back()
        self._places.forget()
        return told if told.over else StopEvent("exec", self.pid, told.pc, detail="exec")

    def follow(self, tests: Mapping[int, Test]) -> None:
        """The program is about to run to its next stop, and nothing but breakpoints can stop it:
        where that was so often by now a tracer of our own follows it from here on. `tests` are
        conditions of stops, by run-time address."""
        follower = self._follower
        if follower is not None and self._tests is tests:
            return
        if self._launch.process is not None or (follower is None and not self._habit.ran()):
            return
        if follower is None and not self._controller.stands_whole:
            return
        from goprobe.analysis.trace.following import stop_points
        from goprobe.process.stoptracer.follower import Follower, NotFollowableError

        planned = stop_points(self.process, self._places, tests)
        if planned is None:
            self._habit.broken(soon=True)
            return
        told, self._next_check = self._told(), None
        if follower is None:
            self._controller.lend()
            told = replace(told, passes=tuple(self._told_before))
            self._followed = 0
            self._told_before.clear()
        else:
            told = replace(told, passes=follower.leave())
        self._tests, self._follower = tests, None
        try:
            self._follower = Follower(self.pid, *planned, told)
        except NotFollowableError:
            self._hold_again()
            self._habit.broken(soon=True)

    def _told(self) -> Told:
        """Where it stands now."""
        from goprobe.process.stoptracer.plan import Told

        at, by_gdb = self._holder.at, self._follower is None
        if at is None:
            return Told(at_entries=by_gdb)
        words = self._holder.some_registers(at.thread, (SP, GOROUTINE))
        return Told(at.thread, at.pc, words[SP], words[GOROUTINE], by_gdb)

    # What is seen there

    def enters_again(self, event: StopEvent) -> bool:
        """Whether a breakpoint was hit by a call that will come there once more, for its stack
        grows first, or that was told already."""
        if self._follower is not None or not self._places.of(event):
            return False  # our own tracer stops behind the stack check in truth
        if not self._told_before and not self._enters(event.pc):
            return False
        fails, call = self._look_ahead(event)
        if call in self._told_before:
            self._told_before.discard(call)
            return True
        return fails

    def _look_ahead(self, event: StopEvent) -> tuple[bool, Pass]:
        """Whether the stack check that a thread stands before will fail; and what pass that is."""
        view = self.view(event.thread)
        check, g = check_ahead(view.world, view.goroutine, view.registers), view.goroutine
        self._next_check = (event, check) if check else None
        call = event.pc, g.address if g else 0, view.registers[SP]
        return bool(check and check.fails), call

    def _enters(self, pc: int) -> bool:
        """Whether a function begins there."""
        if pc not in self._entries:
            function, at = self.program.lines.function_at(pc - self.bias), pc - self.bias
            # Of a stripped program the runtime, which knows the plugins, may not be found yet.
            if function is None and self.memory is not None and not self.program.stripped:
                function, at = self.process.loaded(self.memory).code.function_at(pc), pc
            self._entries[pc] = function is not None and function.entry == at
        return self._entries[pc]

    def view_of(self, event: StopEvent) -> StopView:
        """A stop as it shows itself to the thread that stopped."""
        place = self._places.of(event)
        return self.view(event.thread, place.doubt if place else "")

    def view(self, tid: int, doubt: str = "") -> StopView:
        """The process as it stands now, from the point of view of one thread; `doubt` is what is
        to be said of the place."""
        registers = StopRegisters(self._holder, tid)
        threads = ThreadRegisters(self._holder)
        threads.put(tid, registers)
        assert self.memory is not None
        if self.program.stripped:
            import_numpy()
            from goprobe.runtime.stripped import stripped_facts  # brings numpy along

            # Where the runtime's globals lie shows only once the runtime has set them up.
            self.program.adopt(
                stripped_facts(self.program, self.memory, self.bias, shown_by=f"{os.geteuid()}")
            )
        world = self.process.world(PageCache(self.memory), read_maps(self.pid), threads)
        return StopView(world, tid, registers, doubt=doubt, cycle=self._cycle)
